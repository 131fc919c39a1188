#include "cli/import_xml.hpp"

#include "topology/form.hpp"
#include "virt/xml.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <string_view>

namespace weft::cli {
namespace {

namespace form = topology::form;
using virt::attribute;

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
    const auto expiry = number<std::uint32_t>(attribute(lease, "expiry"));
    if (!expiry) return std::nullopt;
    const auto unit = attribute(lease, "unit");
    const auto factor = unit == "seconds" ? 1 : unit == "hours" ? 3600 : 60;
    return std::chrono::seconds(std::int64_t{*expiry} * factor);
}

std::optional<LibvirtSubnet> read_subnet(const pugi::xml_node& node, std::vector<std::string>& others) {
    const auto address = Ip::parse(attribute(node, "address"));
    const auto length = address ? prefix_length(node, *address) : std::nullopt;
    if (!length) {
        others.push_back(fmt::format("the <ip> with address '{}'", attribute(node, "address")));
        return std::nullopt;
    }
    LibvirtSubnet subnet{.address = *address, .prefix = {Prefix{*address, *length}.network(), *length}};
    const auto dhcp = node.child("dhcp");
    subnet.dhcp = !dhcp.empty();
    for (const auto& range : dhcp.children("range")) {
        const auto first = Ip::parse(attribute(range, "start"));
        const auto last = Ip::parse(attribute(range, "end"));
        if (!first || !last || *last < *first || !subnet.prefix.contains(*first) || !subnet.prefix.contains(*last)) {
            others.push_back(
                fmt::format("the DHCP range '{}' to '{}'", attribute(range, "start"), attribute(range, "end")));
            continue;
        }
        subnet.ranges.push_back({*first, *last});
        if (!subnet.lease) subnet.lease = lease_of(range);
    }
    for (const auto& host : dhcp.children("host")) {
        const auto ip = Ip::parse(attribute(host, "ip"));
        const auto mac = host.attribute("mac") ? optional(form::mac(attribute(host, "mac"))) : std::nullopt;
        if (ip && subnet.prefix.contains(*ip) && (mac || host.attribute("name")))
            subnet.hosts.push_back({mac, attribute(host, "name"), *ip});
        else
            others.push_back(fmt::format("the DHCP <host> '{}{}'", attribute(host, "mac"), attribute(host, "name")));
        if (host.child("lease")) others.push_back(fmt::format("the lease time of {} alone", attribute(host, "ip")));
    }
    if (dhcp.child("bootp")) others.emplace_back("bootp: netboot by DHCP");
    if (node.child("tftp")) others.emplace_back("tftp");
    return subnet;
}

LibvirtVlan read_vlan(const pugi::xml_node& node) {
    LibvirtVlan vlan;
    for (const auto& tag : node.children("tag")) {
        const auto id = number<std::uint16_t>(attribute(tag, "id"));
        if (!id || *id < 1 || *id > 4094 || std::ranges::find(vlan.tags, *id) != vlan.tags.end()) continue;
        vlan.tags.push_back(*id);
        if (attribute(tag, "nativeMode") == "untagged") vlan.untagged = id;
    }
    vlan.trunk = !vlan.tags.empty() && (attribute(node, "trunk") == "yes" || vlan.tags.size() > 1 || vlan.untagged);
    return vlan;
}

std::optional<LibvirtRate> read_rate(const pugi::xml_node& node) {
    const auto average = number<std::uint64_t>(attribute(node, "average"));
    if (!average || *average == 0) return std::nullopt;
    return LibvirtRate{.average = *average,
                       .burst = number<std::uint64_t>(attribute(node, "burst")).value_or(0),
                       .peak = !node.attribute("peak").empty(),
                       .floor = !node.attribute("floor").empty()};
}

Bandwidth read_bandwidth(const pugi::xml_node& node) {
    return {read_rate(node.child("inbound")), read_rate(node.child("outbound"))};
}

void read_dns(const pugi::xml_node& dns, LibvirtNetwork& network) {
    if (attribute(dns, "enable") == "no") network.others.emplace_back("<dns enable='no'/>: weft answers names");
    for (const auto& forwarder : dns.children("forwarder")) {
        const auto address = optional(form::ip(attribute(forwarder, "addr")));
        if (address && !forwarder.attribute("domain"))
            network.forwarders.push_back(*address);
        else
            network.others.push_back(fmt::format("the DNS <forwarder> of domain '{}'", attribute(forwarder, "domain")));
    }
    for (const auto& host : dns.children("host")) {
        const auto ip = Ip::parse(attribute(host, "ip"));
        std::vector<std::string> names;
        for (const auto& name : host.children("hostname"))
            names.emplace_back(name.text().get());
        if (ip)
            network.dns_hosts.push_back({*ip, std::move(names)});
        else
            network.others.push_back(fmt::format("the DNS <host> '{}'", attribute(host, "ip")));
    }
    for (const auto& record : dns.children("txt"))
        network.others.push_back(fmt::format("the DNS TXT record '{}'", attribute(record, "name")));
    for (const auto& record : dns.children("srv"))
        network.others.push_back(fmt::format("the DNS SRV record '{}'", attribute(record, "service")));
}

void read_forward(const pugi::xml_node& forward, LibvirtNetwork& network) {
    if (!forward) return;
    network.device = attribute(forward, "dev");
    const auto nat = forward.child("nat");
    const auto address = nat.child("address");
    const auto first = optional(form::ipv4(attribute(address, "start")));
    const auto last = optional(form::ipv4(attribute(address, "end")));
    if (first && last && *first <= *last)
        network.nat_addresses = topology::AddressRange{*first, *last};
    else if (address)
        network.others.emplace_back("the <address> of <nat>");
    if (nat.child("port")) network.others.emplace_back("the <port> range of <nat>");
    if (attribute(nat, "ipv6") == "yes") network.others.emplace_back("<nat ipv6='yes'>: weft routes IPv6 untranslated");
}

void read_routes(const pugi::xml_node& node, LibvirtNetwork& network) {
    for (const auto& route : node.children("route")) {
        const auto address = Ip::parse(attribute(route, "address"));
        const auto length = address ? prefix_length(route, *address) : std::nullopt;
        const auto via = optional(form::ip(attribute(route, "gateway")));
        if (length && via && via->is_v6() == address->is_v6())
            network.routes.push_back({{Prefix{*address, *length}.network(), *length}, *via});
        else
            network.others.push_back(fmt::format("the <route> to '{}'", attribute(route, "address")));
    }
}

LibvirtNic read_nic(const pugi::xml_node& node, virt::Nic plug) {
    LibvirtNic nic{std::move(plug)};
    nic.device = attribute(node.child("source"), "dev");
    nic.vlan = read_vlan(node.child("vlan"));
    nic.bandwidth = read_bandwidth(node.child("bandwidth"));
    nic.filter = attribute(node.child("filterref"), "filter");
    if (attribute(node.child("port"), "isolated") == "yes")
        nic.others.emplace_back("<port isolated='yes'/>: security groups keep ports from each other");
    if (attribute(node.child("link"), "state") == "down") nic.others.emplace_back("<link state='down'/>");
    if (node.child("mtu")) nic.others.emplace_back("<mtu>: the network has one");
    return nic;
}

} // namespace

std::optional<LibvirtNetwork> read_libvirt_network(const NetworkText& text) {
    pugi::xml_document document;
    if (!virt::load(document, text.xml, "network")) return std::nullopt;
    const auto node = document.document_element();
    LibvirtNetwork network{virt::definition_of(node)};
    if (network.name.empty()) return std::nullopt;
    network.leases = text.leases;
    read_forward(node.child("forward"), network);
    network.domain = attribute(node.child("domain"), "name");
    if (attribute(node.child("domain"), "localOnly") == "yes")
        network.others.emplace_back(
            "localOnly='yes': resolvers are asked for names of the domain that weft does not know");
    for (const auto& ip : node.children("ip")) {
        if (auto subnet = read_subnet(ip, network.others)) network.subnets.push_back(std::move(*subnet));
    }
    read_dns(node.child("dns"), network);
    read_routes(node, network);
    network.vlan = read_vlan(node.child("vlan"));
    for (const auto& group : node.children("portgroup"))
        network.limits.try_emplace(attribute(group, "name"),
                                   Limits{read_vlan(group.child("vlan")), read_bandwidth(group.child("bandwidth"))});
    network.mtu = number<std::uint32_t>(attribute(node.child("mtu"), "size"));
    if (node.child("bandwidth")) network.others.emplace_back("<bandwidth> of the whole network: [[qos]] is of ports");
    if (attribute(node.child("port"), "isolated") == "yes")
        network.others.emplace_back("<port isolated='yes'/>: security groups keep ports from each other");
    if (node.child("dnsmasq:options")) network.others.emplace_back("<dnsmasq:options>");
    return network;
}

std::optional<LibvirtDomain> read_libvirt_domain(const std::string& xml) {
    pugi::xml_document document;
    if (!virt::load(document, xml, "domain")) return std::nullopt;
    const auto node = document.document_element();
    LibvirtDomain domain{.name = node.child_value("name")};
    if (domain.name.empty()) return std::nullopt;
    for (const auto& interface : node.child("devices").children("interface"))
        if (auto nic = virt::nic_of(interface)) domain.nics.push_back(read_nic(interface, std::move(*nic)));
    return domain;
}

} // namespace weft::cli
