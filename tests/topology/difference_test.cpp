#include "topology/difference.hpp"

#include "tests/topology/texts.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace weft::topology {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kBase = R"(
[[network]]
name = "red"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[port]]
name = "a"
network = "red"
[[port]]
name = "b"
network = "red"
[[security_group]]
name = "web"
[[lab.endpoint]]
name = "internet"
physnet = "p"
)";

TEST(Difference, OfATopologyAndItselfIsEmpty) {
    EXPECT_THAT(difference(sound(kBase), sound(kBase)), IsEmpty());
}

TEST(Difference, IgnoresCommentsOrderPlaceAndLabEndpoints) {
    EXPECT_THAT(difference(sound(kBase), sound(R"(
# reordered
port = [ { name = "b", network = "red" }, { network = "red", name = "a" } ]
[[security_group]]
name = "web"   # a comment
[[network]]
kind = "vxlan"
mtu = 1450     # the default, spelt out
gateway = "10.0.1.1"
subnet = "10.0.1.0/24"
name = "red"
)")),
                IsEmpty());
}

TEST(Difference, NamesWhatWasAddedChangedAndRemoved) {
    const auto after = sound(R"(
[[host]]
name = "kvm1"
[[network]]
name = "red"
kind = "vxlan"
subnet = "10.0.1.0/24"
mtu = 1400
[[port]]
name = "b"
network = "red"
[[port]]
name = "c"
network = "red"
)");
    EXPECT_THAT(difference(sound(kBase), after),
                ElementsAre(Change{Op::add, Kind::host, "kvm1"}, Change{Op::change, Kind::network, "red"},
                            Change{Op::remove, Kind::port, "a"}, Change{Op::add, Kind::port, "c"},
                            Change{Op::remove, Kind::security_group, "web"}));
}

Topology random_topology() {
    Topology t;
    for (const auto& [number, mtu] : *rc::gen::arbitrary<std::map<std::uint8_t, std::uint16_t>>()) {
        const auto name = "n" + std::to_string(number);
        t.networks.emplace(name, Network{.name = name, .mtu = mtu});
    }
    for (const auto& [number, native] : *rc::gen::arbitrary<std::map<std::uint8_t, bool>>()) {
        const auto name = "p" + std::to_string(number);
        t.ports.emplace(name, Port{.name = name, .native = native});
        const auto ip = Ip::v4(0xcb007100U + number);
        if (native) t.floating_ips.emplace(ip, FloatingIp{.address = ip, .port = name});
    }
    return t;
}

/// What a daemon does with a difference.
template <class Map, class Key>
void replay(const Change& change, const Key& key, Map& into, const Map& after) {
    if (change.op == Op::remove)
        into.erase(key);
    else
        into.insert_or_assign(key, after.at(key));
}

RC_GTEST_PROP(Difference, AppliedToTheOldGivesTheNew, ()) {
    const auto before = random_topology();
    const auto after = random_topology();
    auto patched = before;
    const auto changes = difference(before, after);
    for (const auto& change : changes) {
        if (change.kind == Kind::network) replay(change, change.name, patched.networks, after.networks);
        if (change.kind == Kind::port) replay(change, change.name, patched.ports, after.ports);
        if (change.kind == Kind::floating_ip)
            replay(change, *Ip::parse(change.name), patched.floating_ips, after.floating_ips);
    }
    RC_ASSERT(patched == after);
    RC_ASSERT(difference(after, after).empty());
    RC_ASSERT(std::ranges::is_sorted(changes, {}, &Change::kind));
    RC_ASSERT(difference(after, before).size() == changes.size());
}

} // namespace
} // namespace weft::topology
