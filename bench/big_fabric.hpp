// A fabric of any size for the benchmarks: every host has a port in every network, so that each host holds flows for
// all of them.
#pragma once
#include "fabric/compile.hpp"
#include "topology/parse.hpp"

#include <fmt/format.h>
#include <iterator>
#include <stdexcept>
#include <string>

namespace weft::bench {

struct Size {
    std::size_t hosts, ports_per_host, networks;
    std::size_t floating_ips = 0; ///< more than 0: a router joins all networks, and a gateway leads out; up to 250
    bool grouped = false;         ///< all ports are in one security group, which admits itself on ten ranges of ports
    std::size_t ports() const { return hosts * ports_per_host; }
    std::size_t ports_per_network() const { return (ports() + networks - 1) / networks; }
};

inline constexpr const char* kPhysnet = "physnet1";
inline constexpr const char* kUplinks = "uplinks = { physnet1 = \"eth1\" }\n";

inline std::string host_name(std::size_t number) {
    return fmt::format("host{:03}", number);
}
inline std::string port_name(std::size_t number) {
    return fmt::format("port{:05}", number);
}

/// One router of all networks behind one gateway, whose candidates are the first two hosts.
inline std::string routing_text(const Size& size) {
    std::string text = "[[router]]\nname = \"main\"\ngateway = \"igw\"\nnetworks = [";
    auto out = std::back_inserter(text);
    for (std::size_t i = 0; i < size.networks; ++i)
        fmt::format_to(out, "\"net{:03}\", ", i);
    fmt::format_to(out,
                   "]\n[[network]]\nname = \"public\"\nkind = \"flat\"\nphysnet = \"{}\"\nsubnet = "
                   "\"203.0.112.0/23\"\n[[gateway]]\nname = \"igw\"\nnetwork = \"public\"\naddress = "
                   "\"203.0.113.2\"\nnexthop = \"203.0.113.1\"\nhosts = [\"{}\", \"{}\"]\n",
                   kPhysnet, host_name(0), host_name(1));
    for (std::size_t i = 0; i < size.floating_ips; ++i)
        fmt::format_to(out, "[[floating_ip]]\naddress = \"203.0.112.{}\"\nport = \"{}\"\ngateway = \"igw\"\n", i + 2,
                       port_name(i));
    return text;
}

inline constexpr const char* kGroup = R"([[security_group]]
name = "all"
rules = [ { direction = "ingress", protocol = "tcp", remote_group = "all", ports = [
    "22", "80", "443", "1000-1010", "2000-2999", "3306", "5432", "6379", "8000-8010", "9000-9100" ] } ]
)";

/// Networks take their ports in turn: as many as it takes for each to have the same number.
inline std::string topology_text(const Size& size) {
    std::string text;
    auto out = std::back_inserter(text);
    for (std::size_t i = 0; i < size.hosts; ++i)
        fmt::format_to(out, "[[host]]\nname = \"{}\"\nvtep = \"192.0.{}.{}\"\n{}", host_name(i), 2 + i / 200,
                       i % 200 + 1, size.floating_ips > 0 ? kUplinks : "");
    for (std::size_t i = 0; i < size.networks; ++i)
        fmt::format_to(out, "[[network]]\nname = \"net{:03}\"\nkind = \"vxlan\"\nsubnet = \"10.{}.0.0/16\"\n", i, i);
    for (std::size_t i = 0; i < size.ports(); ++i)
        fmt::format_to(out, "[[port]]\nname = \"{}\"\nnetwork = \"net{:03}\"\n{}", port_name(i),
                       i / size.ports_per_network(), size.grouped ? "security_groups = [\"all\"]\n" : "");
    if (size.grouped) text += kGroup;
    if (size.floating_ips > 0) text += routing_text(size);
    return text;
}

/// All that a World is built from. Ports are spread so that every host has some of every network's.
struct BigFabric {
    std::shared_ptr<const topology::Topology> topology;
    topology::Allocations allocations;
    fabric::Bindings bindings;
    std::map<std::string, fabric::HostFacts> facts;
    fabric::Learnt learnt;

    explicit BigFabric(const Size& size) {
        const topology::Source source{"bench.toml", topology_text(size)};
        auto parsed = topology::parse({source});
        for (const auto& problem : parsed.problems)
            if (problem.severity == topology::Severity::error)
                throw std::runtime_error(topology::render(problem, {source}));
        topology = std::make_shared<const topology::Topology>(std::move(parsed.topology));
        allocations = topology::allocate(*topology, {}, {}).allocations;
        for (const auto& [name, host] : topology->hosts)
            facts.emplace(name, facts_of(name, host));
        if (size.floating_ips > 0)
            learnt.neighbours[{"public", *Ip::parse("203.0.113.1")}] = *Mac::parse("52:54:00:00:00:01");
        for (std::size_t i = 0; i < size.ports(); ++i)
            bind(i, i % size.hosts, 2 + i);
    }
    fabric::HostFacts facts_of(const std::string& name, const topology::Host& host) const {
        fabric::HostFacts fact;
        fact.vtep = host.vtep;
        fact.vxlan_ofport = 1;
        fact.nd_ext = true;
        if (host.uplinks.empty()) return fact;
        std::uint32_t ofport = 0xfeff; // ports have numbers from 2 up, so these come down from the highest
        fact.uplinks.emplace(kPhysnet, ofport);
        for (const auto& [other, peer] : topology->hosts)
            if (other != name) fact.watched.emplace(*peer.vtep, --ofport);
        return fact;
    }
    void bind(std::size_t port, std::size_t host, std::size_t ofport) {
        bindings[port_name(port)] = {
            {host_name(host), "tap" + std::to_string(port), static_cast<std::uint32_t>(ofport)}, std::nullopt};
    }
    void move(std::size_t port, std::size_t host) { bindings[port_name(port)].host = host_name(host); }

    fabric::Inputs inputs() const { return {topology, allocations, bindings, facts, learnt}; }
    fabric::WorldPtr world() const {
        return fabric::build(inputs(), nullptr, {.all = true, .networks = {}, .hosts = {}});
    }
    /// After a change to one port.
    fabric::WorldPtr world_after(const fabric::WorldPtr& before, std::size_t port) const {
        fabric::Touched touched;
        for (auto& network : fabric::networks_of(topology->ports.at(port_name(port))))
            touched.networks.insert(std::move(network));
        return fabric::build(inputs(), before, touched);
    }
};

} // namespace weft::bench
