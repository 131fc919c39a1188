// Emit: where the stages put the flows of one unit. A unit is a host and one object on it; its flows are a pure
// function of what the stage functions read.
#pragma once
#include "fabric/world.hpp"
#include "pipeline/fields.hpp"
#include "pipeline/punt.hpp"
#include "pipeline/sink.hpp"

namespace weft::fabric {

using namespace pipeline; // stages speak of nothing else

class Emit : public Sink {
  public:
    Emit(SwitchState& out, const HostView& at) : Sink(out), host(at) {}

    const HostView& host; ///< the host that the flows are for
};

inline pipeline::Owner owner_of(const HostView& host) {
    return {Kind::host, host.id, {}};
}
inline pipeline::Owner owner_of(const NetworkCore& network) {
    return {Kind::network, network.id, {}};
}
inline pipeline::Owner owner_of(const ZoneView& zone) {
    if (zone.router) return {Kind::router, *zone.router, {}};
    return {Kind::network, zone.network, {}};
}
inline pipeline::Owner owner_of(const Attachment& attachment) {
    return {Kind::port, attachment.owner, {}};
}

/// The ofport by which a physical network is reached from here; null for other networks, and where there is none.
inline const std::uint32_t* uplink_of(const HostView& host, const NetworkCore& network) {
    if (!network.physical()) return nullptr;
    const auto found = host.facts.uplinks.find(network.physnet);
    return found == host.facts.uplinks.end() ? nullptr : &found->second;
}

/// Plugged in on this host and in its datapath: what comes and goes by the port's ofport can be programmed.
inline bool is_plugged(const Emit& emit, const Attachment& attachment) {
    return attachment.binding.host == emit.host.name && attachment.binding.ofport != 0;
}

/// Its VM is migrating to this host: its interface is there, its guest still speaks elsewhere.
inline bool is_arriving(const Emit& emit, const Attachment& attachment) {
    const auto& arriving = attachment.binding.arriving;
    return arriving && arriving->host == emit.host.name && arriving->ofport != 0;
}

inline bool is_local(const Emit& emit, const Attachment& attachment) {
    return attachment.binding.host == emit.host.name;
}

} // namespace weft::fabric
