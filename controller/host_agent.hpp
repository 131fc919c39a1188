// HostAgent: one host as an admin sees it: its rows (RowsAgent) and its switch (SwitchAgent) under one state, and
// beside it its libvirt (LibvirtAgent), without which packets flow just as well.
#pragma once
#include "controller/libvirt_agent.hpp"
#include "controller/rows_agent.hpp"
#include "controller/switch_agent.hpp"

namespace weft::controller {

enum class HostState { synced, syncing, down, degraded };
std::string_view name_of(HostState state);

struct HostStatus {
    HostState state = HostState::down;
    std::string reason; ///< empty when synced
    bool operator==(const HostStatus&) const = default;
};

struct HostAgent {
    std::shared_ptr<RowsAgent> rows;
    std::shared_ptr<SwitchAgent> flows;
    std::shared_ptr<LibvirtAgent> libvirt; ///< null: the topology names no libvirt there
    HostStatus last_said;                  ///< for one log line per change
    /// Until then a host that has not been synced yet is on its way, and not down.
    SteadyClock::time_point awaited_until{};

    HostStatus status() const;
    /// The same without libvirt's share: how packets fare there.
    HostStatus forwarding() const;
    void stop() const;
};

} // namespace weft::controller
