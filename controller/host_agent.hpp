// HostAgent: one host as an admin sees it: its rows (RowsAgent) and its switch (SwitchAgent) under one state.
#pragma once
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
    HostStatus last_said; ///< for one log line per change

    HostStatus status() const;
    void stop() const;
};

} // namespace weft::controller
