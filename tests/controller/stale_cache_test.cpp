// That a cached flow of the userspace datapath outlives a change without this is shown on real packets
// (tests/integration/security_test.py). Here: what the switch is made to hold.
#include "controller/stale_cache.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace weft::controller {
namespace {

/// A switch that holds what it is sent.
struct Switch {
    std::vector<openflow::FlowStats> flows;

    void commit(const openflow::Change& change) {
        for (const auto& flow : change.flows.add) {
            EXPECT_FALSE(holds(flow));
            flows.push_back({flow});
        }
        for (const auto& flow : change.flows.remove) {
            EXPECT_TRUE(holds(flow));
            std::erase_if(flows, [&](const auto& stats) { return stats.flow == flow; });
        }
    }
    bool holds(const openflow::Flow& flow) const {
        return std::ranges::any_of(flows, [&](const auto& stats) { return stats.flow == flow; });
    }
};

void change(Switch& at, StaleCache& cache) {
    openflow::Change change;
    cache.add_to(change);
    EXPECT_FALSE(change.flows.add.empty());
    EXPECT_EQ(cache.size_of_move(), change.flows.size());
    at.commit(change);
    cache.moved();
}

TEST(StaleCache, EachChangeLooksAtABitThatTheOneBeforeDidNot) {
    Switch at;
    StaleCache cache;
    EXPECT_FALSE(cache.whole());
    change(at, cache);
    for (int i = 0; i < 4; ++i) {
        const auto before = at.flows;
        change(at, cache);
        EXPECT_TRUE(cache.whole());
        EXPECT_EQ(at.flows.size(), before.size());
        for (const auto& stats : before)
            EXPECT_FALSE(at.holds(stats.flow));
    }
}

TEST(StaleCache, ADaemonThatComesBackFindsThemAndSendsNothing) {
    Switch at;
    StaleCache first;
    change(at, first);
    const openflow::Flow other{.table = 3, .priority = 1, .cookie = 7};
    at.flows.push_back({other});
    StaleCache second;
    auto dump = at.flows;
    second.take_from(dump);
    EXPECT_TRUE(second.whole());
    ASSERT_EQ(dump.size(), 1U);
    EXPECT_EQ(dump.front().flow, other);
}

TEST(StaleCache, WhatSomebodyTookAwayIsPutBack) {
    Switch at;
    StaleCache cache;
    change(at, cache);
    change(at, cache);
    at.flows.erase(at.flows.begin() + 1);
    auto dump = at.flows;
    cache.take_from(dump);
    EXPECT_FALSE(cache.whole());
    change(at, cache);
    EXPECT_TRUE(cache.whole());
    dump = at.flows;
    StaleCache fresh;
    fresh.take_from(dump);
    EXPECT_TRUE(fresh.whole());
    EXPECT_TRUE(dump.empty());
}

} // namespace
} // namespace weft::controller
