// World: everything a plan is a function of, as one immutable value with shared parts. The topology, its allocations,
// what is plugged in where and what the hosts told about themselves enter; compile (fabric/compile) reads nothing else.
// A new World shares every part that did not change with the one before it, so that a comparison of two is a walk over
// pointers and a change costs what it touches.
#pragma once
#include "base/ids.hpp"
#include "fabric/policy.hpp"
#include "nat/gateway.hpp"
#include "topology/allocate.hpp"
#include "topology/model.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weft::fabric {

/// An interface of a host's bridge.
struct Plug {
    std::string host;
    std::string interface;
    std::uint32_t ofport = 0; ///< 1..0xfeff; 0: not in the datapath
    bool operator==(const Plug&) const = default;
};

/// Where a port is plugged in, decided from claims (fabric/bindings).
struct Binding : Plug {
    /// Where its VM is migrating to: programmed, but the traffic stays until the guest speaks there.
    std::optional<Plug> arriving;
    bool operator==(const Binding&) const = default;
};
using Bindings = std::map<std::string, Binding>; ///< by port name

/// What weft has seen on one host's OVSDB and asks of compile. A host that was never reached has none of it.
struct HostFacts {
    std::optional<Ip> vtep;                       ///< from the topology or weftd's settings
    std::uint32_t vxlan_ofport = 0;               ///< 0: not there yet
    std::map<std::string, std::uint32_t> uplinks; ///< physical network → ofport
    std::map<Ip, std::uint32_t> watched;          ///< other host's VTEP → ofport of the BFD session with it
    bool nd_ext = false;                          ///< Datapath.capabilities: ND options can be rewritten
    bool userspace = false;                       ///< its datapath is Open vSwitch's own, "netdev"
    bool queues = false; ///< an uplink is a NIC of the bridge, and its datapath (Linux) puts packets in queues
    bool operator==(const HostFacts&) const = default;
};

/// Who answered for an address of a physical network: (network, address) → MAC.
using Neighbours = std::map<std::pair<std::string, Ip>, Mac>;

/// Uplinks without a link: host → physical networks.
using DeadLinks = std::map<std::string, std::set<std::string>>;

/// A next hop of gateways on a public network, as one host hears it.
struct NextHopAt {
    std::string host, network;
    Ip ip;
    auto operator<=>(const NextHopAt&) const = default;
};
/// Next hops that answer another host, but not this one.
using Unanswered = std::set<NextHopAt>;

/// Candidates of gateways, (gateway, host), that are ready again and whose switch does not know it yet.
using Returning = std::set<std::pair<std::string, std::string>>;

/// What hosts showed of themselves and of others over time, beyond their own facts. Flows depend on it, so the daemon
/// keeps it.
struct Learnt {
    Neighbours neighbours;
    std::set<std::string> out_of_service; ///< hosts that gateways' traffic keeps away from until they are synced
    DeadLinks dead_links;
    Returning returning;
    std::set<std::string> absent; ///< hosts that are nobody's edge: the daemon has lost them
    Unanswered unanswered;
    bool operator==(const Learnt&) const = default;
    bool is_dead(const std::string& host, const std::string& physnet) const {
        const auto dead = dead_links.find(host);
        return dead != dead_links.end() && dead->second.contains(physnet);
    }
};

/// The rates of a port's QoS class.
struct PortQos {
    std::string name;
    std::optional<topology::Rate> egress;  ///< from the VM
    std::optional<topology::Rate> ingress; ///< to the VM
    std::optional<std::uint8_t> dscp;
    std::optional<std::uint64_t> guarantee; ///< bits a second
    bool operator==(const PortQos&) const = default;
};

/// One port in one network, with all that any host needs to know of it.
struct Attachment {
    std::string port;
    ObjectId owner; ///< the port: cookies
    ObjectId id;    ///< the attachment: registers
    Mac mac;
    std::vector<Ip> ips;          ///< the port's own: answered in the switch
    std::vector<Prefix> allowed;  ///< further sources
    std::vector<GroupPtr> groups; ///< its security groups, in the file's order
    bool port_security = true;
    std::optional<std::uint16_t> vlan; ///< tag on the port's side; none: untagged
    std::optional<PortQos> qos;
    bool leads = false; ///< of a port's attachments, the one that carries the port's own flows
    Binding binding;
    bool served = false;             ///< leads, and the port is in a network with a service: it needs the port's meter
    std::optional<Ip> vtep;          ///< of the binding's host
    std::optional<Ip> arriving_vtep; ///< of the host that it is arriving at
    bool operator==(const Attachment&) const = default;
};
using AttachmentPtr = std::shared_ptr<const Attachment>;

/// A network's router, as the network sees it.
struct Routed {
    ObjectId router;
    Mac mac;
    std::optional<Ip> gateway, gateway6; ///< the router's addresses here
    bool operator==(const Routed&) const = default;
    /// All of them, its link-local one included where the network has IPv6.
    std::vector<Ip> addresses() const;
};

/// What answers the guests of a network that ask for addresses and names: DHCP, router advertisements, DNS.
struct Service {
    Mac mac; ///< the router's, or where there is none one of its own
    /// Where it is asked for names: the router's addresses, or one that was allocated; beside it, where the network has
    /// IPv6, the link-local one of `mac`.
    std::vector<Ip> addresses;
    bool operator==(const Service&) const = default;
};

/// An entry of a network's ACL. Its id is of the network's name and of what the entry says.
struct AclEntry {
    ObjectId id;
    topology::AclEntry entry;
    bool operator==(const AclEntry&) const = default;
};

/// What all flows of a network share.
struct NetworkCore {
    std::string name;
    ObjectId id;
    std::uint32_t group_number = 0; ///< 24 bits
    topology::NetworkKind kind = topology::NetworkKind::vxlan;
    std::uint32_t vni = 0;
    std::uint16_t vlan = 0;
    std::string physnet;
    std::uint16_t mtu = 1500;
    bool addressed = false; ///< has a subnet of either family: port security knows addresses
    std::optional<Routed> routed;
    std::optional<Service> service;
    std::uint16_t zone = 0; ///< of the connection tracker: its router's, or its own
    bool tracked = false;   ///< some port of the zone has security groups
    std::vector<AclEntry> acl;
    std::string edge;          ///< of a routed physical network: the host that is its router toward the wire; or none
    bool has_gateways = false; ///< it is the public network of gateways
    std::set<Ip> nexthops;     ///< of these
    std::optional<Prefix> subnet, subnet6;
    bool operator==(const NetworkCore&) const = default;
    bool contains(const Ip& ip) const { return (subnet && subnet->contains(ip)) || (subnet6 && subnet6->contains(ip)); }
    bool physical() const { return kind == topology::NetworkKind::vlan || kind == topology::NetworkKind::flat; }
    /// The MAC that an address of weft's own has here: a router's, the service's.
    std::optional<Mac> own_mac(const Ip& ip) const;
};

/// A network and the ports that are plugged into it anywhere.
struct NetworkView {
    NetworkCore core;
    std::map<std::string, AttachmentPtr> bound;     ///< by port name
    std::map<std::string, std::optional<Ip>> hosts; ///< hosts with a bound or arriving port → their VTEP
    std::map<Ip, Mac> neighbours;                   ///< of a routed physical network: who is not a port
    bool operator==(const NetworkView& other) const;
};
using NetworkPtr = std::shared_ptr<const NetworkView>;

/// A router's place in a network.
struct Leg {
    std::string network;
    ObjectId network_id;
    std::optional<Prefix> subnet, subnet6;
    std::optional<Ip> gateway, gateway6;
    std::uint16_t mtu = 1500;
    bool operator==(const Leg&) const = default;
};

struct StaticRoute {
    Prefix prefix;
    Ip via;
    std::size_t leg = 0; ///< the network that `via` is in
    bool operator==(const StaticRoute&) const = default;
};

struct RouterView {
    std::string name;
    ObjectId id;
    Mac mac; ///< the same in all its networks and on every host
    std::vector<Leg> legs;
    std::vector<StaticRoute> routes;
    std::optional<ObjectId> gateway;
    bool gateway_has_ip4 = false, gateway_has_ip6 = false;
    std::uint16_t gateway_mtu = 0;
    std::uint16_t largest_mtu = 0; ///< of its networks and its gateway's
    bool operator==(const RouterView&) const = default;
};
using RouterPtr = std::shared_ptr<const RouterView>;

/// A router's MAC. 06: is locally administered.
Mac router_mac(std::string_view router);
/// The MAC of the service of a network without a router. 16: is locally administered.
Mac service_mac(std::string_view network);
/// What a host routes onto a physical network carries this MAC, so that no router's is seen on two switch ports. 02:.
Mac host_mac(std::string_view host, std::string_view physnet);

/// What a host's rows say of QoS.
struct RowsQos {
    std::map<std::string, topology::Rate> shaped;      ///< by interface: the rate of what goes to its port
    std::map<std::uint32_t, std::uint64_t> guaranteed; ///< by queue of the uplinks: bits a second
    bool marks = false; ///< some port of the fabric is marked by DSCP: the outer header shows what the inner one does
    bool operator==(const RowsQos&) const = default;
};

struct HostView {
    std::string name;
    ObjectId id;
    HostFacts facts;
    /// Present here: a bound port of theirs is plugged in on this host, or this host is their edge, or may translate
    /// there.
    std::map<std::string, NetworkPtr> networks;
    /// Not present, but a router leads there from a network that is.
    std::map<std::string, NetworkPtr> reached;
    std::map<std::string, RouterPtr> routers; ///< of networks present here, or of gateways that may be active here
    std::map<std::string, nat::GatewayPtr> gateways; ///< of those routers, and what shares their public networks
    /// The public networks where it may translate: is a candidate, or has a distributed floating IP's port.
    std::set<std::string> translating;
    /// VTEPs of the other hosts that share a vxlan network or a router with this one. VXLAN from anyone else is
    /// dropped.
    std::set<Ip> peers;
    /// Of these the ones that a BFD session runs with: this host or they may be active for a gateway.
    std::set<Ip> watched;
    std::map<std::uint16_t, ZonePtr> zones;     ///< where connections are tracked here
    std::map<std::string, HostGroupPtr> groups; ///< of ports plugged in here
    RowsQos qos;
    bool operator==(const HostView&) const = default;
};
using HostPtr = std::shared_ptr<const HostView>;

/// The queue of a port plugged in here, on the uplinks; nothing where it has no guarantee, or it cannot be kept.
std::optional<std::uint32_t> queue_of(const HostView& host, const Attachment& attachment);

struct World {
    std::shared_ptr<const topology::Topology> topology;
    std::map<std::string, NetworkPtr> networks;
    std::map<std::string, RouterPtr> routers;
    std::map<std::string, nat::GatewayPtr> gateways;
    std::map<std::string, GroupPtr> groups;
    Memberships memberships; ///< of the groups that rules name
    std::map<std::string, HostPtr> hosts;
};
using WorldPtr = std::shared_ptr<const World>;

struct Inputs {
    std::shared_ptr<const topology::Topology> topology;
    const topology::Allocations& allocations;
    const Bindings& bindings;
    const std::map<std::string, HostFacts>& facts; ///< by host name
    const Learnt& learnt;
};

/// Which networks a change can have touched; `all` where that is not known.
struct Touched {
    bool all = false;
    std::set<std::string> networks;
    std::set<std::string> hosts; ///< facts of these hosts changed
};

/// The networks a port is in: its own (unless native is false) and its trunk's.
std::vector<std::string> networks_of(const topology::Port& port);

/// Pure. Parts equal to `previous`'s are shared with it. `touched` limits the work; the result equals a build with
/// `all` whenever it names at least what changed.
WorldPtr build(const Inputs& inputs, const WorldPtr& previous, const Touched& touched);

} // namespace weft::fabric
