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

/// A VXLAN port that is not weft's, on weft's UDP port, to which Open vSwitch gives packets before it thinks of weft's:
/// its options ask more of them.
struct ForeignTunnel {
    std::string interface, port, bridge;
    std::optional<Ip> remote;         ///< it takes what comes from there; none: from anybody
    std::optional<std::uint32_t> vni; ///< of this VNI; none: of any
    bool operator==(const ForeignTunnel&) const = default;
};

/// What a host's OVSDB tells of the host and of what is plugged into its weft bridge.
struct Observation {
    HostFacts facts;
    std::vector<Claim> claims;
    std::map<Ip, bool> reachable;     ///< watched hosts that BFD has news of: VTEP → it forwards
    std::set<std::string> dead_links; ///< physical networks whose uplink has no link
    std::vector<std::string>
        troubles;                   ///< "port weft-vxlan: could not open …": weft's own ports that OVS could not make
    std::vector<std::string> unfit; ///< uplinks that are there, and cannot be uplinks: no trying again helps
    std::string unmade;             ///< why the bridge cannot dial in: ovs-vswitchd has not made it; empty: it has
    std::vector<ForeignTunnel> tunnels;
    bool operator==(const Observation&) const = default;
};
Observation observe(const ovsdb::Replica& replica, const topology::Host& host);

/// What these tunnels take of the VXLAN that is for `host`, each with its remedy.
std::vector<std::string> taken_by(const std::vector<ForeignTunnel>& tunnels, const HostView& host);

/// An uplink's interface and how its device fares.
struct Uplink {
    enum class State { up, no_carrier, admin_down };
    std::string interface;
    State state = State::up;
    bool operator==(const Uplink&) const = default;
};
std::string_view name_of(Uplink::State state);
/// By physical network, of those that Open vSwitch has made. Of a bridge it is weft's patch port, which is always up.
std::map<std::string, Uplink> uplinks_of(const ovsdb::Replica& replica, const topology::Host& host);
/// "eth1 has no carrier"; empty for one that is up.
std::string trouble_of(const Uplink& uplink);

/// The facts of a host that is `now` as the rows `before` made it, once Open vSwitch has made those of `after`. Which
/// numbers it will give to new ports nobody knows: they get any that are not `taken`.
HostFacts facts_under(HostFacts now, const ovsdb::DesiredRows& before, const ovsdb::DesiredRows& after,
                      std::set<std::uint32_t> taken);

} // namespace weft::fabric
