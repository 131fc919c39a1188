#include "controller/guest_config.hpp"

#include "fabric/world.hpp"
#include "topology/addresses.hpp"

#include <algorithm>

namespace weft::controller {
namespace {

/// A port's name may have dots and underscores, a host's may not (RFC 1123, 2.1).
std::string host_name_of(std::string_view port) {
    const auto is_alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const bool legal = !port.empty() && port.size() <= 63 && is_alphanumeric(port.front()) &&
                       is_alphanumeric(port.back()) &&
                       std::ranges::all_of(port, [&](char c) { return is_alphanumeric(c) || c == '-'; });
    return legal ? std::string(port) : "";
}

const topology::Router* router_of(const topology::Topology& topology, const std::string& network) {
    for (const auto& [_, router] : topology.routers)
        if (std::ranges::count(router.networks, network) > 0) return &router;
    return nullptr;
}

/// The default gateway that a guest is told. Where no router lists the network it is somebody else: on a wire there
/// is one, on an overlay only if the admin says so.
std::optional<Ip> default_router(const topology::Network& network, bool routed) {
    if (routed || network.physical() || network.origin.wrote("gateway")) return network.gateway;
    return std::nullopt;
}

/// The guest makes the address that it has by itself.
bool by_slaac(const fabric::World& world, const topology::Network& network, const fabric::Attachment& attachment,
              const std::optional<Ip>& ip6) {
    if (ip6 != Ip::eui64(network.subnet6->network(), attachment.mac)) return false;
    const auto port = world.topology->ports.find(attachment.port);
    if (port == world.topology->ports.end()) return true;
    return std::ranges::none_of(topology::attachments(port->second), [&](const topology::Attachment& written) {
        return written.network == network.name && written.ip6;
    });
}

/// Where weft answers for names in this network: the router's global addresses, else the service's.
std::vector<Ip> own_resolvers(const fabric::NetworkCore& network) {
    std::vector<Ip> all;
    for (const auto& ip : network.service->addresses)
        if (!ip.is_link_local() || !network.routed) all.push_back(ip);
    return all;
}

} // namespace

std::string lower_case(std::string_view text) {
    std::string result(text);
    for (auto& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return result;
}

std::string domain_of(const topology::Network& network) {
    if (has_private_domain(network)) return lower_case(network.name) + ".internal";
    auto domain = lower_case(network.dhcp->domain);
    while (domain.ends_with('.'))
        domain.pop_back();
    return domain;
}

bool has_private_domain(const topology::Network& network) {
    return !network.dhcp || network.dhcp->domain.empty();
}

std::optional<GuestConfig> guest_config(const fabric::World& world, const fabric::NetworkView& view,
                                        const fabric::Attachment& attachment) {
    const auto found = world.topology->networks.find(view.core.name);
    if (found == world.topology->networks.end() || !found->second.dhcp || !view.core.service) return std::nullopt;
    const auto& network = found->second;
    const auto& dhcp = *network.dhcp;
    GuestConfig guest{.port = attachment.port,
                      .network = network.name,
                      .mac = attachment.mac,
                      .server_mac = view.core.service->mac,
                      .mtu = network.mtu};
    guest.domain = domain_of(network);
    guest.host_name = host_name_of(attachment.port);
    guest.lease = std::max(dhcp.lease, topology::Dhcp::kShortestLease);
    guest.ntp = dhcp.ntp;
    guest.dns = dhcp.dns.empty() ? own_resolvers(view.core) : dhcp.dns;
    const bool routed = view.core.routed.has_value();
    for (const auto& ip : attachment.ips) {
        if (ip.is_v4() && network.subnet) guest.ip = ip;
        if (ip.is_v6() && network.subnet6) guest.ip6 = ip;
    }
    guest.subnet6 = network.subnet6;
    guest.router6 = routed && network.gateway6;
    guest.managed6 = network.subnet6 && !by_slaac(world, network, attachment, guest.ip6);
    if (!guest.ip) return guest;
    guest.subnet = network.subnet;
    guest.server = network.gateway;
    if (!routed)
        for (const auto& ip : view.core.service->addresses)
            if (ip.is_v4()) guest.server = ip;
    guest.router = default_router(network, routed);
    // A static route's next hop in this network is nearer than the router.
    if (const auto* router = router_of(*world.topology, network.name))
        for (const auto& route : router->routes)
            if (route.via.is_v4() && network.subnet->contains(route.via) && route.via != *guest.ip)
                guest.routes.push_back({route.prefix, route.via});
    return guest;
}

} // namespace weft::controller
