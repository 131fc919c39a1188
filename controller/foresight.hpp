// Foresight: what applying a topology would send to each host, before it is sent. It is counted where it would be
// sent: Intent::imagine gives the world, SwitchAgent and RowsAgent compare it with what they know their host to hold.
// Feeds the plan (api_plan).
#pragma once
#include "controller/rows_agent.hpp"
#include "controller/switch_agent.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace weft::controller {

/// The gateways that have an active host now, and had another one: by gateway, empty for none.
std::set<std::string> moved_gateways(const std::map<std::string, std::string>& before,
                                     const std::map<std::string, std::string>& now);

/// Whether the host sends to one of these gateways, or translates for it.
bool has_any(const fabric::HostView& host, const std::set<std::string>& gateways);

struct HostForesight {
    std::optional<SwitchAgent::ToSend> to_switch; ///< nothing: the switch is read back first, or is none yet
    std::optional<ovsdb::RowCounts> rows;         ///< nothing: the host's OVSDB is not there, or not settled
    /// Something will follow: flows depend on the numbers of ports that these rows, or another host's, make or remove.
    bool more = false;
    bool unplugs = false; ///< its bridge is another one: who is plugged into the old one has to be plugged in again
    bool leaves = false;  ///< the topology: its rows go, and with the bridge its flows, for which nothing is sent
};

struct Foresight {
    fabric::WorldPtr now, then;
    std::map<std::string, HostForesight> hosts; ///< of both; empty when the candidate changes nothing
};

} // namespace weft::controller
