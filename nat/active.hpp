// Which host is a gateway's active one, as far as the daemon can see. The switches decide for themselves (nat/groups);
// what is decided here is which candidates they may choose from, and what people are told.
#pragma once
#include "nat/gateway.hpp"

#include <map>
#include <set>
#include <string>

namespace weft::nat {

/// What is known of hosts that may be active.
struct Health {
    /// By watching host: VTEP → BFD forwards. Only of hosts whose OVSDB is being read now.
    std::map<std::string, std::map<Ip, bool>> reachable;
    std::set<std::string> synced; ///< hosts that hold the flows they should
    std::set<std::string> lost;   ///< hosts that the daemon cannot reach
};

/// BFD knows nothing of flows: a host that comes back without any is forwarding at once and would swallow all traffic.
/// So a host that is not synced, and that every watcher has lost, is out of service until it is synced. Whether one
/// that has its flows lives is the switches' business alone.
bool out_of_service(const std::string& host, const Ip& vtep, bool was_out, const Health& health);

/// The first candidate in service that lives; empty: none.
std::string active_host(const Gateway& gateway, const Health& health);

/// "active", "standby", "down" (BFD), "no uplink" (or one without a link), "no next hop", or
/// "returning" (alive, and it is not known that its switch can translate).
std::string_view state_of(const Candidate& candidate, const Gateway& gateway, const Health& health);

/// The same as a sentence: "kvm1 does not answer (BFD)".
std::string sentence(const Candidate& candidate, const Gateway& gateway, const Health& health);

} // namespace weft::nat
