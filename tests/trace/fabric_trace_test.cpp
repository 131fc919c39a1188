// What proves evaluate() exact: random packets at every host of random fabrics, asked of it and of Open vSwitch's own
// `ofproto/trace`. Always the same ones, unless WEFT_TRACE_SEED names another fabric to begin with; WEFT_TRACE_FABRICS
// says how many.
#include "tests/trace/random_packet.hpp"

#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weft::fabric {
namespace {

constexpr int kPacketsAHost = 300;

std::uint64_t number(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Some of the ports that groups watch have no link.
std::set<std::uint32_t> some_dead(Dice& dice, const HostFacts& facts) {
    std::set<std::uint32_t> dead;
    for (const auto& [_, ofport] : facts.uplinks)
        if (dice.chance(15)) dead.insert(ofport);
    for (const auto& [_, ofport] : facts.watched)
        if (dice.chance(25)) dead.insert(ofport);
    return dead;
}

/// So that a run tells whether its packets were worth asking about.
struct Seen {
    std::size_t packets = 0, recirculations = 0, sent = 0;
    std::map<std::uint8_t, std::size_t> met, flows; ///< by table
    std::size_t conjunctions = 0;                   ///< met
};

std::size_t sum(const std::map<std::uint8_t, std::size_t>& counts) {
    std::size_t all = 0;
    for (const auto& [_, count] : counts)
        all += count;
    return all;
}

void compare_fabric(openflow::TracedSwitch& ovs, std::uint64_t seed, Seen& seen) {
    SCOPED_TRACE(fmt::format("WEFT_TRACE_SEED={}", seed));
    Dice dice(seed);
    const auto fixture = random_fabric(dice);
    const auto world = fixture.world();
    for (const auto& host : fixture.topology->host_order) {
        SCOPED_TRACE(host);
        const auto state = compile(*world, host);
        ovs.install({state.flows, state.groups, state.meters});
        openflow::Agreement agreement(ovs);
        RandomPackets packets(dice, *world, host, state);
        for (int i = 0; i < kPacketsAHost; ++i) {
            if (i % 50 == 0) ovs.set_dead(some_dead(dice, fixture.facts.at(host)));
            const auto question = packets.next();
            const auto difference = agreement.difference(question);
            ASSERT_TRUE(difference.empty()) << "packet " << i << ": " << difference;
            ++seen.packets;
            seen.recirculations += agreement.trace().passes.size() - 1;
            for (const auto& pass : agreement.trace().passes)
                seen.sent += pass.outputs.size();
        }
        for (const auto* flow : agreement.met()) {
            ++seen.met[flow->table];
            if (flow->match.find(openflow::Field::conj_id) != nullptr) ++seen.conjunctions;
        }
        for (const auto& pair : agreement.ambiguous())
            ADD_FAILURE() << "a switch may take either of\n" << pair;
        for (const auto& flow : state.flows)
            ++seen.flows[flow.table];
    }
}

TEST(FabricTrace, EvaluateSaysOfEveryPacketWhatOpenVSwitchSays) {
    openflow::TracedSwitch ovs;
    Seen seen;
    const auto seed = number("WEFT_TRACE_SEED", 1);
    const auto fabrics = number("WEFT_TRACE_FABRICS", std::getenv("WEFT_TRACE_SEED") != nullptr ? 1 : 8);
    for (std::uint64_t i = 0; i < fabrics && !HasFatalFailure(); ++i)
        compare_fabric(ovs, seed + i, seen);
    fmt::print("seed {}: {} packets, {} recirculations, {} sent or punted, {} conjunctions\n", seed, seen.packets,
               seen.recirculations, seen.sent, seen.conjunctions);
    for (const auto& [table, count] : seen.flows)
        fmt::print("table {}: met {} of {} flows\n", table, seen.met[table], count);
    EXPECT_GT(sum(seen.met) * 8, sum(seen.flows));
    EXPECT_EQ(seen.met.size(), seen.flows.size()) << "a table that no packet came to";
    EXPECT_GT(seen.conjunctions, 0U);
    EXPECT_GT(seen.recirculations * 8, seen.packets);
}

} // namespace
} // namespace weft::fabric
