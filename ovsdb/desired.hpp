// What one host's OVSDB should hold of weft's, as values. The fabric's compiler makes it of the topology; plan_rows
// compares it with the replica. Every row weft makes carries external_ids:weft = owner_mark.
#pragma once
#include "ovsdb/rows.hpp"

#include <vector>

namespace weft::ovsdb {

inline constexpr std::string_view kMark = "weft";             ///< the key in external_ids that makes a row weft's
inline constexpr std::string_view kKeyPrefix = "weft-";       ///< of every other key weft writes
inline constexpr std::string_view kUplinkKey = "weft-uplink"; ///< on an uplink's interface: the physnet
inline constexpr std::string_view kRoleKey = "weft-role";     ///< on an interface: "vxlan", "bfd"
inline constexpr std::string_view kPeerKey = "weft-peer";     ///< on a "bfd" interface: the other end's VTEP
inline constexpr std::string_view kShaperType = "linux-htb";
inline constexpr std::string_view kVxlanPort = "weft-vxlan";

/// The integration bridge. Made with fail_mode=secure, in-band control off and its controllers at once.
struct DesiredBridge {
    std::string name;
    std::string datapath_type = "netdev"; ///< "netdev", "system" or "dummy"
    std::string datapath_id;              ///< 16 lower-case hex digits, not all zero
    std::vector<std::string> controllers; ///< targets, "ssl:192.0.2.1:6653"
    std::set<std::string> protocols{"OpenFlow14", "OpenFlow15"};
    bool operator==(const DesiredBridge&) const = default;
};

/// One port with one interface of the same name on weft's bridge.
struct DesiredPort {
    std::string name;
    std::string type; ///< "vxlan", "internal", "" for a NIC
    StringMap options;
    StringMap bfd;
    StringMap external_ids; ///< of the interface, beside the mark
    bool operator==(const DesiredPort&) const = default;
};

/// A QoS row of type linux-htb and its Queue rows, in the words of ovs-vswitchd.conf.db(5): rates in bits a second,
/// "burst" in bits.
struct DesiredShaper {
    StringMap other_config;
    std::map<std::int64_t, StringMap> queues; ///< other_config of each, by number
    bool operator==(const DesiredShaper&) const = default;
};

struct DesiredRows {
    std::string owner_mark; ///< value of external_ids:weft: the host's name
    DesiredBridge bridge;
    std::map<std::string, DesiredPort> ports; ///< by name
    /// Physnet → NIC or bridge. A target that is a bridge of the host other than weft's is joined by a pair of patch
    /// ports, any other becomes a port of weft's bridge. Either way weft's interface carries weft-uplink=<physnet>.
    std::map<std::string, std::string> uplinks;
    /// Interface name → keys "weft-…" for external_ids of interfaces that are not weft's own. Interfaces that do not
    /// exist (yet) are passed over; keys of that prefix that stand nowhere here are removed.
    std::map<std::string, StringMap> interface_keys;
    /// Interface name → what Port.qos of its port leads to. Ports of weft's bridge only; a port whose QoS is somebody
    /// else's is left alone.
    std::map<std::string, DesiredShaper> shapers;
    /// Who is plugged in is not known yet: QoS and Queue rows stay as they are.
    bool keeps_shapers = false;
    bool operator==(const DesiredRows&) const = default;
};

} // namespace weft::ovsdb
