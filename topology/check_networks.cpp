#include "topology/rules.hpp"

#include <tuple>

namespace weft::topology {
namespace {

/// `gateway` and `subnet` of one family, by their keys.
void check_subnet(const Network& network, const std::optional<Prefix>& subnet, const std::optional<Ip>& gateway,
                  std::string_view subnet_key, std::string_view gateway_key, Findings& findings) {
    if (!gateway) return;
    const auto where = network.origin.at(gateway_key);
    if (!subnet) {
        if (!network.origin.malformed(subnet_key))
            findings.error(where, fmt::format("'{}' without '{}'", gateway_key, subnet_key),
                           fmt::format("add '{}', or remove '{}'", subnet_key, gateway_key));
        return;
    }
    if (const auto why = unfit(*gateway, *subnet); !why.empty())
        findings.error(where, fmt::format("gateway {} {}", gateway->to_string(), why),
                       fmt::format("leave it out for {}", subnet->network().plus(1).to_string()));
}

void check_dhcp(const Network& network, Findings& findings) {
    if (!network.dhcp) return;
    const auto& origin = network.origin;
    if (!network.subnet && !network.subnet6 && !origin.malformed("subnet") && !origin.malformed("subnet6"))
        findings.error(origin.at("dhcp"), "'dhcp' on a network without a subnet", "add 'subnet', or remove 'dhcp'");
    if (network.dhcp->lease < Dhcp::kShortestLease)
        findings.warning(origin.at("dhcp.lease"), "'lease' is too short for guests to renew in time: 10s are told",
                         "write \"10s\" or more; \"12h\" is the default");
    const auto& range = network.dhcp->range;
    if (!range || origin.malformed("subnet")) return;
    if (!network.subnet || !network.subnet->contains(range->first) || !network.subnet->contains(range->last)) {
        findings.error(origin.at("dhcp.range"), fmt::format("the range {} is not within 'subnet'", range->to_string()),
                       network.subnet ? fmt::format("choose addresses of {}", network.subnet->to_string())
                                      : "a range needs an IPv4 'subnet'");
    }
}

void check_reserved(const Network& network, Findings& findings) {
    if (network.origin.malformed("subnet") || network.origin.malformed("subnet6")) return;
    const auto inside = [](const std::optional<Prefix>& subnet, const AddressRange& range) {
        return subnet && subnet->contains(range.first) && subnet->contains(range.last);
    };
    for (std::size_t i = 0; i < network.reserved.size(); ++i) {
        const auto& range = network.reserved[i];
        if (inside(network.subnet, range) || inside(network.subnet6, range)) continue;
        findings.error(network.origin.at(element("reserved", i)),
                       fmt::format("reserved {} is in no subnet of network '{}'", range.to_string(), network.name),
                       "only addresses of the subnet need to be reserved");
    }
}

/// Which keys a kind needs and which mean nothing to it.
void check_kind(const Network& network, Findings& findings) {
    const auto& origin = network.origin;
    if (origin.malformed("kind")) return;
    const auto require = [&](bool present, std::string_view key, std::string_view kind) {
        if (!present && !origin.wrote(key))
            findings.error(origin, fmt::format("network '{}' of kind \"{}\" needs '{}'", network.name, kind, key));
    };
    const auto forbid = [&](bool present, std::string_view key, std::string_view kinds) {
        if (present)
            findings.error(origin.at(key), fmt::format("'{}' is only for networks of kind {}", key, kinds),
                           fmt::format("remove '{}', or change 'kind'", key));
    };
    if (network.kind == NetworkKind::vlan) require(network.vlan.has_value(), "vlan", "vlan");
    if (network.physical())
        require(!network.physnet.empty(), "physnet", network.kind == NetworkKind::vlan ? "vlan" : "flat");
    forbid(network.kind != NetworkKind::vxlan && network.vni, "vni", "\"vxlan\"");
    forbid(network.kind != NetworkKind::vlan && network.vlan, "vlan", "\"vlan\"");
    forbid(!network.physical() && !network.physnet.empty(), "physnet", "\"vlan\" and \"flat\"");
}

/// Physical networks that no host is connected to. Uplinks may stand in weftd's settings, hence a warning.
void check_physnets(const Topology& topology, Findings& findings) {
    if (topology.hosts.empty()) return;
    std::map<std::string, bool> known;
    for (const auto& [host_name, host] : topology.hosts) {
        for (const auto& [physnet, device] : host.uplinks)
            known.emplace(physnet, true);
    }
    for (const auto& [name, network] : topology.networks) {
        if (!network.physical() || network.physnet.empty() || known.contains(network.physnet)) continue;
        auto remedy = nearest_key(network.physnet, known);
        if (remedy.empty()) remedy = "add it to 'uplinks' of a host, here or in weftd's settings";
        findings.warning(network.origin.at("physnet"),
                         fmt::format("no host has an uplink to physical network '{}'", network.physnet), remedy);
    }
}

} // namespace

void check_hosts(const Topology& topology, Findings& findings) {
    FirstCome<Ip> vteps(findings);
    FirstCome<std::tuple<std::string, std::string>> switches(findings);
    const Host* other_family = nullptr;
    for (const auto& [name, host] : topology.hosts) {
        if (host.vtep) {
            vteps.take(*host.vtep, host.origin.at("vtep"),
                       fmt::format("another host has the vtep {} too", host.vtep->to_string()),
                       "every host needs an address of its own");
            if (other_family == nullptr)
                other_family = &host;
            else if (other_family->vtep->is_v6() != host.vtep->is_v6())
                findings.warning(host.origin.at("vtep"),
                                 fmt::format("hosts '{}' and '{}' have vteps of different families: no VXLAN network "
                                             "can span both",
                                             other_family->name, name),
                                 "use IPv4 or IPv6 for all", other_family->origin.at("vtep"));
        }
        if (!host.ovsdb.empty())
            switches.take({host.ovsdb, host.bridge}, host.origin.at("ovsdb"),
                          fmt::format("another host has bridge '{}' at {} too", host.bridge, host.ovsdb),
                          "every host needs a bridge of its own");
        std::map<std::string, std::string> physnet_of;
        for (const auto& [physnet, device] : host.uplinks) {
            const auto [first, added] = physnet_of.emplace(device, physnet);
            if (!added)
                findings.error(host.origin.at("uplinks." + physnet),
                               fmt::format("'{}' is the uplink of '{}' already", device, first->second),
                               "every physical network needs an uplink of its own",
                               host.origin.at("uplinks." + first->second));
        }
    }
}

void check_networks(const Topology& topology, Findings& findings) {
    FirstCome<std::uint32_t> vnis(findings);
    FirstCome<std::tuple<std::string, std::uint16_t>> segments(findings); // 0: untagged
    for (const auto& [name, network] : topology.networks) {
        const auto& origin = network.origin;
        check_kind(network, findings);
        if (network.kind == NetworkKind::vxlan && network.vni)
            vnis.take(*network.vni, origin.at("vni"), fmt::format("another network has vni {} too", *network.vni),
                      "choose another, or leave it out to have one allocated");
        if (network.kind == NetworkKind::vlan && network.vlan && !network.physnet.empty())
            segments.take({network.physnet, *network.vlan}, origin.at("vlan"),
                          fmt::format("another network is vlan {} of '{}' too", *network.vlan, network.physnet),
                          "one network per VLAN: choose another vlan or physnet");
        if (network.kind == NetworkKind::flat && !network.physnet.empty())
            segments.take({network.physnet, 0}, origin.at("physnet"),
                          fmt::format("another flat network is on '{}' too", network.physnet),
                          "one flat network per physical network: make one of them a vlan");
        check_subnet(network, network.subnet, network.gateway, "subnet", "gateway", findings);
        check_subnet(network, network.subnet6, network.gateway6, "subnet6", "gateway6", findings);
        if (network.subnet6 && network.mtu < 1280)
            findings.error(origin.at("mtu"), fmt::format("mtu {} is too small for 'subnet6'", network.mtu),
                           "IPv6 needs at least 1280");
        check_dhcp(network, findings);
        check_reserved(network, findings);
    }
    check_physnets(topology, findings);
}

} // namespace weft::topology
