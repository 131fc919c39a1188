// World: everything a plan is a function of, as one immutable value with shared parts. The topology, its allocations,
// what is plugged in where and what the hosts told about themselves enter; compile (fabric/compile) reads nothing else.
// A new World shares every part that did not change with the one before it, so that a comparison of two is a walk over
// pointers and a change costs what it touches.
#pragma once
#include "base/ids.hpp"
#include "topology/allocate.hpp"
#include "topology/model.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weft::fabric {

/// Where a port is plugged in, decided from claims (fabric/bindings).
struct Binding {
    std::string host;
    std::string interface;
    std::uint32_t ofport = 0; ///< 1..0xfeff
    bool operator==(const Binding&) const = default;
};
using Bindings = std::map<std::string, Binding>; ///< by port name

/// What weft has seen on one host's OVSDB and asks of compile. A host that was never reached has none of it.
struct HostFacts {
    std::optional<Ip> vtep;                       ///< from the topology or weftd's settings
    std::uint32_t vxlan_ofport = 0;               ///< 0: not there yet
    std::map<std::string, std::uint32_t> uplinks; ///< physical network → ofport
    bool nd_ext = false;                          ///< Datapath.capabilities: ND options can be rewritten
    bool operator==(const HostFacts&) const = default;
};

/// One port in one network, with all that any host needs to know of it.
struct Attachment {
    std::string port;
    ObjectId owner; ///< the port: cookies
    ObjectId id;    ///< the attachment: registers
    Mac mac;
    std::vector<Ip> ips;         ///< the port's own: answered in the switch
    std::vector<Prefix> allowed; ///< further sources
    bool port_security = true;
    std::optional<std::uint16_t> vlan; ///< tag on the port's side; none: untagged
    bool leads = false;                ///< of a port's attachments, the one that carries the port's own flows
    Binding binding;
    std::optional<Ip> vtep; ///< of the binding's host
    bool operator==(const Attachment&) const = default;
};
using AttachmentPtr = std::shared_ptr<const Attachment>;

/// What all flows of a network share.
struct NetworkCore {
    std::string name;
    ObjectId id;
    std::uint32_t group_number = 0; ///< 24 bits
    topology::NetworkKind kind = topology::NetworkKind::vxlan;
    std::uint32_t vni = 0;
    std::uint16_t vlan = 0;
    std::string physnet;
    bool addressed = false; ///< has a subnet of either family: port security knows addresses
    bool operator==(const NetworkCore&) const = default;
    bool physical() const { return kind == topology::NetworkKind::vlan || kind == topology::NetworkKind::flat; }
};

/// A network and the ports that are plugged into it anywhere.
struct NetworkView {
    NetworkCore core;
    std::map<std::string, AttachmentPtr> bound;     ///< by port name
    std::map<std::string, std::optional<Ip>> hosts; ///< hosts with a bound port → their VTEP
    bool operator==(const NetworkView& other) const;
};
using NetworkPtr = std::shared_ptr<const NetworkView>;

struct HostView {
    std::string name;
    ObjectId id;
    HostFacts facts;
    std::map<std::string, NetworkPtr> networks; ///< present here: a bound port of theirs is plugged in on this host
    /// VTEPs of the other hosts that share a vxlan network with this one. VXLAN from anyone else is dropped.
    std::set<Ip> peers;
    bool operator==(const HostView&) const = default;
};
using HostPtr = std::shared_ptr<const HostView>;

struct World {
    std::shared_ptr<const topology::Topology> topology;
    std::map<std::string, NetworkPtr> networks;
    std::map<std::string, HostPtr> hosts;
};
using WorldPtr = std::shared_ptr<const World>;

struct Inputs {
    std::shared_ptr<const topology::Topology> topology;
    const topology::Allocations& allocations;
    const Bindings& bindings;
    const std::map<std::string, HostFacts>& facts; ///< by host name
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
