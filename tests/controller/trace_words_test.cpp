// What a trace says of a drop, over switches as the fabric compiles them.
#include "controller/trace_words.hpp"
#include "tests/fabric/fixture.hpp"

#include <gmock/gmock.h>

namespace weft::controller {
namespace {

struct CompiledSwitches : fabric::Switches {
    explicit CompiledSwitches(const fabric::World& world) {
        for (const auto& [name, _] : world.hosts) {
            auto& held = states[name];
            held = compile(world, name);
            indexed.emplace(name, openflow::Tables(held.flows, held.groups));
        }
    }
    const openflow::Tables* tables(const std::string& host) override { return &indexed.at(host); }
    bool live(const std::string&, std::uint32_t) override { return true; }

    std::map<std::string, fabric::SwitchState> states;
    std::map<std::string, openflow::Tables> indexed;
};

std::string said(const fabric::Fixture& fixture, const fabric::Question& question) {
    const auto world = fixture.world();
    CompiledSwitches switches(*world);
    const auto probe = fabric::probe(*world, question);
    EXPECT_TRUE(probe) << (probe ? "" : probe.error().text);
    fabric::Connections connections;
    const auto walk = fabric::walk(*world, switches, connections, probe->entrance, probe->packet);
    const auto outcome = fabric::outcome(walk, *probe);
    return outcome.end == nullptr ? "" : TraceWords(*world, *probe, walk).verdict(outcome).text;
}

struct TraceWordsTest : testing::Test {
    TraceWordsTest() : fixture(fabric::kRouted) {
        fixture.bind("a", "kvm1", 11);
        fixture.bind("b", "kvm2", 12);
    }
    fabric::Fixture fixture;
    const fabric::Question outside{.from = "a", .to = "192.0.9.9"};
};

TEST_F(TraceWordsTest, BlameTheGatewayThatNoHostCanBeActiveFor) {
    for (auto& [host, facts] : fixture.facts)
        fixture.learnt.dead_links[host] = {"physnet1"};
    EXPECT_THAT(said(fixture, outside), testing::HasSubstr("no host of gateway igw can be active"));
}

TEST_F(TraceWordsTest, BlameTheNextHopThatHasNotAnswered) {
    EXPECT_THAT(said(fixture, outside), testing::HasSubstr("the next hop has not answered"));
}

TEST_F(TraceWordsTest, BlameTheTargetThatNobodyHas) {
    EXPECT_THAT(said(fixture, {.from = "a", .to = "10.0.1.77"}), testing::HasSubstr("nobody"));
}

} // namespace
} // namespace weft::controller
