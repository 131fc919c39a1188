#include "controller/vm_accounts.hpp"

#include <algorithm>
#include <set>

namespace weft::controller {
namespace {

fabric::VmState state_of(virt::DomainState state) {
    switch (state) {
    case virt::DomainState::off:
        return fabric::VmState::off;
    case virt::DomainState::running:
        return fabric::VmState::running;
    case virt::DomainState::paused:
        return fabric::VmState::paused;
    case virt::DomainState::migrating_in:
        return fabric::VmState::arriving;
    }
    return fabric::VmState::off;
}

fabric::VmNic nic_of(const virt::Nic& nic, const virt::Snapshot& snapshot, const std::string& bridge) {
    fabric::VmNic result{.mac = nic.mac};
    // Of a running domain the type says what libvirt made of the network.
    if (!nic.network.empty())
        result.source = "network " + nic.network;
    else if (!nic.bridge.empty())
        result.source = "bridge " + nic.bridge;
    else
        result.source = "type " + nic.type;
    const auto network = snapshot.networks.find(nic.network);
    const bool offered = network != snapshot.networks.end() && network->second.live.mark == nic.network;
    if (offered) {
        const auto profile = topology::parse_portgroup(nic.portgroup.empty() ? topology::kPlainPortgroup
                                                                             : std::string_view(nic.portgroup));
        if (profile) {
            result.network = nic.network;
            result.profile = *profile;
        }
    }
    result.unknown = !nic.network.empty() && network == snapshot.networks.end();
    result.on_bridge = offered || (nic.bridge == bridge && nic.virtualport == "openvswitch");
    return result;
}

std::set<std::string> portgroups_of(const topology::Topology& topology) {
    std::set<std::string> names{std::string(topology::kPlainPortgroup)};
    for (const auto& [group, _] : topology.security_groups)
        names.insert(topology::portgroup_name({{group}, ""}));
    for (const auto& [qos, _] : topology.qos)
        names.insert(topology::portgroup_name({{}, qos}));
    for (const auto& [_, port] : topology.ports)
        if (!port.vm.empty())
            names.insert(topology::portgroup_name(topology::port_profile(port.security_groups, port.qos)));
    return names;
}

/// What an interface's port-profile means, if weft gave it.
std::optional<std::pair<std::string, topology::PortProfile>> meaning_of(const std::string& profile_id,
                                                                        const topology::Topology& topology) {
    if (const auto slash = profile_id.find('/');
        slash != std::string::npos && profile_id.find('~') == std::string::npos) {
        const auto profile = topology::parse_portgroup(std::string_view(profile_id).substr(slash + 1));
        if (profile && topology.networks.contains(profile_id.substr(0, slash)))
            return std::pair(profile_id.substr(0, slash), *profile);
        return std::nullopt;
    }
    const auto portgroups = portgroups_of(topology);
    for (const auto& [network, _] : topology.networks) {
        // Either form begins with the network's name, as far as it goes.
        if (profile_id.compare(0, 20, network + "/", 0, 20) != 0 && !profile_id.starts_with(network + "/")) continue;
        for (const auto& portgroup : portgroups)
            if (virt::profile_id(network, portgroup) == profile_id)
                return std::pair(network, topology::parse_portgroup(portgroup).value_or(topology::PortProfile{}));
    }
    return std::nullopt;
}

} // namespace

std::map<std::string, fabric::Vm> vms_of(const virt::Snapshot& snapshot, const std::string& bridge) {
    std::map<std::string, fabric::Vm> vms;
    for (const auto& [name, domain] : snapshot.domains) {
        fabric::Vm vm{name, state_of(domain.state), {}};
        for (const auto& nic : domain.nics)
            vm.nics.push_back(nic_of(nic, snapshot, bridge));
        vms.emplace(domain.uuid, std::move(vm));
    }
    return vms;
}

void add_claimed(fabric::HostVms& account, const std::vector<fabric::Claim>& claims,
                 const topology::Topology& topology) {
    for (const auto& claim : claims) {
        if (claim.vm_id.empty() || claim.profile.empty() || !claim.attached_mac) continue;
        const auto meaning = meaning_of(claim.profile, topology);
        if (!meaning) continue;
        auto& vm = account.vms[claim.vm_id];
        if (vm.name.empty()) vm.name = "vm-" + claim.vm_id.substr(0, 8);
        vm.state = fabric::VmState::running;
        // What OVSDB says is newer than what libvirt said.
        std::erase_if(vm.nics, [&](const fabric::VmNic& nic) { return nic.mac == *claim.attached_mac; });
        vm.nics.push_back({.mac = *claim.attached_mac,
                           .network = meaning->first,
                           .profile = meaning->second,
                           .on_bridge = true,
                           .source = "network " + meaning->first});
    }
}

bool is_offered(const topology::Network& network, const topology::Host& host) {
    return !network.physical() || host.uplinks.contains(network.physnet);
}

std::map<std::string, virt::NetworkDefinition> offered_networks(const topology::Topology& topology,
                                                                const topology::Host& host) {
    std::map<std::string, virt::NetworkDefinition> networks;
    std::map<std::string, bool> portgroups;
    for (const auto& portgroup : portgroups_of(topology))
        portgroups.emplace(portgroup, portgroup == topology::kPlainPortgroup);
    for (const auto& [name, network] : topology.networks)
        if (is_offered(network, host)) networks.emplace(name, virt::wanted_network(name, host.bridge, portgroups));
    return networks;
}

} // namespace weft::controller
