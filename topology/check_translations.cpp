#include "topology/addresses.hpp"
#include "topology/rules.hpp"

#include <algorithm>
#include <set>

namespace weft::topology {
namespace {

/// Why two claims of one gateway on one address cannot both stand; empty when precedence decides between them.
std::string conflict(const Claim& a, const Claim& b) {
    using Kind = Claim::Kind;
    if (a.forward != nullptr && b.forward != nullptr) {
        if (a.forward->protocol != b.forward->protocol || !a.forward->ports.overlaps(b.forward->ports)) return {};
        return "one port has one forward";
    }
    const auto* floating = a.floating_ip != nullptr ? a.floating_ip : b.floating_ip;
    if (a.kind == Kind::port_forward || b.kind == Kind::port_forward) {
        if (floating == nullptr || !floating->distributed) return {};
        return "a distributed floating IP cannot share its address with a port forward: remove 'distributed'";
    }
    if (floating != nullptr) return "a floating IP needs an address of its own";
    if (a.kind == Kind::snat && b.kind == Kind::snat) return "list each SNAT address once";
    return {};
}

void check_claims(const Network& network, const std::vector<Claim>& claims, Findings& findings) {
    // In order of address: whatever overlaps claim i follows it closely.
    for (auto a = claims.begin(); a != claims.end(); ++a) {
        for (auto b = std::next(a); b != claims.end() && a->range.overlaps(b->range); ++b) {
            const bool swap = earlier(b->where, a->where);
            const auto& first = swap ? *b : *a;
            const auto& later = swap ? *a : *b;
            const auto why = a->gateway != b->gateway ? "an address belongs to one gateway" : conflict(*a, *b);
            if (why.empty()) continue;
            const auto shared = std::max(a->range.first, b->range.first);
            findings.error(later.where,
                           fmt::format("{} of network '{}' is claimed twice: by {} and by {}", shared.to_string(),
                                       network.name, first.what, later.what),
                           why, first.where);
        }
    }
}

/// Next hops of a network's gateways belong to somebody upstream.
void check_nexthops(const Gateway& gateway, const std::vector<Claim>& claims, Findings& findings) {
    for (const auto& [ip, key] : {std::pair{gateway.nexthop, "nexthop"}, {gateway.nexthop6, "nexthop6"}}) {
        if (!ip) continue;
        for (const auto& claim : claims) {
            const bool own = claim.kind == Claim::Kind::address && claim.gateway == gateway.name;
            if (own || !claim.range.contains(*ip)) continue;
            findings.error(claim.where,
                           fmt::format("{} is the next hop of gateway '{}'", ip->to_string(), gateway.name),
                           "it belongs to the upstream router: choose another address", gateway.origin.at(key));
        }
    }
}

/// A public address outside the subnet is legal, but only where the upstream routes it.
void check_public_address(const Topology& topology, const Gateway* gateway, const Ip& address, const Origin& where,
                          Findings& findings) {
    if (gateway == nullptr) return;
    const auto network = topology.networks.find(gateway->network);
    if (network == topology.networks.end() || !network->second.subnet) return;
    const auto& subnet = *network->second.subnet;
    const auto why = unfit(address, subnet);
    if (why.empty()) return;
    if (subnet.contains(address))
        findings.error(where, fmt::format("{} {}", address.to_string(), why), "choose a host address");
    else
        findings.warning(where,
                         fmt::format("{} {}, the subnet of network '{}'", address.to_string(), why, gateway->network),
                         "the upstream router needs a route to it via the gateway's address");
}

/// Translations reach a port only through a router that uses the gateway.
void check_behind(const Topology& topology, const std::string& gateway, const std::string& port_name,
                  const Origin& where, Findings& findings) {
    const auto port = topology.ports.find(port_name);
    if (port == topology.ports.end() || !topology.gateways.contains(gateway)) return;
    bool judged = true;
    for (const auto& attachment : attachments(port->second)) {
        const auto network = topology.networks.find(attachment.network);
        if (network == topology.networks.end() || network->second.origin.malformed("subnet"))
            judged = false;
        else if (!network->second.subnet)
            continue;
        for (const auto& [name, router] : topology.routers) {
            if (router.gateway == gateway &&
                std::ranges::find(router.networks, attachment.network) != router.networks.end())
                return;
        }
    }
    if (judged)
        findings.error(where, fmt::format("port '{}' is not behind gateway '{}'", port_name, gateway),
                       fmt::format("a router with gateway = \"{}\" must list an IPv4 network of the port", gateway),
                       port->second.origin);
}

void check_floating_ips(const Topology& topology, Findings& findings) {
    std::map<std::string, const PortForward*> forwarded;
    for (const auto& [name, forward] : topology.port_forwards)
        forwarded.emplace(forward.to_port, &forward);
    FirstCome<std::pair<std::string, std::string>> ports(findings);
    for (const auto& [address, floating] : topology.floating_ips) {
        const auto& origin = floating.origin;
        const auto* gateway = findings.find(topology.gateways, floating.gateway, origin.at("gateway"), "gateway");
        findings.find(topology.ports, floating.port, origin.at("port"), "port");
        check_behind(topology, floating.gateway, floating.port, origin.at("port"), findings);
        check_public_address(topology, gateway, address, origin.at("address"), findings);
        if (floating.port.empty()) continue;
        ports.take({floating.gateway, floating.port}, origin.at("port"),
                   fmt::format("port '{}' has a floating IP of this gateway already", floating.port),
                   "a floating IP is 1:1");
        const auto forward = forwarded.find(floating.port);
        if (floating.distributed && forward != forwarded.end() && forward->second->address != address)
            findings.error(origin.at("port"),
                           fmt::format("port '{}' has a port forward and a distributed floating IP", floating.port),
                           "remove 'distributed', or the forward", forward->second->origin);
    }
}

void check_port_forwards(const Topology& topology, Findings& findings) {
    for (const auto& [name, forward] : topology.port_forwards) {
        const auto& origin = forward.origin;
        const auto* gateway = findings.find(topology.gateways, forward.gateway, origin.at("gateway"), "gateway");
        findings.find(topology.ports, forward.to_port, origin.at("to"), "port");
        check_behind(topology, forward.gateway, forward.to_port, origin.at("to"), findings);
        check_public_address(topology, gateway, forward.address, origin.at("address"), findings);
        if (forward.to_port.empty()) continue;
        if (forward.ports.count() != forward.to_ports.count())
            findings.error(origin.at("to"),
                           fmt::format("{} ports are forwarded to {}", forward.ports.count(), forward.to_ports.count()),
                           "both ranges must have the same length");
        else if (forward.protocol.number == 132 && forward.ports != forward.to_ports)
            findings.error(origin.at("to"), "SCTP keeps its port number",
                           fmt::format("write \"{}:{}\"", forward.to_port, forward.ports.to_string()));
    }
}

/// A public address that also is one behind its own gateway would be translated to itself.
void check_not_inside(const Topology& topology, const Claim& claim, Findings& findings) {
    const auto judge = [&](const Prefix& prefix, const std::string& what, const Origin& where) {
        if (!claim.range.overlaps({prefix.network(), prefix.last()})) return;
        findings.error(claim.where,
                       fmt::format("{} is in {}, {} behind the same gateway '{}'", claim.range.to_string(),
                                   prefix.to_string(), what, claim.gateway),
                       "public addresses are outside the networks that they stand for", where);
    };
    for (const auto& [name, router] : topology.routers) {
        if (router.gateway != claim.gateway) continue;
        for (const auto& network_name : router.networks) {
            const auto network = topology.networks.find(network_name);
            if (network != topology.networks.end() && network->second.subnet)
                judge(*network->second.subnet, fmt::format("network '{}'", network_name), network->second.origin);
        }
        for (const auto& route : router.routes)
            if (route.prefix.length > 0) judge(route.prefix, fmt::format("a route of router '{}'", name), route.origin);
    }
}

} // namespace

void check_translations(const Topology& topology, Findings& findings) {
    check_floating_ips(topology, findings);
    check_port_forwards(topology, findings);
    const auto routed = routed_networks(topology);
    const auto claims = public_claims(topology);
    for (const auto& [name, of_network] : claims) {
        const auto network = topology.networks.find(name);
        if (network == topology.networks.end()) continue;
        check_claims(network->second, of_network, findings);
        for (const auto& claim : of_network)
            check_not_inside(topology, claim, findings);
        if (!routed.contains(name)) continue;
        for (const auto& claim : of_network) {
            for (const auto& router_address : {network->second.gateway, network->second.gateway6}) {
                if (router_address && claim.range.contains(*router_address))
                    findings.error(
                        claim.where,
                        fmt::format("{} is the router's address in network '{}'", router_address->to_string(), name),
                        "choose another address", network->second.origin);
            }
        }
    }
    for (const auto& [name, gateway] : topology.gateways) {
        const auto of_network = claims.find(gateway.network);
        if (of_network != claims.end()) check_nexthops(gateway, of_network->second, findings);
    }
}

} // namespace weft::topology
