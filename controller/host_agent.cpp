#include "controller/host_agent.hpp"

namespace weft::controller {

std::string_view name_of(HostState state) {
    switch (state) {
    case HostState::synced:
        return "synced";
    case HostState::syncing:
        return "syncing";
    case HostState::down:
        return "down";
    case HostState::degraded:
        return "degraded";
    }
    return "";
}

HostStatus HostAgent::forwarding() const {
    using Rows = RowsAgent::Phase;
    using Flows = SwitchAgent::Phase;
    if (rows->phase() == Rows::down) return {HostState::down, rows->reason()};
    if (rows->phase() == Rows::refused) return {HostState::degraded, rows->reason()};
    if (flows->phase() == Flows::refused) return {HostState::degraded, flows->reason()};
    if (flows->phase() == Flows::absent)
        return {HostState::down, rows->unmade().empty() ? flows->reason() : rows->unmade()};
    if (rows->phase() == Rows::configuring) return {HostState::syncing, rows->reason()};
    if (flows->phase() != Flows::synced) return {HostState::syncing, flows->reason()};
    return {HostState::synced, ""};
}

HostStatus HostAgent::status() const {
    auto status = forwarding();
    if (status.state == HostState::down && SteadyClock::now() < awaited_until)
        return {HostState::syncing, status.reason};
    if (status.state == HostState::synced && libvirt && libvirt->phase() == LibvirtAgent::Phase::offering)
        return {HostState::syncing, libvirt->reason()};
    return status;
}

void HostAgent::stop() const {
    rows->stop();
    flows->stop();
    if (libvirt) libvirt->stop();
}

} // namespace weft::controller
