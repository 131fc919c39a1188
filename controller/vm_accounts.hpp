// What hosts tell of VMs, in the words of fabric/vm_ports; and the networks that weft offers to libvirt. Translates:
// pure. Fed by virt::Snapshot and by claims of OVSDB; feeds Intent and LibvirtAgent.
#pragma once
#include "fabric/bindings.hpp"
#include "fabric/vm_ports.hpp"
#include "topology/model.hpp"
#include "virt/snapshot.hpp"

#include <map>
#include <string>
#include <vector>

namespace weft::controller {

/// The VMs of a host's libvirt. `bridge`: weft's on that host.
std::map<std::string, fabric::Vm> vms_of(const virt::Snapshot& snapshot, const std::string& bridge);

/// NICs that OVSDB alone tells of, by external_ids vm-id, attached-mac and port-profile, added to what libvirt said
/// last: for a host whose libvirt is not reached, or that has none. A VM that libvirt never named is called by the
/// first eight digits of its UUID.
void add_claimed(fabric::HostVms& account, const std::vector<fabric::Claim>& claims,
                 const topology::Topology& topology);

/// Whether a network can be plugged into on a host: it is no physical one, or the host has its uplink.
bool is_offered(const topology::Network& network, const topology::Host& host);

/// The libvirt networks of a host, by name: one for each network that is offered there, with a portgroup for each
/// security group, each QoS class, and each combination that a port of a VM has (topology/portgroup).
std::map<std::string, virt::NetworkDefinition> offered_networks(const topology::Topology& topology,
                                                                const topology::Host& host);

} // namespace weft::controller
