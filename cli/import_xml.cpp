#include "cli/import_xml.hpp"

#include "topology/form.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <pugixml.hpp>
#include <string_view>

namespace weft::cli {
namespace {

namespace form = topology::form;

std::string text_of(const pugi::xml_node& node, const char* attribute) {
    return node.attribute(attribute).value();
}

template <class T>
std::optional<T> number(std::string_view text) {
    T value{};
    const auto [stop, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

template <class T>
std::optional<T> optional(topology::Read<T> read) {
    return read ? std::optional<T>(std::move(*read)) : std::nullopt;
}

/// libvirt takes `prefix`, else `netmask`, else the class of an IPv4 address and 64 for IPv6.
std::optional<int> prefix_length(const pugi::xml_node& node, const Ip& address) {
    if (const auto prefix = node.attribute("prefix")) {
        const auto length = number<int>(prefix.value());
        return length && *length >= 0 && *length <= address.bits() ? length : std::nullopt;
    }
    if (const auto netmask = node.attribute("netmask")) {
        const auto mask = Ip::parse(netmask.value());
        if (!mask || mask->is_v6() || address.is_v6()) return std::nullopt;
        for (int length = 0; length <= 32; ++length)
            if (Prefix{address, length}.netmask() == *mask) return length;
        return std::nullopt;
    }
    if (address.is_v6()) return 64;
    const auto first = address.v4() >> 24;
    return first < 128 ? 8 : first < 192 ? 16 : 24;
}

/// `expiry` in `unit`s; libvirt's default unit is minutes.
std::optional<std::chrono::seconds> lease_of(const pugi::xml_node& node) {
    const auto lease = node.child("lease");
    const auto expiry = number<std::uint32_t>(text_of(lease, "expiry"));
    if (!expiry) return std::nullopt;
    const auto unit = text_of(lease, "unit");
    const auto factor = unit == "seconds" ? 1 : unit == "hours" ? 3600 : 60;
    return std::chrono::seconds(std::int64_t{*expiry} * factor);
}

std::optional<LibvirtSubnet> read_subnet(const pugi::xml_node& node, std::vector<std::string>& others) {
    const auto address = Ip::parse(text_of(node, "address"));
    const auto length = address ? prefix_length(node, *address) : std::nullopt;
    if (!length) {
        others.push_back(fmt::format("the <ip> with address '{}'", text_of(node, "address")));
        return std::nullopt;
    }
    LibvirtSubnet subnet{.address = *address, .prefix = {Prefix{*address, *length}.network(), *length}};
    const auto dhcp = node.child("dhcp");
    subnet.dhcp = !dhcp.empty();
    for (const auto& range : dhcp.children("range")) {
        const auto first = Ip::parse(text_of(range, "start"));
        const auto last = Ip::parse(text_of(range, "end"));
        if (!first || !last || *last < *first || !subnet.prefix.contains(*first) || !subnet.prefix.contains(*last)) {
            others.push_back(
                fmt::format("the DHCP range '{}' to '{}'", text_of(range, "start"), text_of(range, "end")));
            continue;
        }
        subnet.ranges.push_back({*first, *last});
        if (!subnet.lease) subnet.lease = lease_of(range);
    }
    for (const auto& host : dhcp.children("host")) {
        const auto ip = Ip::parse(text_of(host, "ip"));
        const auto mac = host.attribute("mac") ? optional(form::mac(text_of(host, "mac"))) : std::nullopt;
        if (ip && subnet.prefix.contains(*ip) && (mac || host.attribute("name")))
            subnet.hosts.push_back({mac, text_of(host, "name"), *ip});
        else
            others.push_back(fmt::format("the DHCP <host> '{}{}'", text_of(host, "mac"), text_of(host, "name")));
        if (host.child("lease")) others.push_back(fmt::format("the lease time of {} alone", text_of(host, "ip")));
    }
    if (dhcp.child("bootp")) others.emplace_back("bootp: netboot by DHCP");
    if (node.child("tftp")) others.emplace_back("tftp");
    return subnet;
}

LibvirtVlan read_vlan(const pugi::xml_node& node) {
    LibvirtVlan vlan;
    for (const auto& tag : node.children("tag")) {
        const auto id = number<std::uint16_t>(text_of(tag, "id"));
        if (!id || *id < 1 || *id > 4094 || std::ranges::find(vlan.tags, *id) != vlan.tags.end()) continue;
        vlan.tags.push_back(*id);
        if (text_of(tag, "nativeMode") == "untagged") vlan.untagged = id;
    }
    vlan.trunk = !vlan.tags.empty() && (text_of(node, "trunk") == "yes" || vlan.tags.size() > 1 || vlan.untagged);
    return vlan;
}

std::optional<LibvirtRate> read_rate(const pugi::xml_node& node) {
    const auto average = number<std::uint64_t>(text_of(node, "average"));
    if (!average || *average == 0) return std::nullopt;
    return LibvirtRate{.average = *average,
                       .burst = number<std::uint64_t>(text_of(node, "burst")).value_or(0),
                       .peak = !node.attribute("peak").empty(),
                       .floor = !node.attribute("floor").empty()};
}

Bandwidth read_bandwidth(const pugi::xml_node& node) {
    return {read_rate(node.child("inbound")), read_rate(node.child("outbound"))};
}

void read_dns(const pugi::xml_node& dns, LibvirtNetwork& network) {
    if (text_of(dns, "enable") == "no") network.others.emplace_back("<dns enable='no'/>: weft answers names");
    for (const auto& forwarder : dns.children("forwarder")) {
        const auto address = optional(form::ip(text_of(forwarder, "addr")));
        if (address && !forwarder.attribute("domain"))
            network.forwarders.push_back(*address);
        else
            network.others.push_back(fmt::format("the DNS <forwarder> of domain '{}'", text_of(forwarder, "domain")));
    }
    for (const auto& host : dns.children("host")) {
        const auto ip = Ip::parse(text_of(host, "ip"));
        std::vector<std::string> names;
        for (const auto& name : host.children("hostname"))
            names.emplace_back(name.text().get());
        if (ip)
            network.dns_hosts.push_back({*ip, std::move(names)});
        else
            network.others.push_back(fmt::format("the DNS <host> '{}'", text_of(host, "ip")));
    }
    for (const auto& record : dns.children("txt"))
        network.others.push_back(fmt::format("the DNS TXT record '{}'", text_of(record, "name")));
    for (const auto& record : dns.children("srv"))
        network.others.push_back(fmt::format("the DNS SRV record '{}'", text_of(record, "service")));
}

void read_forward(const pugi::xml_node& forward, LibvirtNetwork& network) {
    if (!forward) return;
    // libvirt's default.
    network.mode = forward.attribute("mode") ? text_of(forward, "mode") : "nat";
    network.device = text_of(forward, "dev");
    const auto nat = forward.child("nat");
    const auto address = nat.child("address");
    const auto first = optional(form::ipv4(text_of(address, "start")));
    const auto last = optional(form::ipv4(text_of(address, "end")));
    if (first && last && *first <= *last)
        network.nat_addresses = topology::AddressRange{*first, *last};
    else if (address)
        network.others.emplace_back("the <address> of <nat>");
    if (nat.child("port")) network.others.emplace_back("the <port> range of <nat>");
    if (text_of(nat, "ipv6") == "yes") network.others.emplace_back("<nat ipv6='yes'>: weft routes IPv6 untranslated");
}

void read_routes(const pugi::xml_node& node, LibvirtNetwork& network) {
    for (const auto& route : node.children("route")) {
        const auto address = Ip::parse(text_of(route, "address"));
        const auto length = address ? prefix_length(route, *address) : std::nullopt;
        const auto via = optional(form::ip(text_of(route, "gateway")));
        if (length && via && via->is_v6() == address->is_v6())
            network.routes.push_back({{Prefix{*address, *length}.network(), *length}, *via});
        else
            network.others.push_back(fmt::format("the <route> to '{}'", text_of(route, "address")));
    }
}

LibvirtNic read_nic(const pugi::xml_node& node) {
    LibvirtNic nic{.type = text_of(node, "type")};
    const auto source = node.child("source");
    for (const auto* attribute : {"network", "bridge", "dev"}) {
        // A running NIC of type network also names the network's bridge.
        if (nic.source.empty()) nic.source = text_of(source, attribute);
    }
    if (nic.type == "bridge") nic.source = text_of(source, "bridge");
    nic.portgroup = text_of(source, "portgroup");
    nic.mac = optional(form::mac(text_of(node.child("mac"), "address")));
    nic.openvswitch = text_of(node.child("virtualport"), "type") == "openvswitch";
    nic.vlan = read_vlan(node.child("vlan"));
    nic.bandwidth = read_bandwidth(node.child("bandwidth"));
    nic.filter = text_of(node.child("filterref"), "filter");
    if (text_of(node.child("port"), "isolated") == "yes")
        nic.others.emplace_back("<port isolated='yes'/>: security groups keep ports from each other");
    if (text_of(node.child("link"), "state") == "down") nic.others.emplace_back("<link state='down'/>");
    if (node.child("mtu")) nic.others.emplace_back("<mtu>: the network has one");
    return nic;
}

} // namespace

std::optional<LibvirtNetwork> read_libvirt_network(const NetworkText& text) {
    pugi::xml_document document;
    if (!document.load_buffer(text.xml.data(), text.xml.size())) return std::nullopt;
    const auto node = document.child("network");
    LibvirtNetwork network{.name = node.child("name").text().get()};
    if (network.name.empty()) return std::nullopt;
    network.leases = text.leases;
    read_forward(node.child("forward"), network);
    const auto bridge = node.child("bridge");
    network.bridge = text_of(bridge, "name");
    network.openvswitch = text_of(node.child("virtualport"), "type") == "openvswitch";
    network.domain = text_of(node.child("domain"), "name");
    if (text_of(node.child("domain"), "localOnly") == "yes")
        network.others.emplace_back(
            "localOnly='yes': resolvers are asked for names of the domain that weft does not know");
    for (const auto& ip : node.children("ip")) {
        if (auto subnet = read_subnet(ip, network.others)) network.subnets.push_back(std::move(*subnet));
    }
    read_dns(node.child("dns"), network);
    read_routes(node, network);
    network.vlan = read_vlan(node.child("vlan"));
    for (const auto& group : node.children("portgroup"))
        network.portgroups.push_back({text_of(group, "name"), text_of(group, "default") == "yes",
                                      read_vlan(group.child("vlan")), read_bandwidth(group.child("bandwidth"))});
    network.mtu = number<std::uint32_t>(text_of(node.child("mtu"), "size"));
    if (node.child("bandwidth")) network.others.emplace_back("<bandwidth> of the whole network: [[qos]] is of ports");
    if (text_of(node.child("port"), "isolated") == "yes")
        network.others.emplace_back("<port isolated='yes'/>: security groups keep ports from each other");
    if (node.child("dnsmasq:options")) network.others.emplace_back("<dnsmasq:options>");
    return network;
}

std::optional<LibvirtDomain> read_libvirt_domain(const std::string& xml) {
    pugi::xml_document document;
    if (!document.load_buffer(xml.data(), xml.size())) return std::nullopt;
    const auto node = document.child("domain");
    LibvirtDomain domain{.name = node.child("name").text().get()};
    if (domain.name.empty()) return std::nullopt;
    for (const auto& interface : node.child("devices").children("interface"))
        domain.nics.push_back(read_nic(interface));
    return domain;
}

} // namespace weft::cli
