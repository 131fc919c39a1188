// The OVSDB side of a host: which rows it should hold, and what its rows say.
#pragma once
#include "fabric/bindings.hpp"
#include "fabric/world.hpp"
#include "ovsdb/desired.hpp"
#include "ovsdb/replica.hpp"
#include "topology/model.hpp"

#include <string>
#include <vector>

namespace weft::fabric {

/// The datapath id of a host's bridge: the bridge names its host by it when it dials in. 48 bits, never 0.
std::uint64_t datapath_id(const std::string& host);

/// What a host's rows depend on beside the host as the topology has it.
struct RowsContext {
    std::vector<std::string> controllers; ///< targets
    std::set<Ip> watched;                 ///< VTEPs of hosts that a BFD session runs with
    bool withdrawn = false; ///< tells them all that its path ends here: not to be used for a gateway (bfd:cpath_down)
    RowsQos qos;
    bool operator==(const RowsContext&) const = default;
};

/// The bridge, its controllers, the VXLAN port (if the host has a VTEP), a point-to-point VXLAN port with BFD for each
/// watched host, the uplinks, and the shapers: of what goes to ports with a rate, and on uplinks for guarantees.
/// `host.datapath` must be set.
ovsdb::DesiredRows desired_rows(const topology::Host& host, const RowsContext& context);

/// What a host's OVSDB tells of the host and of what is plugged into its weft bridge.
struct Observation {
    HostFacts facts;
    std::vector<Claim> claims;
    std::map<Ip, bool> reachable;     ///< watched hosts that BFD has news of: VTEP → it forwards
    std::set<std::string> dead_links; ///< physical networks whose uplink has no link
    std::vector<std::string>
        troubles; ///< "port weft-vxlan: could not open …": weft's own ports that OVS could not make
    bool operator==(const Observation&) const = default;
};
Observation observe(const ovsdb::Replica& replica, const topology::Host& host);

/// The facts of a host that is `now` as the rows `before` made it, once Open vSwitch has made those of `after`. Which
/// numbers it will give to new ports nobody knows: they get any that are not `taken`.
HostFacts facts_under(HostFacts now, const ovsdb::DesiredRows& before, const ovsdb::DesiredRows& after,
                      std::set<std::uint32_t> taken);

} // namespace weft::fabric
