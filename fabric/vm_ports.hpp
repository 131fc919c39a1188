// VM ports: which NIC of which VM is which port. Ports of the topology that name a `vm` and no `mac` get the MAC of a
// NIC of that VM; a NIC on one of weft's libvirt networks that is no port of the topology's becomes a *dynamic* port.
// Pure. Fed by what libvirt of each host tells; feeds the topology in force and, by MACs, the judging of claims
// (fabric/bindings). The rules are docs/topology.md's and docs/libvirt.md's.
#pragma once
#include "base/address.hpp"
#include "fabric/bindings.hpp"
#include "topology/allocate.hpp"
#include "topology/model.hpp"
#include "topology/portgroup.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace weft::fabric {

enum class VmState {
    off,
    running,
    paused,
    arriving, ///< migrating in: its guest still runs on another host
};

/// A NIC of a VM, as libvirt tells.
struct VmNic {
    Mac mac;
    std::string network;           ///< weft's network, whose libvirt network it is on; empty: on none of weft's
    topology::PortProfile profile; ///< of its portgroup; of a NIC on a network of weft's
    bool on_bridge = false;        ///< plugged into weft's bridge, by a network of weft's or directly
    std::string source;            ///< for people: "network default", "bridge br0"
    bool unknown = false;          ///< on a libvirt network that its host does not have, or does not tell of
    bool operator==(const VmNic&) const = default;
};

struct Vm {
    std::string name;
    VmState state = VmState::off;
    std::vector<VmNic> nics; ///< in libvirt's order
    bool operator==(const Vm&) const = default;
};

/// What one host tells of its VMs.
struct HostVms {
    bool current = false;          ///< false: libvirt is not reached, and this is what it told before
    std::map<std::string, Vm> vms; ///< by UUID
    bool operator==(const HostVms&) const = default;
};

/// A port that the topology does not name, with the hosts whose libvirt has its NIC. It is gone with the NIC.
struct DynamicPort {
    topology::Port port; ///< kept: name, network, vm, mac, ip, ip6, security_groups, qos
    std::string uuid;    ///< of its VM: another VM's NIC with that MAC is not this port
    std::set<std::string> hosts;
    bool operator==(const DynamicPort&) const = default;
};

struct VmPorts {
    std::map<std::string, DynamicPort> dynamic; ///< by port name
    std::map<std::string, PortNic> nics;        ///< of ports of the file with `vm`, as far as they are known
    /// What is not as somebody wanted, by what it is about ("port web1", "vm web1"): a sentence with the remedy.
    std::map<std::string, std::string> troubles;
    bool operator==(const VmPorts&) const = default;

    /// Of all ports of VMs: what a claim must have (fabric/bindings).
    PortNics claimed_by() const;
    /// Of ports whose topology names no MAC.
    topology::ObservedMacs macs(const topology::Topology& written) const;
};

/// `written`: the topology's file, without dynamic ports. `told`: by host name; a host of `written` that is missing has
/// not been heard of yet. `before`: a port keeps its name and its MAC. `held`: dynamic ports whose NIC is on its way.
VmPorts vm_ports(const topology::Topology& written, const std::map<std::string, HostVms>& told, const VmPorts& before,
                 const std::set<std::string>& held);

/// `written` with the dynamic ports that can be in it. Those that cannot (their network or group is gone) are left out,
/// with a sentence in `troubles`: a port never loses its groups and stays open.
topology::Topology with_dynamic_ports(const topology::Topology& written, VmPorts& ports);

/// The name of the n-th port of a VM: "web1-2". What no name of the topology may have becomes '-'.
std::string dynamic_port_name(const std::string& vm, std::size_t n);

} // namespace weft::fabric
