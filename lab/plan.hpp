// Topology → LabPlan: every namespace, link and address of a lab as a value. Pure: the same topology, lab name and
// placement give the same plan, so a running lab keeps only those inputs (lab/record) and derives the rest again.
// Fed by topology/parse and allocate; read by lab/setup (plan → commands) and by every command of weft-lab.
// Rules: docs/cli.md, section weft-lab.
#pragma once
#include "base/address.hpp"
#include "topology/allocate.hpp"
#include "topology/model.hpp"
#include "topology/parse.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weft::lab {

/// One end of a link.
struct Device {
    std::string netns;
    std::string name; ///< at most 15 characters
    std::optional<Mac> mac;
    bool operator==(const Device&) const = default;
};

/// A veth pair. `far` is the end on a switch or host: taking it down is pulling the cable.
struct Link {
    Device near;
    Device far;
    int mtu = 1500;
    bool operator==(const Link&) const = default;
};

struct RoutePlan {
    std::optional<Prefix> prefix; ///< none: the default route
    Ip via;
    bool by_hand = false; ///< though the interface has the rest from elsewhere: nobody in the lab tells this one
    bool operator==(const RoutePlan&) const = default;
};

/// Where an interface has the addresses and routes of a family from: weft-lab, a DHCP client of its own (of IPv6:
/// beside router advertisements), or router advertisements alone.
enum class Source { fixed, dhcp, slaac };

/// An interface of an endpoint: eth0, or eth0.<vlan> of a trunk.
struct Nic {
    Link link;
    std::uint16_t vlan = 0; ///< 0: untagged
    Source source4 = Source::fixed;
    Source source6 = Source::fixed;
    std::vector<Prefix> addresses; ///< that it has or, where they are not fixed, is to get
    std::vector<RoutePlan> routes;
    bool operator==(const Nic&) const = default;

    Source source(const Ip& of) const { return of.is_v6() ? source6 : source4; }
};

enum class EndpointKind { port, lab_endpoint };

/// A namespace that stands for a VM, or for a machine on a physical network.
struct EndpointPlan {
    std::string name;
    EndpointKind kind = EndpointKind::port;
    std::string netns;
    std::string host; ///< ports: where it is plugged in
    std::vector<Nic> nics;
    std::optional<Link> trunk; ///< trunk ports: splitter → host; the NICs then lead to the splitter
    std::string physnet;       ///< lab endpoints
    std::optional<std::uint16_t> access_vlan;
    bool operator==(const EndpointPlan&) const = default;

    /// The link whose far end is the host's (or physical switch's) interface.
    const Link& plug() const { return trunk ? *trunk : nics.front().link; }
    std::vector<Ip> addresses() const;
};

/// A VM: a libvirt domain with one NIC on the libvirt network of `network`'s name.
struct VmPlan {
    std::string name;
    std::string host; ///< where it was started, or moved to
    std::string network;
    std::string portgroup;
    Mac mac;
    std::uint64_t memory = 0;  ///< bytes
    bool leases = false;       ///< its network gives it an IPv4 address
    std::vector<Ip> addresses; ///< of its port, if it has one in that network
    bool operator==(const VmPlan&) const = default;
};

struct HostPlan {
    std::string name;
    std::string netns;
    std::string bridge; ///< the integration bridge
    Ip control;         ///< where its ovsdb-server listens
    Prefix vtep;        ///< on br-phy; the length makes every other VTEP a neighbour
    Link control_link;
    Link underlay_link;
    std::map<std::string, Link> uplinks; ///< physical network → its NIC's link
    bool operator==(const HostPlan&) const = default;
};

/// A physical network's switch: an OVS bridge in the lab's switch namespace.
struct PhysnetPlan {
    std::string bridge;
    std::map<std::string, std::optional<std::uint16_t>> ports; ///< device → access VLAN
    bool operator==(const PhysnetPlan&) const = default;
};

struct LabPlan {
    std::string name;
    std::string underlay_netns; ///< Linux bridges "underlay" and "control"
    std::string control_netns;  ///< weftd
    std::string switch_netns;   ///< the OVS of physical networks and of the trunk splitter
    Link control_link;          ///< weftd's
    Ip control;                 ///< weftd's address
    std::vector<HostPlan> hosts;
    std::vector<EndpointPlan> endpoints; ///< ports in file order, then lab endpoints
    std::vector<VmPlan> vms;             ///< any: every host has a libvirtd
    std::map<std::string, PhysnetPlan> physnets;
    bool operator==(const LabPlan&) const = default;

    bool has_switch() const;
    const HostPlan* host(const std::string& wanted) const;
    const EndpointPlan* endpoint(const std::string& wanted) const;
    const VmPlan* vm(const std::string& wanted) const;
    std::vector<std::string> namespaces() const;
};

/// Port or VM → host, where it differs from the topology's: what `move` did.
using Placement = std::map<std::string, std::string>;

struct Planned {
    LabPlan plan;
    std::vector<topology::Problem> problems; ///< any: the plan must not be used
};

/// `controller`: there will be a weftd; without one nobody serves addresses and all are fixed.
Planned make_plan(const topology::Topology& topology, const topology::Allocations& allocations,
                  const std::string& lab_name, const Placement& moved, bool controller = true);

/// Unique by `index`, readable by `name`, cut to the 15 characters of a Linux interface name: "v3-web1".
std::string device_name(std::string_view letter, std::size_t index, std::string_view name);

/// The longest prefix (at most `longest`) of which every address is an ordinary host address.
Prefix covering(const std::vector<Ip>& addresses, int longest);

/// How far off the trunk splitter's and sub-networks' own routing tables are: table = kTrunkTable + VLAN.
inline constexpr int kTrunkTable = 10000;
inline constexpr std::string_view kUnderlayDevice = "underlay0";
inline constexpr std::string_view kControlDevice = "control0";
inline constexpr std::string_view kSplitter = "splitter";

} // namespace weft::lab
