// Security groups, zones and ACLs as flows. That the flows mean what they should is shown on real packets
// (tests/integration/security_test.py); here: where they are, how many, and what changes them.
#include "fabric/zones.hpp"
#include "tests/fabric/fixture.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <random>
#include <rapidcheck/gtest.h>
#include <set>

namespace weft::fabric {
namespace {

using pipeline::Stage;
using ::testing::ElementsAre;
using ::testing::Not;

std::vector<std::string> matches_of(const SwitchState& state, Stage stage) {
    std::vector<std::string> texts;
    for (const auto& flow : state.flows)
        if (flow.table == pipeline::table_of(stage)) texts.push_back(openflow::to_string(flow.match));
    std::ranges::sort(texts);
    return texts;
}

std::size_t count_of(const SwitchState& state, Stage stage) {
    return matches_of(state, stage).size();
}

/// `ports` ports p1… in group "all" on kvm1 and kvm2 in turn, `more` is the groups.
std::string grouped(int ports, const std::string& more) {
    std::string toml = R"(
[[host]]
name = "kvm1"
vtep = "192.0.2.11"
[[host]]
name = "kvm2"
vtep = "192.0.2.12"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.0.0/16"
[[network]]
name = "red"
kind = "vxlan"
subnet = "10.0.0.0/16"
)" + more;
    for (int i = 1; i <= ports; ++i)
        toml += fmt::format("[[port]]\nname = \"p{0}\"\nnetwork = \"blue\"\nip = \"10.0.{1}.{2}\"\n"
                            "security_groups = [\"all\"]\n",
                            i, i / 200, 1 + i % 200 * 1);
    return toml;
}

Fixture fixture_of(int ports, const std::string& more) {
    Fixture fixture(grouped(ports, more));
    for (int i = 1; i <= ports; ++i)
        fixture.bind(fmt::format("p{}", i), i % 2 == 1 ? "kvm1" : "kvm2", static_cast<std::uint32_t>(10 + i));
    return fixture;
}

const std::string kWeb = R"(
[[security_group]]
name = "all"
rules = [ { direction = "ingress", protocol = "tcp", ports = ["80", "8000-8007"], remote = "10.0.0.0/8" } ]
)";

TEST(Groups, RulesAreOnAHostOnceHoweverManyPortsAreInTheGroup) {
    const auto few = fixture_of(2, kWeb).world();
    const auto many = fixture_of(100, kWeb).world();
    const auto rules = matches_of(compile(*few, "kvm1"), Stage::ingress_rules);
    EXPECT_EQ(rules, matches_of(compile(*many, "kvm1"), Stage::ingress_rules));
    EXPECT_EQ(rules.size(), 2U); // 80, and 8000-8007 as one block
    EXPECT_EQ(count_of(compile(*few, "kvm1"), Stage::egress_rules), 0U);
}

TEST(Groups, AHostWithoutPortsOfAGroupHoldsNoneOfIt) {
    Fixture fixture(grouped(2, kWeb));
    fixture.bind("p1", "kvm1", 11);
    const auto world = fixture.world();
    EXPECT_GT(count_of(compile(*world, "kvm1"), Stage::ingress_rules), 0U);
    EXPECT_EQ(count_of(compile(*world, "kvm2"), Stage::ingress_rules), 0U);
    EXPECT_TRUE(world->hosts.at("kvm2")->zones.empty());
}

TEST(Groups, WithoutGroupsNothingIsTracked) {
    Fixture fixture(kThreeHosts);
    fixture.bind("a", "kvm1", 10);
    for (const auto& flow : compile(*fixture.world(), "kvm1").flows)
        for (const auto& action : flow.actions)
            EXPECT_FALSE(std::holds_alternative<openflow::Ct>(action.value)) << openflow::to_string(flow);
}

TEST(Groups, MembersOfARemoteGroupAreJoinedIntoPrefixes) {
    // p1 … p4: 10.0.0.2 … 10.0.0.5
    const auto world = fixture_of(4, R"(
[[security_group]]
name = "all"
rules = [ { direction = "ingress", protocol = "any", remote_group = "all" } ]
)")
                           .world();
    const auto& members = *world->memberships.begin()->second;
    EXPECT_THAT(members.addresses, ElementsAre(*Prefix::parse("10.0.0.2/31"), *Prefix::parse("10.0.0.4/31")));
    EXPECT_EQ(count_of(compile(*world, "kvm1"), Stage::ingress_rules), 2U);
}

TEST(Groups, ManyAddressesAndManyPortsAreAConjunction) {
    std::string ports;
    for (int i = 0; i < 10; ++i)
        ports += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", 1001 + 10 * i);
    std::string addresses;
    const auto world = fixture_of(99, fmt::format(R"(
[[security_group]]
name = "all"
rules = [
  {{ direction = "ingress", protocol = "tcp", ports = [{0}], remote_group = "all" }},
  {{ direction = "ingress", protocol = "udp", ports = [{0}], remote_group = "all" }},
]
)",
                                                  ports))
                           .world();
    const auto state = compile(*world, "kvm1");
    const auto addresses_of_group = world->memberships.begin()->second->addresses.size();
    EXPECT_EQ(count_of(state, Stage::ingress_rules), 2 * (addresses_of_group + 10 + 1));
    std::set<std::uint64_t> counting;
    for (const auto& flow : state.flows) {
        if (flow.table != pipeline::table_of(Stage::ingress_rules)) continue;
        const auto owner = *pipeline::owner_of(flow.cookie);
        if (flow.match.find(openflow::Field::conj_id) != nullptr) {
            EXPECT_EQ(owner.kind, Kind::security_rule);
            counting.insert(owner.object.value);
        } else {
            EXPECT_EQ(owner.kind, Kind::security_group);
        }
    }
    EXPECT_EQ(counting.size(), 2U);
}

TEST(Groups, OneMoreMemberChangesAHandfulOfFlows) {
    auto fixture = fixture_of(100, R"(
[[security_group]]
name = "all"
rules = [ { direction = "ingress", protocol = "tcp", ports = ["1-9", "22", "80", "443"], remote_group = "all" } ]
)");
    fixture.bindings.erase("p50");
    const auto before = fixture.world();
    fixture.bind("p50", "kvm2", 60);
    const auto after = build(fixture.inputs(), before, {.all = false, .networks = {"blue"}, .hosts = {}});
    const auto here = delta(*before, *after, "kvm1");
    const auto changed = here.flows.add.size() + here.flows.change.size() + here.flows.remove.size();
    EXPECT_GT(changed, 0U);
    EXPECT_LT(changed, 20U);
}

TEST(Groups, ThePolicyInForceIsOfWhatGroupsSayAndNothingElse) {
    const auto policy = [](const WorldPtr& world) { return world->hosts.at("kvm1")->zones.begin()->second->policy; };
    auto fixture = fixture_of(4, kWeb);
    const auto before = policy(fixture.world());
    EXPECT_NE(before, 0U);
    EXPECT_EQ(policy(fixture_of(4, kWeb).world()), before);
    EXPECT_NE(policy(fixture_of(4, R"(
[[security_group]]
name = "all"
rules = [ { direction = "ingress", protocol = "tcp", ports = ["80"], remote = "10.0.0.0/8" } ]
)")
                         .world()),
              before);
    fixture.bindings.erase("p2"); // elsewhere, and no rule names its group
    EXPECT_EQ(policy(fixture.world()), before);
    fixture.bindings.erase("p3");
    EXPECT_NE(policy(fixture.world()), before);
}

TEST(Groups, MembersCountInTheirOwnZoneOnly) {
    auto toml = grouped(1, R"(
[[security_group]]
name = "all"
rules = [ { direction = "ingress", protocol = "any", remote_group = "all" } ]
)") + "[[port]]\nname = \"r1\"\nnetwork = \"red\"\nip = \"10.0.9.9\"\nsecurity_groups = [\"all\"]\n";
    Fixture fixture(toml);
    fixture.bind("p1", "kvm1", 11);
    fixture.bind("r1", "kvm2", 11);
    const auto world = fixture.world();
    for (const auto& text : matches_of(compile(*world, "kvm1"), Stage::ingress_rules))
        EXPECT_THAT(text, Not(::testing::HasSubstr("10.0.9.9")));
    EXPECT_NE(world->networks.at("blue")->core.zone, world->networks.at("red")->core.zone);
}

TEST(Groups, ARuleThatIsWrittenTwiceIsOne) {
    const std::string rule = R"({ direction = "ingress", protocol = "tcp", ports = ["80"] })";
    const auto world =
        fixture_of(1, "[[security_group]]\nname = \"all\"\nrules = [ " + rule + ", " + rule + " ]\n").world();
    Installed::of(compile(*world, "kvm1"));
    EXPECT_EQ(count_of(compile(*world, "kvm1"), Stage::ingress_rules), 2U); // IPv4, IPv6
}

TEST(Acl, EntriesAreJudgedInOrderAndALaterFragmentPassesAnEntryWithPorts) {
    auto toml = grouped(0, "") + R"(
[[port]]
name = "a"
network = "office"
[[network]]
name = "office"
kind = "vxlan"
subnet = "10.3.0.0/24"
acl = [
  { action = "allow", direction = "ingress", protocol = "udp", ports = ["53"], family = "ipv4" },
  { action = "deny", direction = "ingress", protocol = "udp", family = "ipv4" },
]
)";
    Fixture fixture(toml);
    fixture.bind("a", "kvm1", 11);
    std::map<std::uint16_t, std::string> entries;
    for (const auto& flow : compile(*fixture.world(), "kvm1").flows) {
        const auto owner = *pipeline::owner_of(flow.cookie);
        if (owner.kind != Kind::acl_entry) continue;
        EXPECT_EQ(flow.table, pipeline::table_of(Stage::filter_in));
        EXPECT_EQ(owner.reason == pipeline::Reason::acl, flow.actions.empty());
        entries.emplace(flow.priority, flow.actions.empty() ? "deny" : "allow");
    }
    const std::map<std::uint16_t, std::string> expected{{60001, "allow"}, {60000, "allow"}, {59998, "deny"}};
    EXPECT_EQ(entries, expected);
}

/// Random groups on four ports of three hosts.
std::string random_policy(std::mt19937& random) {
    const auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
    std::string toml;
    for (const auto* name : {"g1", "g2"}) {
        toml += fmt::format("[[security_group]]\nname = \"{}\"\nrules = [\n", name);
        for (int i = static_cast<int>(random() % 4); i >= 0; --i)
            toml += fmt::format("  {{ direction = \"{}\", protocol = \"{}\"{} }},\n", chance(60) ? "ingress" : "egress",
                                chance(50) ? "tcp" : "any",
                                chance(50)   ? ", remote_group = \"g1\""
                                : chance(50) ? ", remote = \"10.0.0.0/8\""
                                             : "");
        toml += "]\n";
    }
    int number = 1;
    for (const auto* network : {"blue", "blue", "red", "blue"}) {
        toml +=
            fmt::format("[[port]]\nname = \"p{0}\"\nnetwork = \"{1}\"\nip = \"10.0.0.{2}\"\nsecurity_groups = [{3}]\n",
                        number, network, number + 9,
                        chance(30)   ? ""
                        : chance(50) ? "\"g1\""
                                     : "\"g1\", \"g2\"");
        ++number;
    }
    return toml;
}

RC_GTEST_PROP(Groups, IncrementalPlansEqualFullOnes, (unsigned seed)) {
    std::mt19937 random(seed);
    Fixture fixture(grouped(0, random_policy(random)));
    auto world = fixture.world();
    std::map<std::string, Installed> installed;
    for (const auto* host : {"kvm1", "kvm2"})
        installed[host] = Installed::of(compile(*world, host));
    for (int step = 0; step < 12; ++step) {
        Touched touched;
        if (random() % 3 == 0) {
            Fixture next(grouped(0, random_policy(random)));
            fixture.topology = next.topology;
            fixture.allocations = topology::allocate(*next.topology, fixture.allocations, {}).allocations;
            touched.all = true;
        } else {
            const auto port = fmt::format("p{}", 1 + random() % 4);
            for (const auto& network : networks_of(fixture.topology->ports.at(port)))
                touched.networks.insert(network);
            if (random() % 3 == 0)
                fixture.bindings.erase(port);
            else
                fixture.bind(port, random() % 2 == 0 ? "kvm1" : "kvm2",
                             static_cast<std::uint32_t>(10 + random() % 4 * 4 + (port[1] - '1')));
        }
        const auto next = build(fixture.inputs(), world, touched);
        for (const auto* host : {"kvm1", "kvm2"}) {
            installed[host].apply(delta(*world, *next, host));
            const auto full = Installed::of(compile(*fixture.world(), host));
            RC_ASSERT(installed[host].difference(full) == "");
        }
        world = next;
    }
}

RC_GTEST_PROP(Joined, CoversTheSameAddressesWithNoMorePrefixes, (const std::vector<std::uint8_t>& bytes)) {
    std::vector<Prefix> prefixes;
    for (const auto byte : bytes)
        prefixes.push_back({Ip::v4(0x0a000000 | (byte & 63U)), 32 - (byte >> 6)});
    const auto result = joined(prefixes);
    const auto covers = [](const std::vector<Prefix>& set, const Ip& ip) {
        return std::ranges::any_of(set, [&](const Prefix& prefix) { return prefix.contains(ip); });
    };
    for (std::uint32_t i = 0; i < 72; ++i) {
        const auto ip = Ip::v4(0x0a000000 | i);
        RC_ASSERT(covers(result, ip) == covers(prefixes, ip));
    }
    RC_ASSERT(result.size() <= prefixes.size());
    for (std::size_t i = 1; i < result.size(); ++i)
        RC_ASSERT(!result[i - 1].overlaps(result[i]));
}

} // namespace
} // namespace weft::fabric
