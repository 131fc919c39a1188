// Emit: where the stages put the flows of one unit. A unit is a host and one object on it; its flows are a pure
// function of what the stage functions read.
#pragma once
#include "fabric/registers.hpp"
#include "fabric/world.hpp"
#include "openflow/flow.hpp"
#include "pipeline/cookie.hpp"

#include <vector>

namespace weft::fabric {

/// The flows, groups and meters of one host, or of some of its units.
struct SwitchState {
    std::vector<of::Flow> flows;
    std::vector<of::GroupEntry> groups;
    std::vector<of::MeterEntry> meters;
    bool operator==(const SwitchState&) const = default;
};

class Emit {
  public:
    Emit(SwitchState& out, const HostView& at) : host(at), out_(out) {}

    void flow(pipeline::Stage stage, std::uint16_t priority, pipeline::Owner owner, of::Match match,
              of::Actions actions) {
        out_.flows.push_back(
            {pipeline::table_of(stage), priority, pipeline::cookie(owner), std::move(match), std::move(actions)});
    }
    void drop(pipeline::Stage stage, std::uint16_t priority, pipeline::Owner owner, pipeline::Reason reason,
              of::Match match) {
        owner.reason = reason;
        flow(stage, priority, owner, std::move(match), {});
    }
    void group(of::GroupEntry entry) { out_.groups.push_back(std::move(entry)); }

    const HostView& host; ///< the host that the flows are for

  private:
    SwitchState& out_;
};

inline pipeline::Owner owner_of(const HostView& host) {
    return {Kind::host, host.id, {}};
}
inline pipeline::Owner owner_of(const NetworkCore& network) {
    return {Kind::network, network.id, {}};
}
inline pipeline::Owner owner_of(const Attachment& attachment) {
    return {Kind::port, attachment.owner, {}};
}

/// Plugged in on this host and in its datapath: what comes and goes by the port's ofport can be programmed.
inline bool is_plugged(const Emit& emit, const Attachment& attachment) {
    return attachment.binding.host == emit.host.name && attachment.binding.ofport != 0;
}

inline bool is_local(const Emit& emit, const Attachment& attachment) {
    return attachment.binding.host == emit.host.name;
}

} // namespace weft::fabric
