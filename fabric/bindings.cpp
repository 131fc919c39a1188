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

std::vector<ClaimTable::Standing*> ClaimTable::twins(const std::string& host, const Claim& claim) {
    std::vector<Standing*> found;
    if (claim.vm_id.empty() || !claim.attached_mac) return found;
    for (auto& [other, interfaces] : claims_) {
        if (other == host) continue;
        for (auto& [_, standing] : interfaces)
            if (standing.claim.vm_id == claim.vm_id && standing.claim.attached_mac == claim.attached_mac)
                found.push_back(&standing);
    }
    return found;
}

bool ClaimTable::runs(const std::string& host, const Claim& claim) const {
    const auto running = running_.find(host);
    return running != running_.end() && running->second.contains(claim.vm_id);
}

bool ClaimTable::settle() {
    bool settled = false;
    for (auto& [host, interfaces] : claims_) {
        for (auto& [_, standing] : interfaces) {
            if (!standing.arriving) continue;
            if (!runs(host, standing.claim) && !twins(host, standing.claim).empty()) continue;
            standing.arriving = false;
            standing.since = ++clock_;
            settled = true;
        }
    }
    return settled;
}

bool ClaimTable::observe(const std::string& host, const std::vector<Claim>& claims) {
    const bool first = !claims_.contains(host);
    auto& known = claims_[host];
    bool changed = first;
    std::map<std::string, Standing> now;
    for (const auto& claim : claims) {
        Standing standing{claim};
        const auto before = known.find(claim.interface);
        if (before != known.end() && before->second.claim.iface_id == claim.iface_id) {
            standing.since = before->second.since;
            standing.arriving = before->second.arriving;
            // While vswitchd is away an interface has no ofport; its port stays where it is.
            changed = changed || before->second.claim != claim;
        } else {
            standing.since = first ? 0 : ++clock_;
            const auto others = twins(host, claim);
            standing.arriving = !others.empty();
            // At the daemon's first look nobody knows which of the two was there first: judge() asks who held the port.
            if (first)
                for (auto* other : others)
                    other->arriving = other->arriving || other->since == 0;
            changed = true;
        }
        now.emplace(claim.interface, std::move(standing));
    }
    changed = changed || now.size() != known.size();
    known = std::move(now);
    settle();
    return changed;
}

bool ClaimTable::note_running(const std::string& host, std::set<std::string> vms) {
    running_[host] = std::move(vms);
    return settle();
}

bool ClaimTable::note_spoke(const std::string& host, std::uint32_t ofport) {
    const auto claims = claims_.find(host);
    if (claims == claims_.end()) return false;
    for (auto& [_, standing] : claims->second) {
        if (!standing.arriving || standing.claim.ofport != ofport) continue;
        standing.arriving = false;
        standing.since = ++clock_;
        return true;
    }
    return false;
}

void ClaimTable::forget(const std::string& host) {
    claims_.erase(host);
    running_.erase(host);
    std::erase_if(expected_, [&](const auto& entry) { return entry.second == host; });
    settle();
}

std::vector<Claim> ClaimTable::claims_of(const std::string& host) const {
    std::vector<Claim> claims;
    if (const auto known = claims_.find(host); known != claims_.end())
        for (const auto& [_, standing] : known->second)
            claims.push_back(standing.claim);
    return claims;
}

Judgement ClaimTable::judge(const topology::Topology& topology, const PortNics& nics) const {
    std::map<Mac, std::string> by_mac;
    for (const auto& [name, port] : topology.ports)
        if (port.mac) by_mac.emplace(*port.mac, name);
    for (const auto& [name, nic] : nics)
        if (topology.ports.contains(name)) by_mac.emplace(nic.mac, name);

    struct Candidate {
        std::uint64_t rank;
        JudgedClaim judged;
    };
    std::map<std::string, std::vector<Candidate>> candidates;
    std::set<std::string> run; // ports whose VM runs, libvirt says, where the claim is
    for (const auto& [host, interfaces] : claims_) {
        for (const auto& [_, standing] : interfaces) {
            const auto* port = port_named_by(standing.claim, topology, by_mac);
            if (port == nullptr) continue;
            const auto nic = nics.find(*port);
            const bool by_name = standing.claim.iface_id == *port;
            if (!by_name && nic != nics.end() && !nic->second.uuid.empty() && !standing.claim.vm_id.empty() &&
                nic->second.uuid != standing.claim.vm_id)
                continue;
            if (runs(host, standing.claim)) run.insert(*port);
            // What was there at the first look counts as older than all else, the stored holder's as the newest of it.
            const auto expected = expected_.find(*port);
            const bool stored = expected != expected_.end() && expected->second == host;
            const bool arriving = standing.arriving && !(stored && standing.since == 0);
            const std::uint64_t rank = arriving ? 0 : standing.since != 0 ? standing.since + 2 : stored ? 2 : 1;
            candidates[*port].push_back({rank, {host, standing.claim, false, arriving}});
        }
    }
    for (const auto& [port, host] : expected_)
        if (!claims_.contains(host) && topology.ports.contains(port) && topology.hosts.contains(host) &&
            !run.contains(port))
            candidates[port].push_back({2, {host, {}, false, false}});

    Judgement judged;
    for (auto& [port, list] : candidates) {
        std::ranges::sort(list, [](const Candidate& a, const Candidate& b) {
            return std::tie(b.rank, a.judged.host) < std::tie(a.rank, b.judged.host);
        });
        list.front().judged.holds = true;
        list.front().judged.arriving = false;
        for (auto& candidate : list)
            judged[port].push_back(std::move(candidate.judged));
    }
    return judged;
}

Bindings winners(const Judgement& judgement) {
    const auto plug_of = [](const JudgedClaim& judged) {
        return Plug{judged.host, judged.claim.interface, judged.claim.ofport};
    };
    Bindings result;
    for (const auto& [port, claims] : judgement) {
        Binding binding{plug_of(claims.front()), std::nullopt};
        for (const auto& judged : claims)
            if (judged.arriving && judged.host != binding.host) binding.arriving = plug_of(judged);
        result.emplace(port, std::move(binding));
    }
    return result;
}

} // namespace weft::fabric
