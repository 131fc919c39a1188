#include "nat/gateway.hpp"

#include "nat/active.hpp"
#include "nat/ports.hpp"
#include "topology/parse.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weft::nat {
namespace {

using testing::ElementsAre;

Ip ip(const char* text) {
    return *Ip::parse(text);
}

std::vector<std::string> texts(const std::vector<Prefix>& prefixes) {
    std::vector<std::string> result;
    for (const auto& prefix : prefixes)
        result.push_back(prefix.to_string());
    return result;
}

TEST(Blocks, CoverARangeWithTheFewestPrefixes) {
    EXPECT_THAT(texts(blocks({ip("203.0.113.2"), ip("203.0.113.2")})), ElementsAre("203.0.113.2/32"));
    EXPECT_THAT(texts(blocks({ip("203.0.113.0"), ip("203.0.113.255")})), ElementsAre("203.0.113.0/24"));
    EXPECT_THAT(texts(blocks({ip("203.0.113.7"), ip("203.0.113.10")})),
                ElementsAre("203.0.113.7/32", "203.0.113.8/31", "203.0.113.10/32"));
    EXPECT_THAT(texts(blocks({ip("0.0.0.0"), ip("255.255.255.255")})), ElementsAre("0.0.0.0/0"));
}

RC_GTEST_PROP(PortBlocks, HoldEveryPortOfTheRangeOnceAndNoOther, ()) {
    const auto first = *rc::gen::inRange<std::uint32_t>(1, 65536);
    const auto last = *rc::gen::inRange<std::uint32_t>(first, 65536);
    const auto cover = port_blocks({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)});
    RC_ASSERT(cover.size() <= 30U);
    for (int i = 0; i < 200; ++i) {
        const auto port = *rc::gen::inRange<std::uint32_t>(0, 65536);
        const auto hits = std::ranges::count_if(cover, [&](const auto& b) { return (port & b.mask) == b.value; });
        RC_ASSERT(hits == (first <= port && port <= last ? 1 : 0));
    }
}

Gateway gateway_of(const std::string& toml) {
    const auto parsed = topology::parse({{"test.toml", toml}});
    const auto allocated = topology::allocate(parsed.topology, {}, {});
    return make_gateway({parsed.topology, allocated.allocations}, parsed.topology.gateways.at("igw"));
}

constexpr const char* kTwoRouters = R"(
[[host]]
name = "kvm1"
vtep = "192.0.2.11"
uplinks = { p = "eth1" }
[[host]]
name = "kvm2"
vtep = "192.0.2.12"
uplinks = { p = "eth1" }
[[network]]
name = "public"
kind = "flat"
physnet = "p"
subnet = "203.0.113.0/24"
[[network]]
name = "a"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[network]]
name = "b"
kind = "vxlan"
subnet = "10.0.2.0/24"
[[router]]
name = "ra"
networks = ["a"]
gateway = "igw"
[[router]]
name = "rb"
networks = ["b"]
gateway = "igw"
routes = [ { prefix = "192.168.50.0/24", via = "10.0.2.5" }, { prefix = "0.0.0.0/0", via = "10.0.2.6" } ]
[[gateway]]
name = "igw"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
hosts = ["kvm1", "kvm2"]
snat = ["203.0.113.8-203.0.113.9", "203.0.113.2", "203.0.113.10"]
)";

TEST(MakeGateway, GivesEachRouterItsOwnPortsOfEveryAddress) {
    const auto gateway = gateway_of(kTwoRouters);
    ASSERT_EQ(gateway.routers.size(), 2U);
    EXPECT_EQ(gateway.routers[0].port_first, 1024);
    EXPECT_EQ(gateway.routers[0].port_last + 1, gateway.routers[1].port_first);
    EXPECT_EQ(gateway.routers[1].port_last, 65535);
}

TEST(MakeGateway, JoinsAdjacentAddressesAndServesNoDefaultRoute) {
    const auto gateway = gateway_of(kTwoRouters);
    ASSERT_EQ(gateway.snat.size(), 2U);
    EXPECT_EQ(gateway.snat[1].to_string(), "203.0.113.8-203.0.113.10");
    EXPECT_THAT(texts(gateway.routers[1].behind), ElementsAre("10.0.2.0/24", "192.168.50.0/24"));
}

/// kvm1 before kvm2; kvm3 watches both.
struct Fabric {
    Gateway gateway = gateway_of(kTwoRouters);
    Health health;
    Fabric() {
        gateway.candidates = {{"kvm1", ip("192.0.2.11")}, {"kvm2", ip("192.0.2.12")}};
        health.synced = {"kvm1", "kvm2", "kvm3"};
        see("kvm2", true, true);
        see("kvm3", true, true);
    }
    void see(const std::string& watcher, bool first, bool second) {
        health.reachable[watcher] = {{ip("192.0.2.11"), first}, {ip("192.0.2.12"), second}};
    }
    bool out(bool was) const { return out_of_service("kvm1", ip("192.0.2.11"), was, health); }
};

TEST(OutOfService, AHostThatWasLostWithItsFlowsStaysOutUntilItIsSynced) {
    Fabric fabric;
    EXPECT_FALSE(fabric.out(false));
    fabric.see("kvm2", false, true);
    fabric.see("kvm3", false, true);
    EXPECT_FALSE(fabric.out(false)) << "it may have its flows: the switches know better";
    fabric.health.synced.erase("kvm1");
    EXPECT_TRUE(fabric.out(false));
    fabric.see("kvm3", true, true);
    EXPECT_TRUE(fabric.out(true)) << "alive, but nobody knows of its flows";
    EXPECT_FALSE(fabric.out(false)) << "the daemon lost it, the others did not";
    fabric.health.synced.insert("kvm1");
    EXPECT_FALSE(fabric.out(true));
}

TEST(OutOfService, WhatAWatcherSaysWhoseOwnSwitchIsAwayCountsForNothing) {
    Fabric fabric;
    fabric.health.synced = {"kvm3"};
    fabric.see("kvm2", true, true); // as it was when its switch died
    fabric.see("kvm3", false, true);
    EXPECT_TRUE(fabric.out(false));
}

TEST(ActiveHost, IsTheFirstThatLivesAndHasAWayOut) {
    Fabric fabric;
    const auto state = [&](std::size_t rank) {
        return std::string(state_of(fabric.gateway.candidates[rank], fabric.gateway, fabric.health));
    };
    EXPECT_EQ(active_host(fabric.gateway, fabric.health), "kvm1");
    EXPECT_EQ(state(0) + " " + state(1), "active standby");
    fabric.see("kvm2", false, true);
    EXPECT_EQ(active_host(fabric.gateway, fabric.health), "kvm1") << "one watcher is not all";
    fabric.see("kvm3", false, true);
    EXPECT_EQ(active_host(fabric.gateway, fabric.health), "kvm2");
    EXPECT_EQ(state(0) + " " + state(1), "down active");
    auto& second = fabric.gateway.candidates[1];
    second.has_uplink = second.ready = second.in_service = false;
    EXPECT_EQ(active_host(fabric.gateway, fabric.health), "");
    EXPECT_EQ(state(1), "no uplink");
    fabric.see("kvm3", true, true);
    fabric.gateway.candidates[0].in_service = false;
    EXPECT_EQ(state(0), "returning");
}

} // namespace
} // namespace weft::nat
