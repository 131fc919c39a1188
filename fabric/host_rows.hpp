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

/// The bridge, its controllers, the VXLAN port (if the host has a VTEP) and the uplinks. `host.datapath` must be set.
ovsdb::DesiredRows desired_rows(const topology::Host& host, const std::vector<std::string>& controllers);

/// What a host's OVSDB tells of the host and of what is plugged into its weft bridge.
struct Observation {
    HostFacts facts;
    std::vector<Claim> claims;
    std::vector<std::string>
        troubles; ///< "port weft-vxlan: could not open …": weft's own ports that OVS could not make
    bool operator==(const Observation&) const = default;
};
Observation observe(const ovsdb::Replica& replica, const topology::Host& host);

} // namespace weft::fabric
