#include "tests/fabric/fixture.hpp"

#include "openflow/message.hpp"
#include "pipeline/stages.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <set>
#include <sstream>

namespace weft::fabric {
namespace {

Fixture plugged() {
    Fixture fixture(kThreeHosts);
    fixture.bind("a", "kvm1", 10);
    fixture.bind("b", "kvm2", 10);
    fixture.bind("c", "kvm2", 11);
    fixture.bind("t", "kvm1", 11);
    fixture.bind("o", "kvm2", 12);
    fixture.bind("r", "kvm3", 10);
    return fixture;
}

/// kRouted, all plugged in, the next hop known.
Fixture routed() {
    Fixture fixture(kRouted);
    fixture.bind("a", "kvm1", 10);
    fixture.bind("b", "kvm3", 10);
    fixture.bind("c", "kvm2", 11);
    fixture.bind("f", "kvm2", 12);
    fixture.bind("p", "kvm1", 11);
    fixture.learnt.neighbours[{"public", *Ip::parse("203.0.113.1")}] = *Mac::parse("52:54:00:00:01:01");
    fixture.learnt.neighbours[{"office", *Ip::parse("198.51.100.99")}] = *Mac::parse("52:54:00:00:01:02");
    return fixture;
}

std::string text_of(const SwitchState& state) {
    std::vector<std::string> lines;
    for (const auto& flow : state.flows)
        lines.push_back(fmt::format("{:02} {}", flow.table, openflow::to_string(flow)));
    for (const auto& group : state.groups)
        lines.push_back("group " + openflow::to_string(group));
    for (const auto& meter : state.meters)
        lines.push_back("meter " + openflow::to_string(meter));
    std::ranges::sort(lines);
    std::string text;
    for (const auto& line : lines)
        text += line + "\n";
    return text;
}

/// Compares with tests/fabric/golden/NAME; WEFT_UPDATE_GOLDEN=1 writes it anew, for a diff that a person reads.
void expect_golden(const std::string& name, const std::string& text) {
    const std::string path = std::string(WEFT_SOURCE_DIR) + "/tests/fabric/golden/" + name;
    if (std::getenv("WEFT_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
    std::ostringstream golden;
    golden << std::ifstream(path).rdbuf();
    EXPECT_EQ(golden.str(), text) << "differs from " << path << "; WEFT_UPDATE_GOLDEN=1 rewrites it";
}

TEST(Compile, FlowsOfAHostAreAsRecorded) {
    const auto world = plugged().world();
    for (const auto* host : {"kvm1", "kvm2", "kvm3"})
        expect_golden(std::string(host) + ".flows", text_of(compile(*world, host)));
}

TEST(Compile, FlowsOfARoutedFabricAreAsRecorded) {
    const auto world = routed().world();
    for (const auto* host : {"kvm1", "kvm2", "kvm3"})
        expect_golden(std::string(host) + ".routed.flows", text_of(compile(*world, host)));
}

TEST(Compile, IsDeterministic) {
    EXPECT_EQ(compile(*plugged().world(), "kvm1"), compile(*plugged().world(), "kvm1"));
}

void expect_well_formed(const World& world) {
    for (const auto& [host, _] : world.hosts) {
        const auto state = compile(world, host);
        Installed::of(state);
        for (const auto& group : state.groups) {
            const auto checked = openflow::check(group);
            EXPECT_TRUE(checked) << openflow::to_string(group) << ": " << checked.error().text;
        }
        for (const auto& flow : state.flows) {
            const auto checked = openflow::check(flow);
            EXPECT_TRUE(checked) << openflow::to_string(flow) << ": " << checked.error().text;
            EXPECT_TRUE(pipeline::owner_of(flow.cookie)) << openflow::to_string(flow);
        }
    }
}

TEST(Compile, EveryFlowIsWellFormedAndOwned) {
    expect_well_formed(*plugged().world());
    expect_well_formed(*routed().world());
}

TEST(Compile, EveryStageEndsInADropThatSaysWhyUnlessItPassesAll) {
    const auto state = compile(*plugged().world(), "kvm1");
    for (const auto& stage : pipeline::kStages) {
        if (stage.stage > pipeline::Stage::output) continue; // rule tables are called and return
        const auto last = std::ranges::find_if(state.flows, [&](const auto& flow) {
            return flow.table == pipeline::table_of(stage.stage) && flow.priority == 0 && flow.match.fields().empty();
        });
        ASSERT_NE(last, state.flows.end()) << stage.name << " has no last flow";
        const bool drop = last->actions.empty();
        using enum pipeline::Stage;
        constexpr std::array kPass{respond, filter_out, nat_in,         track, egress_groups,
                                   route,   filter_in,  ingress_groups, commit};
        const bool passes = std::ranges::find(kPass, stage.stage) != kPass.end();
        EXPECT_EQ(drop, !passes) << stage.name;
    }
    for (const auto& flow : state.flows) {
        const auto owner = pipeline::owner_of(flow.cookie);
        // A flood with nobody to flood to drops too, and is no offence.
        const bool flood =
            flow.table == pipeline::table_of(pipeline::Stage::switching) && flow.match.find(openflow::Field::eth_dst);
        if (!flood) {
            EXPECT_EQ(flow.actions.empty(), owner->reason != pipeline::Reason::none) << openflow::to_string(flow);
        }
    }
}

TEST(Compile, AHostKnowsOnlyOfNetworksThatArePresentOnIt) {
    const auto state = compile(*plugged().world(), "kvm3");
    for (const auto& flow : state.flows)
        if (const auto* network = flow.match.find(openflow::Field::metadata)) {
            EXPECT_EQ(static_cast<std::uint64_t>(network->value), object_id(Kind::network, "cell").value);
        }
}

// The tag of a network is popped: an inner one would go on, to a trunk port as a tag of its own.
TEST(Compile, ASecondTagIsDroppedWhereverItComesFrom) {
    const auto state = compile(*plugged().world(), "kvm1");
    for (const std::uint32_t ofport : {2, 10, 11}) // the uplink, an access port, a trunk
        for (const auto inner : {openflow::eth_type::kVlan, openflow::eth_type::kSvlan}) {
            const auto match =
                openflow::Match().in_port(ofport).set(openflow::Field::vlan_tci, 0x1000, 0x1000).eth_type(inner);
            const auto drop = std::ranges::find_if(state.flows, [&](const auto& flow) {
                return flow.table == pipeline::table_of(pipeline::Stage::classify) && flow.match == match;
            });
            ASSERT_NE(drop, state.flows.end()) << openflow::to_string(match);
            EXPECT_EQ(pipeline::owner_of(drop->cookie)->reason, pipeline::Reason::double_tag);
            for (const auto& flow : state.flows)
                if (flow.table == drop->table && flow.match.find(openflow::Field::in_port) != nullptr &&
                    flow.match.find(openflow::Field::in_port)->value == ofport && flow.actions != drop->actions) {
                    EXPECT_LT(flow.priority, drop->priority);
                }
        }
}

TEST(Compile, APortWithoutANativeNetworkTakesTaggedFramesOnly) {
    std::string toml = kThreeHosts;
    toml.replace(toml.find("name = \"t\"\n"), 11, "name = \"t\"\nnative = false\n");
    Fixture fixture(toml);
    fixture.bind("t", "kvm1", 11);
    const auto state = compile(*fixture.world(), "kvm1");
    std::map<std::string, pipeline::Reason> from_port; // by match; those that go on have no reason
    for (const auto& flow : state.flows)
        if (const auto* port = flow.match.find(openflow::Field::in_port); port != nullptr && port->value == 11)
            from_port[openflow::to_string(flow.match)] = pipeline::owner_of(flow.cookie)->reason;
    using enum pipeline::Reason;
    const std::map<std::string, pipeline::Reason> expected{
        {"in_port=11,dl_vlan=7", none},
        {"in_port=11,dl_vlan=8", none},
        {"in_port=11,vlan_tci=0x1000/0x1000,dl_type=0x8100", double_tag},
        {"in_port=11,vlan_tci=0x1000/0x1000,dl_type=0x88a8", double_tag},
        {"in_port=11", unexpected_vlan}};
    EXPECT_EQ(from_port, expected);
}

TEST(Compile, AnUnknownHostHoldsNothing) {
    EXPECT_EQ(compile(*plugged().world(), "kvm9"), SwitchState{});
}

TEST(Compile, WhoeverSendsToAGatewayThatNobodyServesIsTold) {
    auto fixture = routed();
    fixture.facts["kvm3"].watched.clear();
    const auto state = compile(*fixture.world(), "kvm3");
    const auto gateway = object_id(Kind::gateway, "igw").value;
    std::size_t told = 0;
    for (const auto& flow : state.flows) {
        const auto* network = flow.match.find(openflow::Field::metadata);
        if (flow.table != pipeline::table_of(pipeline::Stage::commit) || network == nullptr ||
            network->value != gateway)
            continue;
        EXPECT_EQ(pipeline::owner_of(flow.cookie)->reason, pipeline::Reason::no_neighbour);
        EXPECT_EQ(flow.actions, openflow::Actions{pipeline::punt(pipeline::Punt::no_neighbour)});
        ++told;
    }
    EXPECT_EQ(told, 1U);
}

// As many as validation allows.
TEST(Compile, TheGroupOfManySnatRangesFitsAMessage) {
    std::string ranges;
    for (int i = 0; i < 256; ++i)
        ranges += fmt::format("\"198.18.{}.{}-198.18.{}.{}\", ", i / 60, 4 * (i % 60), i / 60, 4 * (i % 60) + 1);
    std::string toml = kRouted;
    const std::string_view few = "\"203.0.113.2\", \"203.0.113.8-203.0.113.11\"";
    toml.replace(toml.find(few), few.size(), ranges);
    Fixture fixture(toml);
    const auto state = compile(*fixture.world(), "kvm1");
    std::size_t buckets = 0;
    for (const auto& group : state.groups) {
        openflow::Bytes message;
        openflow::encode_group_mod(message, {.version = {}, .xid = 1, .bundle = 1}, openflow::Command::add, group);
        EXPECT_LE(message.size(), 0xffffU);
        buckets = std::max(buckets, group.buckets.size());
    }
    EXPECT_EQ(buckets, 256U);
}

TEST(Compile, AFloodOfManyPortsIsSplitSoThatEveryGroupFitsAMessage) {
    std::string toml = kThreeHosts;
    const std::string small = "10.9.0.0/24";
    toml.replace(toml.find(small), small.size(), "10.9.0.0/16");
    for (int i = 0; i < 900; ++i)
        toml += fmt::format("[[port]]\nname = \"p{}\"\nnetwork = \"cell\"\n", i);
    Fixture fixture(toml);
    for (std::uint32_t i = 0; i < 900; ++i)
        fixture.bind(fmt::format("p{}", i), "kvm1", 100 + i);
    const auto state = compile(*fixture.world(), "kvm1");
    std::size_t buckets = 0;
    std::size_t floods = 0;
    for (const auto& group : state.groups) {
        if (group.type != openflow::GroupType::all) continue;
        ++floods;
        EXPECT_LE(group.buckets.size(), 400U);
        buckets += group.buckets.size();
    }
    EXPECT_EQ(buckets, 900U);
    EXPECT_EQ(floods, 3U);
}

} // namespace
} // namespace weft::fabric
