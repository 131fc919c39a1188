#include "nat/gateway.hpp"

#include "topology/addresses.hpp"
#include "topology/ids.hpp"

#include <algorithm>
#include <set>

namespace weft::nat {
namespace {

/// SNAT leaves the ports below to forwards and to people who expect nothing there.
constexpr std::uint32_t kFirstPort = 1024;
constexpr std::uint32_t kPorts = 0x10000 - kFirstPort;

Mac derived(ObjectId id) {
    return Mac::from_u64(0x0e'0000'0000'00 | (id.value & 0xff'ffff'ffff));
}

std::vector<Prefix> behind(const topology::Router& router, const topology::Topology& topology) {
    std::set<Prefix> prefixes;
    for (const auto& name : router.networks) {
        const auto& network = topology.networks.at(name);
        for (const auto& subnet : {network.subnet, network.subnet6})
            if (subnet) prefixes.insert({subnet->network(), subnet->length});
    }
    for (const auto& route : router.routes)
        prefixes.insert({route.prefix.network(), route.prefix.length});
    // Its default route is no place that it serves.
    std::erase_if(prefixes, [](const Prefix& prefix) { return prefix.length == 0; });
    return {prefixes.begin(), prefixes.end()};
}

std::vector<Served> served(const topology::Gateway& gateway, const topology::Topology& topology) {
    std::vector<Served> routers;
    for (const auto& [name, router] : topology.routers) {
        if (router.gateway != gateway.name) continue;
        routers.push_back({name, object_id(Kind::router, name), behind(router, topology)});
    }
    const auto slice = routers.empty() ? 0 : kPorts / routers.size();
    for (std::size_t i = 0; i < routers.size(); ++i) {
        routers[i].port_first = static_cast<std::uint16_t>(kFirstPort + i * slice);
        routers[i].port_last = static_cast<std::uint16_t>(kFirstPort + (i + 1) * slice - 1);
    }
    return routers;
}

std::vector<topology::AddressRange> joined(std::vector<topology::AddressRange> ranges) {
    std::ranges::sort(ranges);
    std::vector<topology::AddressRange> result;
    for (const auto& range : ranges) {
        if (!result.empty() && range.first <= result.back().last.plus(1))
            result.back().last = std::max(result.back().last, range.last);
        else
            result.push_back(range);
    }
    return result;
}

/// The address of a port that is behind the gateway: in a network of one of its routers.
std::optional<Ip> inside_address(const Sources& from, const std::string& gateway, const std::string& name) {
    const auto port = from.topology.ports.find(name);
    if (port == from.topology.ports.end()) return std::nullopt;
    for (const auto& attachment : topology::attachments(port->second)) {
        const bool served = std::ranges::any_of(from.topology.routers, [&](const auto& entry) {
            return entry.second.gateway == gateway &&
                   std::ranges::find(entry.second.networks, attachment.network) != entry.second.networks.end();
        });
        const auto addresses = from.allocations.attachments.find({name, attachment.network});
        if (served && addresses != from.allocations.attachments.end() && addresses->second.ip)
            return addresses->second.ip;
    }
    return std::nullopt;
}

} // namespace

Mac virtual_mac(std::string_view gateway) {
    return derived(object_id(Kind::gateway, gateway));
}

Mac virtual_mac(const Ip& floating) {
    return derived(object_id(Kind::floating_ip, floating.to_string()));
}

std::optional<std::size_t> Gateway::rank(const std::string& host) const {
    const auto found = std::ranges::find(candidates, host, &Candidate::host);
    if (found == candidates.end()) return std::nullopt;
    return static_cast<std::size_t>(found - candidates.begin());
}

std::vector<Prefix> blocks(const topology::AddressRange& range) {
    std::vector<Prefix> result;
    for (auto first = range.first;;) {
        auto length = first.bits();
        while (length > 0) {
            const Prefix wider{first, length - 1};
            if (wider.has_host_bits() || wider.last() > range.last) break;
            --length;
        }
        result.push_back({first, length});
        const auto last = result.back().last();
        if (last >= range.last) return result;
        first = last.plus(1);
    }
}

std::vector<PublicAddress> public_addresses(const Gateway& gateway) {
    std::set<Prefix> found;
    std::vector<topology::AddressRange> ranges = gateway.snat;
    if (gateway.address) ranges.push_back({*gateway.address, *gateway.address});
    for (const auto& floating : gateway.floating_ips)
        if (floating.host.empty()) ranges.push_back({floating.address, floating.address});
    for (const auto& forward : gateway.forwards)
        ranges.push_back({forward.address, forward.address});
    for (const auto& range : joined(std::move(ranges)))
        for (const auto& block : blocks(range))
            found.insert(block);
    if (gateway.address6) found.insert(Prefix::host(*gateway.address6));
    std::vector<PublicAddress> result;
    result.reserve(found.size());
    for (const auto& block : found)
        result.push_back({block, gateway.mac});
    return result;
}

std::vector<const Floating*> translated_by(const Gateway& gateway, const std::string& host) {
    std::vector<const Floating*> result;
    for (const auto& floating : gateway.floating_ips)
        if (floating.host == host) result.push_back(&floating);
    return result;
}

Gateway make_gateway(const Sources& from, const topology::Gateway& gateway) {
    Gateway made;
    made.name = gateway.name;
    made.id = object_id(Kind::gateway, gateway.name);
    made.group_number = topology::gateway_group_number(gateway.name);
    if (const auto numbers = from.allocations.gateways.find(gateway.name); numbers != from.allocations.gateways.end())
        made.numbers = numbers->second;
    made.mac = virtual_mac(gateway.name);
    made.network = gateway.network;
    made.network_id = object_id(Kind::network, gateway.network);
    made.physnet = from.topology.networks.at(gateway.network).physnet;
    made.mtu = from.topology.networks.at(gateway.network).mtu;
    made.address = gateway.address;
    made.address6 = gateway.address6;
    made.nexthop = gateway.nexthop;
    made.nexthop6 = gateway.nexthop6;
    made.routers = served(gateway, from.topology);
    made.snat = joined(gateway.snat);
    for (const auto& [address, floating] : from.topology.floating_ips) {
        if (floating.gateway != gateway.name) continue;
        if (const auto inside = inside_address(from, gateway.name, floating.port))
            made.floating_ips.push_back({address, object_id(Kind::floating_ip, address.to_string()), floating.port,
                                         *inside, "", virtual_mac(address)});
    }
    for (const auto& [name, forward] : from.topology.port_forwards) {
        if (forward.gateway != gateway.name) continue;
        if (const auto inside = inside_address(from, gateway.name, forward.to_port))
            made.forwards.push_back({name, object_id(Kind::port_forward, name), forward.address,
                                     forward.protocol.number, forward.ports, forward.to_port, *inside,
                                     forward.to_ports});
    }
    return made;
}

} // namespace weft::nat
