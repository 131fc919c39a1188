#include "nat/active.hpp"

#include <algorithm>

namespace weft::nat {
namespace {

struct Sight {
    bool alive = false; ///< somebody sees it
    bool lost = false;  ///< somebody looked, and nobody sees it
};

Sight sight_of(const std::string& host, const Ip& vtep, const Health& health) {
    Sight sight;
    bool news = false;
    for (const auto& [watcher, seen] : health.reachable) {
        // One whose own switch is away tells old news.
        if (watcher == host || !health.synced.contains(watcher)) continue;
        const auto found = seen.find(vtep);
        if (found == seen.end()) continue;
        news = true;
        sight.alive = sight.alive || found->second;
    }
    sight.lost = news && !sight.alive;
    return sight;
}

/// Seen by another host; or by none that could, and by the daemon.
bool lives(const Candidate& candidate, const Health& health) {
    if (!candidate.vtep) return false;
    const auto sight = sight_of(candidate.host, *candidate.vtep, health);
    return sight.alive || (!sight.lost && !health.lost.contains(candidate.host));
}

} // namespace

bool out_of_service(const std::string& host, const Ip& vtep, bool was_out, const Health& health) {
    if (health.synced.contains(host)) return false;
    return was_out || sight_of(host, vtep, health).lost;
}

std::string active_host(const Gateway& gateway, const Health& health) {
    const auto found = std::ranges::find_if(gateway.candidates, [&](const Candidate& candidate) {
        return candidate.in_service && lives(candidate, health);
    });
    return found == gateway.candidates.end() ? "" : found->host;
}

std::string_view state_of(const Candidate& candidate, const Gateway& gateway, const Health& health) {
    if (!candidate.has_uplink) return "no uplink"; // and BFD tells everybody so
    if (!lives(candidate, health)) return "down";
    if (!candidate.answered) return "no next hop";
    if (!candidate.in_service) return "returning";
    return candidate.host == active_host(gateway, health) ? "active" : "standby";
}

std::string sentence(const Candidate& candidate, const Gateway& gateway, const Health& health) {
    const auto state = state_of(candidate, gateway, health);
    if (state == "down") return candidate.host + " does not answer (BFD)";
    if (state == "no uplink") return "the uplink of " + candidate.host + " has no link";
    if (state == "no next hop") return "the next hop does not answer " + candidate.host;
    if (state == "returning") return candidate.host + " is back, and it is not known that its switch can translate";
    const auto active = active_host(gateway, health);
    return state == "standby" ? active + " comes before " + candidate.host : "";
}

} // namespace weft::nat
