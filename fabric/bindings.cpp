#include "fabric/bindings.hpp"

#include <algorithm>
#include <tuple>

namespace weft::fabric {
namespace {

/// The port that a claim names: by iface-id, else by MAC.
const std::string* port_named_by(const Claim& claim, const topology::Topology& topology,
                                 const std::map<Mac, std::string>& by_mac) {
    if (const auto port = topology.ports.find(claim.iface_id); port != topology.ports.end()) return &port->first;
    if (!claim.attached_mac) return nullptr;
    const auto port = by_mac.find(*claim.attached_mac);
    return port == by_mac.end() ? nullptr : &port->second;
}

} // namespace

void ClaimTable::expect(const std::string& port, const std::string& host) {
    expected_[port] = host;
}

bool ClaimTable::observe(const std::string& host, const std::vector<Claim>& claims) {
    const bool first = !claims_.contains(host);
    auto& known = claims_[host];
    bool changed = first;
    std::map<std::string, Standing> now;
    for (const auto& claim : claims) {
        Standing standing{claim, 0};
        const auto before = known.find(claim.interface);
        if (before != known.end() && before->second.claim.iface_id == claim.iface_id) {
            standing.since = before->second.since;
            // While vswitchd is away an interface has no ofport; its port stays where it is.
            changed = changed || before->second.claim != claim;
        } else {
            standing.since = first ? 0 : ++clock_;
            changed = true;
        }
        now.emplace(claim.interface, std::move(standing));
    }
    changed = changed || now.size() != known.size();
    known = std::move(now);
    return changed;
}

void ClaimTable::forget(const std::string& host) {
    claims_.erase(host);
    std::erase_if(expected_, [&](const auto& entry) { return entry.second == host; });
}

Judgement ClaimTable::judge(const topology::Topology& topology) const {
    std::map<Mac, std::string> by_mac;
    for (const auto& [name, port] : topology.ports)
        if (port.mac) by_mac.emplace(*port.mac, name);

    struct Candidate {
        std::uint64_t rank;
        JudgedClaim judged;
    };
    std::map<std::string, std::vector<Candidate>> candidates;
    for (const auto& [host, interfaces] : claims_) {
        for (const auto& [_, standing] : interfaces) {
            const auto* port = port_named_by(standing.claim, topology, by_mac);
            if (port == nullptr) continue;
            // What was there at the first look counts as older than all else, the stored holder's as the newest of it.
            const auto expected = expected_.find(*port);
            const bool stored = expected != expected_.end() && expected->second == host;
            const std::uint64_t rank = standing.since != 0 ? standing.since + 1 : stored ? 1 : 0;
            candidates[*port].push_back({rank, {host, standing.claim, false}});
        }
    }
    for (const auto& [port, host] : expected_)
        if (!claims_.contains(host) && topology.ports.contains(port) && topology.hosts.contains(host))
            candidates[port].push_back({1, {host, {}, false}});

    Judgement judged;
    for (auto& [port, list] : candidates) {
        std::ranges::sort(list, [](const Candidate& a, const Candidate& b) {
            return std::tie(b.rank, a.judged.host) < std::tie(a.rank, b.judged.host);
        });
        list.front().judged.holds = true;
        for (auto& candidate : list)
            judged[port].push_back(std::move(candidate.judged));
    }
    return judged;
}

Bindings winners(const Judgement& judgement) {
    Bindings result;
    for (const auto& [port, claims] : judgement) {
        const auto& holder = claims.front();
        result.emplace(port, Binding{holder.host, holder.claim.interface, holder.claim.ofport});
    }
    return result;
}

} // namespace weft::fabric
