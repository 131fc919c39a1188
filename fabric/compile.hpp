// compile: World → what each host's switch should hold; delta: two Worlds → what must change on one host, at the cost
// of what changed. Both pure and deterministic. The property that tests hold: applying deltas gives what compile gives.
#pragma once
#include "fabric/emit.hpp"
#include "openflow/table.hpp"

#include <string>

namespace weft::fabric {

/// Everything that `host`'s switch should hold. Empty for a host that the world does not have.
SwitchState compile(const World& world, const std::string& host);

/// What turns a switch that holds compile(before, host) into one that holds compile(after, host).
struct SwitchDelta {
    of::FlowDelta flows;
    of::GroupDelta groups;
    of::MeterDelta meters;
    bool empty() const { return flows.empty() && groups.empty() && meters.empty(); }
};

/// Recompiles the units whose inputs differ and no others. `before` may lack the host (then it was empty).
SwitchDelta delta(const World& before, const World& after, const std::string& host);

SwitchDelta diff(const SwitchState& before, const SwitchState& after);

} // namespace weft::fabric
