#include "topology/addresses.hpp"
#include "topology/rules.hpp"

#include <algorithm>

namespace weft::topology {
namespace {

/// `ip` of a port or trunk entry against its network's subnet of that family.
void check_address(const Ip& ip, const Network& network, const Origin& where, bool gateway_is_ours,
                   Findings& findings) {
    const auto& subnet = ip.is_v6() ? network.subnet6 : network.subnet;
    const auto& gateway = ip.is_v6() ? network.gateway6 : network.gateway;
    const auto* key = ip.is_v6() ? "subnet6" : "subnet";
    if (!subnet) {
        if (!network.origin.malformed(key))
            findings.error(where, fmt::format("network '{}' has no '{}' for {}", network.name, key, ip.to_string()),
                           fmt::format("give the network a '{}', or use 'allowed_addresses'", key), network.origin);
        return;
    }
    if (const auto why = unfit(ip, *subnet); !why.empty())
        findings.error(where, fmt::format("{} {}, the {} of network '{}'", ip.to_string(), why, key, network.name),
                       "choose another address, or leave it out to have one allocated", network.origin.at(key));
    else if (gateway_is_ours && gateway == ip)
        findings.error(where, fmt::format("{} is the router's address in network '{}'", ip.to_string(), network.name),
                       "choose another address, or leave it out to have one allocated", network.origin.at("gateway"));
}

void check_trunk(const Topology& topology, const Port& port, Findings& findings) {
    FirstCome<std::uint16_t> vlans(findings);
    FirstCome<std::string> networks(findings);
    if (port.native && !port.network.empty()) networks.take(port.network, port.origin.at("network"), "", "");
    for (const auto& entry : port.trunk) {
        findings.find(topology.networks, entry.network, entry.origin.at("network"), "network");
        if (entry.vlan != 0)
            vlans.take(entry.vlan, entry.origin.at("vlan"),
                       fmt::format("VLAN {} is twice in the trunk of port '{}'", entry.vlan, port.name),
                       "each VLAN carries one network");
        if (!entry.network.empty())
            networks.take(entry.network, entry.origin.at("network"),
                          fmt::format("network '{}' is twice in port '{}'", entry.network, port.name),
                          entry.network == port.network && port.native
                              ? "it is the port's untagged network already; native = false makes it tagged only"
                              : "a port is in a network once");
    }
    if (!port.native && port.trunk.empty() && !port.origin.wrote("trunk"))
        findings.error(port.origin.at("native"),
                       fmt::format("port '{}' carries nothing: native = false and no trunk", port.name),
                       "add a 'trunk', or remove 'native'");
}

/// libvirt tells a domain's NICs apart by MAC alone.
void check_vms(const Topology& topology, Findings& findings) {
    std::map<std::string, std::vector<const Port*>> by_vm;
    for (const auto& [name, port] : topology.ports) {
        if (!port.vm.empty()) by_vm[port.vm].push_back(&port);
    }
    for (const auto& [vm, ports] : by_vm) {
        if (ports.size() < 2) continue;
        for (const auto* port : ports) {
            if (port->mac || port->origin.malformed("mac")) continue;
            const auto* other = port == ports.front() ? ports.back() : ports.front();
            findings.error(port->origin.at("vm"),
                           fmt::format("VM '{}' has {} ports: port '{}' needs a 'mac'", vm, ports.size(), port->name),
                           "add the MAC of the NIC that is meant", other->origin.at("vm"));
        }
    }
}

void check_macs(const Topology& topology, Findings& findings) {
    FirstCome<Mac> macs(findings);
    const auto take = [&](const Mac& mac, const Origin& where) {
        macs.take(mac, where, fmt::format("MAC {} is in use already", mac.to_string()),
                  "MACs are unique in a topology");
    };
    for (const auto& [name, port] : topology.ports) {
        std::map<Mac, Origin> own; // a port's trunk may share a MAC
        if (port.mac) own.emplace(*port.mac, port.origin.at("mac"));
        for (const auto& entry : port.trunk) {
            if (entry.mac) own.emplace(*entry.mac, entry.origin.at("mac"));
        }
        for (const auto& [mac, where] : own)
            take(mac, where);
    }
    for (const auto& [name, endpoint] : topology.lab_endpoints) {
        if (endpoint.mac) take(*endpoint.mac, endpoint.origin.at("mac"));
    }
    for (const auto& [name, vm] : topology.lab_vms) {
        const auto is_its_port = [&](const auto& entry) {
            return entry.second.vm == vm.name && entry.second.mac == vm.mac;
        };
        if (vm.mac && std::ranges::none_of(topology.ports, is_its_port)) take(*vm.mac, vm.origin.at("mac"));
    }
}

} // namespace

void check_ports(const Topology& topology, Findings& findings) {
    const auto routed = routed_networks(topology);
    for (const auto& [name, port] : topology.ports) {
        const auto& origin = port.origin;
        findings.find(topology.networks, port.network, origin.at("network"), "network");
        findings.find(topology.qos, port.qos, origin.at("qos"), "qos");
        for (std::size_t i = 0; i < port.security_groups.size(); ++i)
            findings.find(topology.security_groups, port.security_groups[i], origin.at(element("security_groups", i)),
                          "security_group");
        findings.unique(port.security_groups, origin, "security_groups");
        check_trunk(topology, port, findings);
        for (const auto& attachment : attachments(port)) {
            const auto network = topology.networks.find(attachment.network);
            if (network == topology.networks.end()) continue;
            const bool ours = routed.contains(attachment.network);
            const auto check = [&](const std::optional<Ip>& ip, std::string_view key) {
                if (ip) check_address(*ip, network->second, attachment.origin.at(key), ours, findings);
            };
            check(attachment.ip, "ip");
            check(attachment.ip6, "ip6");
        }
    }
    check_vms(topology, findings);
    for (const auto& [name, vm] : topology.lab_vms) {
        findings.find(topology.hosts, vm.host, vm.origin.at("host"), "host");
        findings.find(topology.networks, vm.network, vm.origin.at("network"), "network");
    }
}

void check_duplicates(const Topology& topology, Findings& findings) {
    check_macs(topology, findings);
    using Place = std::pair<std::string, Ip>;
    FirstCome<Place> addresses(findings);
    const auto claims = public_claims(topology);
    for (const auto& [name, port] : topology.ports) {
        for (const auto& attachment : attachments(port)) {
            const auto take = [&](const std::optional<Ip>& ip, std::string_view key) {
                if (!ip) return;
                const auto where = attachment.origin.at(key);
                const auto text =
                    fmt::format("{} is in use already in network '{}'", ip->to_string(), attachment.network);
                addresses.take({attachment.network, *ip}, where, text, "choose another address");
                const auto claimed = claims.find(attachment.network);
                if (claimed == claims.end()) return;
                const auto claim = std::ranges::find_if(
                    claimed->second, [&](const Claim& candidate) { return candidate.range.contains(*ip); });
                if (claim != claimed->second.end())
                    findings.error(where, fmt::format("{} is {}", ip->to_string(), claim->what),
                                   "choose another address", claim->where);
            };
            take(attachment.ip, "ip");
            take(attachment.ip6, "ip6");
        }
    }
}

} // namespace weft::topology
