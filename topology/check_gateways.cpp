#include "topology/addresses.hpp"
#include "topology/rules.hpp"

namespace weft::topology {
namespace {

/// Candidates, or SNAT ranges: each is a bucket of one group, which must fit into one message of 64 KiB (a bucket takes
/// under 200 bytes).
constexpr std::size_t kMostBuckets = 256;

/// The addresses of one family of a gateway, by their keys.
struct Side {
    const std::optional<Ip>& address;
    const std::optional<Ip>& nexthop;
    const std::optional<Prefix>& subnet;
    std::string_view address_key;
    std::string_view nexthop_key;
    std::string_view subnet_key;
};

void check_side(const Gateway& gateway, const Network& network, const Side& side, Findings& findings) {
    if (side.nexthop && !side.address && !gateway.origin.malformed(side.address_key))
        findings.error(gateway.origin.at(side.nexthop_key),
                       fmt::format("'{}' without '{}'", side.nexthop_key, side.address_key),
                       fmt::format("give gateway '{}' an '{}' in the network", gateway.name, side.address_key));
    if (network.origin.malformed(side.subnet_key)) return;
    const auto check = [&](const std::optional<Ip>& ip, std::string_view key) {
        if (!ip) return;
        const auto where = gateway.origin.at(key);
        if (!side.subnet) {
            findings.error(
                where, fmt::format("network '{}' has no '{}' for {}", network.name, side.subnet_key, ip->to_string()),
                fmt::format("give the network a '{}'", side.subnet_key), network.origin);
        } else if (const auto why = unfit(*ip, *side.subnet); !why.empty()) {
            findings.error(
                where,
                fmt::format("{} {}, the {} of network '{}'", ip->to_string(), why, side.subnet_key, network.name),
                fmt::format("'{}' must be a host address of that subnet", key), network.origin.at(side.subnet_key));
        }
    };
    check(side.address, side.address_key);
    check(side.nexthop, side.nexthop_key);
    if (side.address && side.address == side.nexthop)
        findings.error(gateway.origin.at(side.nexthop_key),
                       fmt::format("gateway '{}' is its own next hop", gateway.name), "name the upstream router",
                       gateway.origin.at(side.address_key));
}

void check_network(const Gateway& gateway, const Network& network, Findings& findings) {
    const auto& origin = gateway.origin;
    if (!network.physical() && !network.origin.malformed("kind")) {
        findings.error(origin.at("network"),
                       fmt::format("network '{}' of gateway '{}' is not physical", network.name, gateway.name),
                       "a gateway needs a network of kind \"flat\" or \"vlan\"", network.origin);
        return;
    }
    if (!network.subnet && !network.subnet6 && !network.origin.wrote("subnet") && !network.origin.wrote("subnet6")) {
        findings.error(origin.at("network"),
                       fmt::format("network '{}' of gateway '{}' has no subnet", network.name, gateway.name),
                       "give it a 'subnet'", network.origin);
        return;
    }
    check_side(gateway, network, {gateway.address, gateway.nexthop, network.subnet, "address", "nexthop", "subnet"},
               findings);
    check_side(gateway, network,
               {gateway.address6, gateway.nexthop6, network.subnet6, "address6", "nexthop6", "subnet6"}, findings);
}

void check_snat(const Gateway& gateway, const Network* network, Findings& findings) {
    for (std::size_t i = 0; i < gateway.snat.size(); ++i) {
        const auto& range = gateway.snat[i];
        const auto where = gateway.origin.at(element("snat", i));
        if (range.first.is_v6()) {
            findings.error(where, fmt::format("{} is not IPv4", range.to_string()), "IPv6 is routed untranslated");
            continue;
        }
        if (network == nullptr || !network->subnet) continue;
        const auto& subnet = *network->subnet;
        if (range.contains(subnet.network()) || range.contains(subnet.last()))
            findings.error(where,
                           fmt::format("{} includes the network or broadcast address of {}", range.to_string(),
                                       subnet.to_string()),
                           "SNAT addresses must be host addresses");
        else if (!subnet.contains(range.first) || !subnet.contains(range.last))
            findings.warning(where,
                             fmt::format("{} is outside {}, the subnet of network '{}'", range.to_string(),
                                         subnet.to_string(), network->name),
                             "the upstream router needs a route to it via the gateway's address");
    }
    if (gateway.snat.size() > kMostBuckets)
        findings.error(
            gateway.origin.at("snat"),
            fmt::format("gateway '{}' has {} SNAT ranges: {} at most", gateway.name, gateway.snat.size(), kMostBuckets),
            "join adjacent addresses to ranges");
    if (!gateway.snat.empty() && !gateway.address && !gateway.origin.malformed("address"))
        findings.error(gateway.origin.at("snat"), "'snat' without 'address'",
                       fmt::format("give gateway '{}' an 'address' in the network", gateway.name));
}

void check_candidates(const Topology& topology, const Gateway& gateway, const Network* network, Findings& findings) {
    const auto& origin = gateway.origin;
    if (gateway.hosts.empty() && !origin.malformed("hosts") && origin.wrote("hosts"))
        findings.error(origin.at("hosts"), fmt::format("gateway '{}' has no candidate host", gateway.name),
                       "name at least one in 'hosts'");
    if (gateway.hosts.size() > kMostBuckets)
        findings.error(
            origin.at("hosts"),
            fmt::format("gateway '{}' has {} candidates: {} at most", gateway.name, gateway.hosts.size(), kMostBuckets),
            "a few are enough");
    findings.unique(gateway.hosts, origin, "hosts");
    for (std::size_t i = 0; i < gateway.hosts.size(); ++i) {
        const auto where = origin.at(element("hosts", i));
        const auto* host = findings.find(topology.hosts, gateway.hosts[i], where, "host");
        // A host without any uplink here has them in weftd's settings.
        if (host == nullptr || network == nullptr || host->uplinks.empty() || network->physnet.empty()) continue;
        if (!host->uplinks.contains(network->physnet))
            findings.warning(where,
                             fmt::format("host '{}' has no uplink to '{}', the physical network of '{}'", host->name,
                                         network->physnet, network->name),
                             "add it to the host's 'uplinks', or take the host out of the candidates", host->origin);
    }
}

} // namespace

void check_gateways(const Topology& topology, Findings& findings) {
    for (const auto& [name, gateway] : topology.gateways) {
        const auto& origin = gateway.origin;
        const auto* network = findings.find(topology.networks, gateway.network, origin.at("network"), "network");
        if (network != nullptr) check_network(gateway, *network, findings);
        if (!gateway.address && !gateway.address6 && !origin.wrote("address") && !origin.wrote("address6"))
            findings.error(origin, fmt::format("gateway '{}' has no address", name),
                           "give it an 'address' (or 'address6') in its network");
        check_snat(gateway, network, findings);
        check_candidates(topology, gateway, network, findings);
    }
}

} // namespace weft::topology
