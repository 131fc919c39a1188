#include "topology/rules.hpp"

#include <algorithm>
#include <fmt/ranges.h>

namespace weft::topology {
namespace {

/// A subnet that a router connects, and the place of its network in the router's list.
struct Connected {
    Prefix subnet;
    const Network* network = nullptr;
    const Router* router = nullptr;
    Origin where;
};

std::vector<Connected> connected(const Topology& topology, const Router& router) {
    std::vector<Connected> subnets;
    for (std::size_t i = 0; i < router.networks.size(); ++i) {
        const auto network = topology.networks.find(router.networks[i]);
        if (network == topology.networks.end()) continue;
        const auto where = router.origin.at(element("networks", i));
        for (const auto& subnet : {network->second.subnet, network->second.subnet6}) {
            if (subnet) subnets.push_back({*subnet, &network->second, &router, where});
        }
    }
    return subnets;
}

/// Sorted by address, a subnet overlaps another only if it overlaps one that begins before it and reaches furthest.
void check_overlaps(std::vector<Connected> subnets, Findings& findings) {
    std::ranges::sort(subnets, {}, [](const Connected& c) { return std::pair(c.subnet.network(), c.network->name); });
    const Connected* furthest = nullptr;
    for (const auto& subnet : subnets) {
        if (furthest != nullptr && furthest->subnet.overlaps(subnet.subnet) && furthest->network != subnet.network) {
            const bool swap = earlier(subnet.where, furthest->where);
            const auto& later = swap ? *furthest : subnet;
            const auto& first = swap ? subnet : *furthest;
            const bool same = later.router == first.router;
            findings.error(later.where,
                           fmt::format("{} of network '{}' overlaps {} of network '{}'{}", later.subnet.to_string(),
                                       later.network->name, first.subnet.to_string(), first.network->name,
                                       same ? fmt::format(" in router '{}'", later.router->name)
                                            : fmt::format(" behind the same gateway '{}'", later.router->gateway)),
                           same ? "change one of the subnets, or give them different routers"
                                : "give each router a [[gateway]] of its own; several may use one public network",
                           first.where);
        }
        if (furthest == nullptr || !furthest->subnet.overlaps(subnet.subnet) ||
            furthest->subnet.last() < subnet.subnet.last())
            furthest = &subnet;
    }
}

void check_networks_of(const Topology& topology, const Router& router, FirstCome<std::string>& routed,
                       Findings& findings) {
    if (router.networks.empty() && router.origin.wrote("networks") && !router.origin.malformed("networks"))
        findings.error(router.origin.at("networks"), fmt::format("router '{}' has no networks", router.name));
    findings.unique(router.networks, router.origin, "networks");
    for (std::size_t i = 0; i < router.networks.size(); ++i) {
        const auto& name = router.networks[i];
        const auto where = router.origin.at(element("networks", i));
        const auto* network = findings.find(topology.networks, name, where, "network");
        if (network == nullptr) continue;
        if (std::ranges::find(router.networks, name) == router.networks.begin() + static_cast<std::ptrdiff_t>(i))
            routed.take(name, where, fmt::format("network '{}' is in another router too", name),
                        "a network is in at most one router");
        if (network->kind == NetworkKind::local && !network->origin.malformed("kind"))
            findings.error(where, fmt::format("network '{}' is local: it has no router", name),
                           "make it a vxlan network, or take it out of the router", network->origin);
        else if (!network->subnet && !network->subnet6 && !network->origin.wrote("subnet") &&
                 !network->origin.wrote("subnet6"))
            findings.error(where, fmt::format("network '{}' has no subnet to route", name),
                           "give it a 'subnet' or 'subnet6'", network->origin);
    }
}

/// Onto a vlan or flat network each host routes by its own uplink. A host's uplinks may stand in weftd's settings: only
/// hosts that have some here are looked at, and it is a warning.
void check_ways_out(const Topology& topology, const Router& router, Findings& findings) {
    if (router.networks.size() < 2) return;
    for (std::size_t i = 0; i < router.networks.size(); ++i) {
        const auto network = topology.networks.find(router.networks[i]);
        if (network == topology.networks.end() || !network->second.physical()) continue;
        const auto& physnet = network->second.physnet;
        std::vector<std::string> without;
        for (const auto& [name, host] : topology.hosts)
            if (!host.uplinks.empty() && !host.uplinks.contains(physnet)) without.push_back(name);
        if (without.empty()) continue;
        findings.warning(router.origin.at(element("networks", i)),
                         fmt::format("no uplink to '{}' on {}: VMs there do not reach network '{}' by router '{}'",
                                     physnet, fmt::join(without, ", "), network->first, router.name),
                         "add the uplink, here or in weftd's settings");
    }
}

void check_routes(const Topology& topology, const Router& router, const std::vector<Connected>& subnets,
                  Findings& findings) {
    const bool all_known = std::ranges::all_of(router.networks, [&](const std::string& name) {
        const auto network = topology.networks.find(name);
        return network != topology.networks.end() && !network->second.origin.malformed("subnet") &&
               !network->second.origin.malformed("subnet6");
    });
    FirstCome<Prefix> prefixes(findings);
    for (const auto& route : router.routes) {
        prefixes.take(route.prefix, route.origin.at("prefix"),
                      fmt::format("a second route to {} in router '{}'", route.prefix.to_string(), router.name),
                      "one route per prefix");
        const auto via = route.origin.at("via");
        if (route.prefix.address.is_v6() != route.via.is_v6()) {
            findings.error(
                via, fmt::format("{} is of another family than {}", route.via.to_string(), route.prefix.to_string()));
            continue;
        }
        const auto subnet =
            std::ranges::find_if(subnets, [&](const Connected& c) { return c.subnet.contains(route.via); });
        if (subnet == subnets.end()) {
            if (all_known)
                findings.error(via,
                               fmt::format("{} is in no subnet of router '{}'", route.via.to_string(), router.name),
                               "a next hop must be in one of the router's networks");
        } else if (const auto why = unfit(route.via, subnet->subnet); !why.empty()) {
            findings.error(via, fmt::format("{} {}", route.via.to_string(), why));
        } else if (route.via == subnet->network->gateway || route.via == subnet->network->gateway6) {
            findings.error(via, fmt::format("{} is the router's own address", route.via.to_string()),
                           "name the machine that knows the way");
        }
    }
}

/// What a gateway takes in goes to one router: a static route of one must not lead where another is, or leads.
void check_shared_routes(const Topology& topology, Findings& findings) {
    struct Way {
        Prefix prefix;
        const Router* router;
        Origin where;
    };
    std::map<std::string, std::vector<Way>> routes, subnets; // by gateway
    for (const auto& [_, router] : topology.routers) {
        if (router.gateway.empty()) continue;
        for (const auto& route : router.routes)
            if (route.prefix.length > 0)
                routes[router.gateway].push_back({route.prefix, &router, route.origin.at("prefix")});
        for (const auto& subnet : connected(topology, router))
            subnets[router.gateway].push_back({subnet.subnet, &router, subnet.where});
    }
    const auto judge = [&](const Way& route, const Way& other) {
        if (route.router == other.router || !route.prefix.overlaps(other.prefix)) return;
        findings.error(route.where,
                       fmt::format("the route to {} of router '{}' overlaps {} of router '{}' behind the same gateway "
                                   "'{}'",
                                   route.prefix.to_string(), route.router->name, other.prefix.to_string(),
                                   other.router->name, route.router->gateway),
                       "give each router a [[gateway]] of its own; several may use one public network", other.where);
    };
    for (const auto& [gateway, ways] : routes) {
        for (std::size_t i = 0; i < ways.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j)
                judge(ways[i], ways[j]);
            for (const auto& subnet : subnets[gateway])
                judge(ways[i], subnet);
        }
    }
}

} // namespace

void check_routers(const Topology& topology, Findings& findings) {
    FirstCome<std::string> routed(findings);
    std::map<std::string, std::vector<Connected>> domains; // what must not overlap: by gateway, else by router
    for (const auto& [name, router] : topology.routers) {
        findings.find(topology.gateways, router.gateway, router.origin.at("gateway"), "gateway");
        check_networks_of(topology, router, routed, findings);
        check_ways_out(topology, router, findings);
        auto subnets = connected(topology, router);
        check_routes(topology, router, subnets, findings);
        auto& domain = domains[router.gateway.empty() ? "router " + name : "gateway " + router.gateway];
        std::ranges::move(subnets, std::back_inserter(domain));
    }
    for (auto& [key, subnets] : domains)
        check_overlaps(std::move(subnets), findings);
    check_shared_routes(topology, findings);
}

} // namespace weft::topology
