// Worlds from TOML, for the fabric's tests.
#pragma once
#include "fabric/compile.hpp"
#include "openflow/codec.hpp"
#include "topology/parse.hpp"

#include <gtest/gtest.h>
#include <map>
#include <string>

namespace weft::fabric {

struct Fixture {
    std::shared_ptr<const topology::Topology> topology;
    topology::Allocations allocations;
    Bindings bindings;
    std::map<std::string, HostFacts> facts;
    Learnt learnt;

    explicit Fixture(const std::string& toml) {
        auto parsed = topology::parse({{"test.toml", toml}});
        for (const auto& problem : parsed.problems) {
            EXPECT_NE(problem.severity, topology::Severity::error) << topology::render(problem, {{"test.toml", toml}});
        }
        topology = std::make_shared<const topology::Topology>(std::move(parsed.topology));
        allocations = topology::allocate(*topology, {}, {}).allocations;
        for (const auto& [name, host] : topology->hosts) {
            HostFacts fact{.vtep = host.vtep, .vxlan_ofport = 1, .uplinks = {}, .nd_ext = true};
            std::uint32_t ofport = 2;
            for (const auto& [physnet, _] : host.uplinks)
                fact.uplinks.emplace(physnet, ofport++);
            for (const auto& [other, peer] : topology->hosts)
                if (other != name && peer.vtep) fact.watched.emplace(*peer.vtep, ofport++);
            facts.emplace(name, std::move(fact));
        }
    }

    void bind(const std::string& port, const std::string& host, std::uint32_t ofport) {
        bindings[port] = {{host, "tap-" + port, ofport}, std::nullopt};
    }
    Inputs inputs() const { return {topology, allocations, bindings, facts, learnt}; }
    WorldPtr world() const { return build(inputs(), nullptr, {.all = true, .networks = {}, .hosts = {}}); }
};

/// A switch's state keyed as a switch keys it; a repeated key fails the test.
struct Installed {
    std::map<std::string, openflow::Flow> flows;
    std::map<std::uint32_t, openflow::GroupEntry> groups;
    std::map<std::uint32_t, openflow::MeterEntry> meters;
    bool operator==(const Installed&) const = default;

    /// The first key that the two do not hold alike.
    std::string difference(const Installed& other) const {
        for (const auto* both : {this, &other})
            for (const auto& [key, flow] : both->flows) {
                const auto& one = both == this ? other : *this;
                const auto found = one.flows.find(key);
                if (found == one.flows.end()) return key + (both == this ? " (too much)" : " (lacks)");
                if (found->second != flow) return key + ": " + openflow::to_string(flow);
            }
        return groups != other.groups ? "groups" : meters != other.meters ? "meters" : "";
    }

    static std::string key(const openflow::Flow& flow) {
        return std::to_string(flow.table) + "/" + std::to_string(flow.priority) + "/" + openflow::to_string(flow.match);
    }
    static Installed of(const SwitchState& state) {
        Installed installed;
        for (const auto& flow : state.flows)
            EXPECT_TRUE(installed.flows.emplace(key(flow), flow).second) << key(flow);
        for (const auto& group : state.groups)
            EXPECT_TRUE(installed.groups.emplace(group.id, group).second) << group.id;
        for (const auto& meter : state.meters)
            EXPECT_TRUE(installed.meters.emplace(meter.id, meter).second) << meter.id;
        return installed;
    }
    void apply(const SwitchDelta& delta) {
        for (const auto& flow : delta.flows.add)
            EXPECT_TRUE(flows.emplace(key(flow), flow).second) << key(flow);
        for (const auto& flow : delta.flows.change)
            flows.at(key(flow)) = flow;
        for (const auto& flow : delta.flows.remove)
            EXPECT_EQ(flows.erase(key(flow)), 1U) << key(flow);
        for (const auto& group : delta.groups.add)
            EXPECT_TRUE(groups.emplace(group.id, group).second);
        for (const auto& group : delta.groups.change)
            groups.at(group.id) = group;
        for (const auto id : delta.groups.remove)
            EXPECT_EQ(groups.erase(id), 1U);
        for (const auto& meter : delta.meters.add)
            EXPECT_TRUE(meters.emplace(meter.id, meter).second);
        for (const auto& meter : delta.meters.change)
            meters.at(meter.id) = meter;
        for (const auto id : delta.meters.remove)
            EXPECT_EQ(meters.erase(id), 1U);
    }
};

inline constexpr const char* kThreeHosts = R"(
[[host]]
name = "kvm1"
vtep = "192.0.2.11"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm2"
vtep = "192.0.2.12"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm3"
vtep = "192.0.2.13"

[[network]]
name = "blue"
kind = "vxlan"
vni = 5001
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "red"
kind = "vxlan"
vni = 5002
subnet = "10.0.1.0/24"
[[network]]
name = "office"
kind = "vlan"
vlan = 100
physnet = "physnet1"
subnet = "198.51.100.0/24"
[[network]]
name = "wire"
kind = "flat"
physnet = "physnet1"
[[network]]
name = "cell"
kind = "local"
subnet = "10.9.0.0/24"

[[port]]
name = "a"
network = "blue"
mac = "52:54:00:00:00:0a"
ip = "10.0.1.10"
ip6 = "fd00:1::a"
[[port]]
name = "b"
network = "blue"
mac = "52:54:00:00:00:0b"
ip = "10.0.1.11"
allowed_addresses = ["10.0.1.250"]
[[port]]
name = "c"
network = "red"
mac = "52:54:00:00:00:0c"
ip = "10.0.1.10"
[[port]]
name = "t"
network = "wire"
mac = "52:54:00:00:00:0d"
trunk = [ { network = "office", vlan = 7, ip = "198.51.100.7" }, { network = "blue", vlan = 8, ip = "10.0.1.77" } ]
[[port]]
name = "o"
network = "office"
mac = "52:54:00:00:00:0e"
ip = "198.51.100.8"
[[port]]
name = "r"
network = "cell"
mac = "52:54:00:00:00:0f"
ip = "10.9.0.2"
port_security = false
)";

/// kThreeHosts with two routers that share a public network: one gateway with SNAT, a floating IP at the gateway, one
/// at its port's host and forwards; one that translates nothing.
inline const std::string kRouted = std::string(kThreeHosts) + R"(
[[network]]
name = "public"
kind = "vlan"
vlan = 40
physnet = "physnet1"
subnet = "203.0.113.0/24"
subnet6 = "2001:db8:1::/64"
[[network]]
name = "far"
kind = "vxlan"
vni = 5003
mtu = 1400
subnet = "10.0.3.0/24"
subnet6 = "fd00:3::/64"
[[router]]
name = "main"
networks = ["blue", "far", "office"]
gateway = "igw"
routes = [ { prefix = "192.168.50.0/24", via = "10.0.3.11" } ]
[[router]]
name = "plain"
networks = ["red"]
gateway = "bare"
[[gateway]]
name = "igw"
network = "public"
address = "203.0.113.2"
address6 = "2001:db8:1::2"
nexthop = "203.0.113.1"
nexthop6 = "2001:db8:1::1"
hosts = ["kvm1", "kvm2"]
snat = ["203.0.113.2", "203.0.113.8-203.0.113.11"]
[[gateway]]
name = "bare"
network = "public"
address = "203.0.113.3"
nexthop = "203.0.113.1"
hosts = ["kvm2"]
snat = []
[[floating_ip]]
address = "203.0.113.20"
port = "a"
gateway = "igw"
[[floating_ip]]
address = "203.0.113.21"
port = "f"
gateway = "igw"
distributed = true
[[port_forward]]
gateway = "igw"
address = "203.0.113.2"
protocol = "tcp"
ports = "8000-8002"
to = "b:80-82"
[[port_forward]]
gateway = "bare"
address = "203.0.113.3"
protocol = "udp"
ports = "53"
to = "c:53"
[[port]]
name = "f"
network = "far"
mac = "52:54:00:00:00:10"
ip = "10.0.3.11"
ip6 = "fd00:3::11"
[[port]]
name = "p"
network = "public"
mac = "52:54:00:00:00:11"
ip = "203.0.113.50"
)";

} // namespace weft::fabric
