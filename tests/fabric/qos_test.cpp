// QoS: which flows, meters and rows a port's class makes, and that no other port has any of it.
#include "fabric/host_rows.hpp"
#include "pipeline/stages.hpp"
#include "tests/fabric/fixture.hpp"

#include <algorithm>

namespace weft::fabric {
namespace {

constexpr const char* kGold = R"(
[[qos]]
name = "gold"
egress = { rate = "200mbit" }
ingress = { rate = "100mbit", burst = "10mbit" }
dscp = 46
guarantee = "50mbit"
)";

/// kThreeHosts, where these ports are of class gold; a, t and o on kvm1.
Fixture gold(const std::vector<std::string>& ports) {
    std::string toml = std::string(kThreeHosts) + kGold;
    for (const auto& port : ports) {
        const auto at = "[[port]]\nname = \"" + port + "\"\n";
        toml.replace(toml.find(at), at.size(), at + "qos = \"gold\"\n");
    }
    Fixture fixture(toml);
    fixture.bind("a", "kvm1", 10);
    fixture.bind("t", "kvm1", 11);
    fixture.bind("o", "kvm1", 12);
    fixture.bind("r", "kvm3", 10);
    return fixture;
}

std::vector<openflow::Flow> differing(const SwitchState& state, const SwitchState& other) {
    std::vector<openflow::Flow> flows;
    for (const auto& flow : state.flows)
        if (std::ranges::find(other.flows, flow) == other.flows.end()) flows.push_back(flow);
    return flows;
}

bool is_ip(const openflow::Flow& flow) {
    const auto* type = flow.match.find(openflow::Field::eth_type);
    return type != nullptr && (type->value == openflow::eth_type::kIpv4 || type->value == openflow::eth_type::kIpv6);
}

/// The meters that a topology without QoS does not have.
std::vector<openflow::MeterEntry> rates(const SwitchState& state) {
    std::vector<openflow::MeterEntry> meters;
    for (const auto& meter : state.meters)
        if (!meter.packets) meters.push_back(meter);
    return meters;
}

TEST(Qos, ChangesTheFlowsThatLetThePortPassAndNoOther) {
    const auto plain = compile(*gold({}).world(), "kvm1");
    const auto state = compile(*gold({"a"}).world(), "kvm1");
    EXPECT_EQ(state.flows.size(), plain.flows.size()); // no flow and no table more
    const auto changed = differing(state, plain);
    ASSERT_FALSE(changed.empty());
    for (const auto& flow : changed) {
        EXPECT_EQ(flow.table, pipeline::table_of(pipeline::Stage::guard));
        openflow::Actions expected{openflow::Meter{0x3000a}};
        if (is_ip(flow)) expected.emplace_back(openflow::set_field(openflow::Field::ip_dscp, 46));
        expected.emplace_back(openflow::GotoTable{pipeline::table_of(pipeline::Stage::respond)});
        EXPECT_EQ(flow.actions, expected) << openflow::to_string(flow);
        EXPECT_TRUE(openflow::check(flow)) << openflow::to_string(flow);
    }
    EXPECT_EQ(rates(state),
              (std::vector<openflow::MeterEntry>{{.id = 0x3000a, .packets = false, .rate = 200'000, .burst = 80'000}}));
    EXPECT_TRUE(rates(plain).empty());
    for (const auto* host : {"kvm2", "kvm3"})
        EXPECT_EQ(compile(*gold({"a"}).world(), host), compile(*gold({}).world(), host));
}

TEST(Qos, TheUserspaceDatapathMetersUnicastBeforeHtb) {
    auto fixture = gold({"a"});
    const auto kernel = compile(*fixture.world(), "kvm1");
    fixture.facts["kvm1"].userspace = true;
    const auto state = compile(*fixture.world(), "kvm1");
    const auto more = differing(state, kernel);
    ASSERT_EQ(more.size(), 1U);
    EXPECT_EQ(more.front().table, pipeline::table_of(pipeline::Stage::output));
    EXPECT_EQ(more.front().actions, (openflow::Actions{openflow::Meter{0x4000a}, openflow::Output{10}}));
    EXPECT_EQ(rates(state).size(), 2U);
}

TEST(Qos, ATrunkHasOneMeter) {
    const auto state = compile(*gold({"t"}).world(), "kvm1");
    EXPECT_EQ(rates(state).size(), 1U);
    EXPECT_EQ(rates(state).front().id, 0x3000bU);
}

TEST(Qos, APortWithoutPortSecurityIsMarkedToo) {
    const auto state = compile(*gold({"r"}).world(), "kvm3");
    std::size_t marked = 0;
    std::size_t metered = 0;
    for (const auto& flow : state.flows) {
        if (flow.table != pipeline::table_of(pipeline::Stage::guard) || flow.actions.size() < 2) continue;
        ++metered;
        marked += flow.actions.size() == 3 ? 1 : 0;
        EXPECT_TRUE(openflow::check(flow)) << openflow::to_string(flow);
    }
    EXPECT_EQ(marked, 2U); // IPv4, IPv6
    EXPECT_EQ(metered, 3U);
}

TEST(Qos, AnotherRateIsAnotherMeterAndNothingElse) {
    const auto before = gold({"a", "o"});
    auto after = before;
    auto edited = *before.topology;
    edited.qos.at("gold").egress->bits_per_second = 300'000'000;
    after.topology = std::make_shared<const topology::Topology>(edited);
    const auto changes = delta(*before.world(), *after.world(), "kvm1");
    EXPECT_TRUE(changes.flows.empty());
    EXPECT_EQ(changes.meters.change.size(), 2U);
    EXPECT_TRUE(changes.meters.add.empty() && changes.meters.remove.empty());
}

TEST(Qos, WhatAPortHadGoesWithIt) {
    const auto before = gold({"a", "o"});
    auto after = before;
    after.bindings.erase("a");
    const auto changes = delta(*before.world(), *after.world(), "kvm1");
    EXPECT_EQ(std::ranges::count(changes.meters.remove, 0x3000aU), 1);
    EXPECT_EQ(std::ranges::count(changes.meters.remove, 0x3000cU), 0);
    EXPECT_EQ(after.world()->hosts.at("kvm1")->qos.shaped.size(), 1U);
}

ovsdb::DesiredRows rows_of(const Fixture& fixture, const std::string& host) {
    auto wanted = fixture.topology->hosts.at(host);
    wanted.datapath = topology::Datapath::system;
    return desired_rows(wanted, {.controllers = {}, .watched = {}, .qos = fixture.world()->hosts.at(host)->qos});
}

TEST(Qos, WhatGoesToAPortIsShapedByRows) {
    const auto rows = rows_of(gold({"a"}), "kvm1");
    const ovsdb::DesiredShaper expected{
        {{"max-rate", "100000000"}},
        {{0, {{"min-rate", "100000000"}, {"max-rate", "100000000"}, {"burst", "10000000"}}}}};
    EXPECT_EQ(rows.shapers, (std::map<std::string, ovsdb::DesiredShaper>{{"tap-a", expected}}));
    EXPECT_TRUE(rows_of(gold({"a"}), "kvm2").shapers.empty());
}

TEST(Qos, TheOuterHeaderIsMarkedWhereSomePortIs) {
    const auto tos = [](const ovsdb::DesiredRows& rows) { return rows.ports.at("weft-vxlan").options.contains("tos"); };
    EXPECT_TRUE(tos(rows_of(gold({"a"}), "kvm1")));
    EXPECT_TRUE(tos(rows_of(gold({"a"}), "kvm3"))); // a gateway passes on what others marked
    EXPECT_FALSE(tos(rows_of(gold({}), "kvm1")));
}

TEST(Qos, AGuaranteeIsAQueueOfTheUplinkWhereTheDatapathHasQueues) {
    auto fixture = gold({"a", "o"});
    EXPECT_FALSE(rows_of(fixture, "kvm1").shapers.contains("eth1"));
    fixture.facts["kvm1"].queues = true;
    const ovsdb::DesiredShaper expected{{},
                                        {{0, {}}, {10, {{"min-rate", "50000000"}}}, {12, {{"min-rate", "50000000"}}}}};
    EXPECT_EQ(rows_of(fixture, "kvm1").shapers.at("eth1"), expected);
    const auto state = compile(*fixture.world(), "kvm1");
    std::size_t queued = 0;
    for (const auto& flow : state.flows)
        if (flow.actions.size() > 1 && flow.actions[1] == openflow::Action(openflow::SetQueue{10})) {
            EXPECT_EQ(flow.actions[0], openflow::Action(openflow::Meter{0x3000a}));
            EXPECT_TRUE(openflow::check(flow));
            ++queued;
        }
    EXPECT_GT(queued, 5U);
}

} // namespace
} // namespace weft::fabric
