#include "fabric/reachability.hpp"
#include "tests/fabric/fixture.hpp"

#include <gmock/gmock.h>

namespace weft::fabric {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const std::string kTwoPorts = R"(
[[host]]
name = "kvm1"
vtep = "192.0.2.11"
[[host]]
name = "kvm2"
vtep = "192.0.2.12"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[port]]
name = "a"
network = "blue"
ip = "10.0.1.10"
[[port]]
name = "b"
network = "blue"
ip = "10.0.1.11"
)";

std::string guarded(const std::string& rules) {
    return kTwoPorts + "security_groups = [\"web\"]\n[[security_group]]\nname = \"web\"\nrules = [" + rules + "]\n";
}

WorldPtr world_of(const std::string& toml, const std::set<std::string>& unplugged = {}) {
    Fixture fixture(toml);
    std::uint32_t ofport = 10;
    for (const auto& [name, _] : fixture.topology->ports)
        if (!unplugged.contains(name)) fixture.bind(name, name == "b" ? "kvm2" : "kvm1", ++ofport);
    return fixture.world();
}

std::vector<ReachChange> difference(const WorldPtr& before, const WorldPtr& after) {
    return reach_difference(*before, *after, [](const auto&, auto) { return true; }, 1000).changes;
}

TEST(Reachability, NothingChangedIsNothing) {
    EXPECT_THAT(difference(world_of(kTwoPorts), world_of(kTwoPorts)), IsEmpty());
}

TEST(Reachability, AGroupTakesWhatItsRulesDoNotAllow) {
    const auto changes = difference(
        world_of(kTwoPorts), world_of(guarded(R"({ direction = "ingress", protocol = "tcp", ports = ["80"] })")));
    EXPECT_THAT(changes, UnorderedElementsAre(ReachChange{false, "a", "b", "icmp", {}},
                                              ReachChange{false, "a", "b", "tcp", {{1, 79}, {81, 65535}}},
                                              ReachChange{false, "a", "b", "udp", {{1, 65535}}},
                                              ReachChange{false, "a", "b", "sctp", {{1, 65535}}}));
}

TEST(Reachability, ARuleGivesExactlyItsPorts) {
    const auto changes =
        difference(world_of(guarded(R"({ direction = "ingress", protocol = "tcp", ports = ["80"] })")),
                   world_of(guarded(R"({ direction = "ingress", protocol = "tcp", ports = ["80", "8000-8010"] })")));
    EXPECT_THAT(changes, ElementsAre(ReachChange{true, "a", "b", "tcp", {{8000, 8010}}}));
}

TEST(Reachability, ARuleForAnAddressIsOnlyForIt) {
    const auto third = std::string(R"([[port]]
name = "c"
network = "blue"
ip = "10.0.1.12"
)");
    const auto changes = difference(
        world_of(guarded(R"({ direction = "ingress", protocol = "icmp" })") + third),
        world_of(
            guarded(
                R"({ direction = "ingress", protocol = "icmp" }, { direction = "ingress", protocol = "udp", remote = "10.0.1.12/32" })") +
            third));
    EXPECT_THAT(changes, ElementsAre(ReachChange{true, "c", "b", "udp", {{1, 65535}}}));
}

TEST(Reachability, APortThatIsGoneHasLostEverything) {
    const auto changes = difference(world_of(kTwoPorts), world_of(kTwoPorts, {"b"}));
    EXPECT_THAT(changes,
                UnorderedElementsAre(ReachChange{false, "a", "b", "any", {}}, ReachChange{false, "b", "a", "any", {}}));
}

TEST(Reachability, AnAclWithoutAWayBackTakesTheWayThereToo) {
    // An ACL is stateless: answers from port 22 are not let out of b's network.
    auto toml = kTwoPorts;
    toml.insert(toml.find("[[port]]"),
                "acl = [ { action = \"deny\", direction = \"egress\", protocol = \"tcp\", ports = [\"49152\"] } ]\n");
    EXPECT_THAT(difference(world_of(kTwoPorts), world_of(toml)), testing::Not(IsEmpty()));
}

TEST(Reachability, SaysHowManyPairsItLeavesOut) {
    const auto cut =
        reach_difference(*world_of(kTwoPorts), *world_of(kTwoPorts, {"b"}), [](const auto&, auto) { return true; }, 1);
    EXPECT_EQ(cut.changes.size(), 1U);
    EXPECT_EQ(cut.left_out, 1U);
}

} // namespace
} // namespace weft::fabric
