#include "fabric/gateways.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace weft::fabric {

std::optional<Ip> vtep_of(const Inputs& inputs, const std::string& host) {
    const auto facts = inputs.facts.find(host);
    return facts == inputs.facts.end() ? std::nullopt : facts->second.vtep;
}

namespace {

/// A way out that is not known to be dead. Of a host that has not been seen yet the topology tells.
bool has_uplink(const Inputs& inputs, const std::string& host, const std::string& physnet) {
    if (inputs.learnt.is_dead(host, physnet)) return false;
    const auto facts = inputs.facts.find(host);
    if (facts != inputs.facts.end() && facts->second.vxlan_ofport != 0) return facts->second.uplinks.contains(physnet);
    const auto wanted = inputs.topology->hosts.find(host);
    return wanted != inputs.topology->hosts.end() && wanted->second.uplinks.contains(physnet);
}

/// The MAC of a gateway's next hop: a port's, or what was heard.
std::optional<Mac> mac_of(const Inputs& inputs, const std::string& network, const std::optional<Ip>& ip) {
    if (!ip) return std::nullopt;
    for (const auto& [key, addresses] : inputs.allocations.attachments)
        if (key.network == network && (addresses.ip == ip || addresses.ip6 == ip)) return addresses.mac;
    const auto heard = inputs.learnt.neighbours.find({network, *ip});
    return heard == inputs.learnt.neighbours.end() ? std::nullopt : std::optional(heard->second);
}

/// How many of a gateway's next hops do not answer a host.
std::ptrdiff_t silence(const Inputs& inputs, const topology::Gateway& gateway, const std::string& host) {
    return std::ranges::count_if(std::array{gateway.nexthop, gateway.nexthop6}, [&](const std::optional<Ip>& ip) {
        return ip && inputs.learnt.unanswered.contains({host, gateway.network, *ip});
    });
}

/// The candidates in order. One that fewer next hops answer than another is passed over.
std::vector<nat::Candidate> candidates_of(const topology::Gateway& gateway, const std::string& physnet,
                                          const Inputs& inputs) {
    std::vector<nat::Candidate> candidates;
    auto least = std::numeric_limits<std::ptrdiff_t>::max();
    for (const auto& host : gateway.hosts) {
        const bool linked = has_uplink(inputs, host, physnet);
        const bool ready = linked && !inputs.learnt.out_of_service.contains(host);
        candidates.push_back({host, vtep_of(inputs, host), linked, true, ready});
        if (ready) least = std::min(least, silence(inputs, gateway, host));
    }
    const auto returns = [&](const nat::Candidate& candidate) {
        return inputs.learnt.returning.contains({gateway.name, candidate.host});
    };
    for (auto& candidate : candidates) {
        candidate.answered = silence(inputs, gateway, candidate.host) <= least;
        candidate.ready = candidate.ready && candidate.answered;
    }
    const bool somebody = std::ranges::any_of(
        candidates, [&](const nat::Candidate& candidate) { return candidate.ready && !returns(candidate); });
    for (auto& candidate : candidates)
        candidate.in_service = candidate.ready && !(somebody && returns(candidate));
    return candidates;
}

} // namespace

nat::Gateway gateway_of(const topology::Gateway& gateway, const Inputs& inputs, const nat::GatewayPtr& previous) {
    auto view = previous ? *previous : nat::make_gateway({*inputs.topology, inputs.allocations}, gateway);
    view.candidates = candidates_of(gateway, view.physnet, inputs);
    view.nexthop_mac = mac_of(inputs, gateway.network, gateway.nexthop);
    view.nexthop6_mac = mac_of(inputs, gateway.network, gateway.nexthop6);
    for (auto& floating : view.floating_ips) {
        const auto& wanted = inputs.topology->floating_ips.at(floating.address);
        const auto bound = inputs.bindings.find(floating.port);
        const bool at_port = wanted.distributed && bound != inputs.bindings.end() && view.nexthop_mac &&
                             has_uplink(inputs, bound->second.host, view.physnet);
        floating.host = at_port ? bound->second.host : "";
    }
    return view;
}

} // namespace weft::fabric
