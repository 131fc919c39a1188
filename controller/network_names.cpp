#include "controller/network_names.hpp"

#include "controller/guest_config.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::controller {
namespace {

bool is_in(std::string_view name, std::string_view zone) {
    return name == zone ||
           (name.size() > zone.size() && name.ends_with(zone) && name[name.size() - zone.size() - 1] == '.');
}

/// RFC 1035, 3.5 and RFC 3596, 2.5: the reverse zones that hold a subnet: whole octets or nibbles of it.
std::string reverse_zone(const Prefix& subnet) {
    std::string zone;
    const auto network = subnet.network();
    if (network.is_v4()) {
        for (int octet = 0; octet < subnet.length / 8; ++octet)
            zone = fmt::format("{}.", network.v4() >> (24 - 8 * octet) & 0xff) + zone;
        return zone + "in-addr.arpa";
    }
    for (int nibble = 0; nibble < subnet.length / 4; ++nibble) {
        const auto byte = network.bytes()[static_cast<std::size_t>(nibble / 2)];
        zone = fmt::format("{:x}.", nibble % 2 == 0 ? byte >> 4 : byte & 0xf) + zone;
    }
    return zone + "ip6.arpa";
}

} // namespace

Directory::Directory(const topology::Allocations& allocations) {
    for (const auto& [key, has] : allocations.attachments) {
        const auto port = lower_case(key.port);
        for (auto dot = port.find('.'); dot != std::string::npos; dot = port.find('.', dot + 1))
            above_.emplace(key.network, port.substr(dot + 1));
        for (const auto& ip : {has.ip, has.ip6}) {
            if (!ip) continue;
            addresses_[{key.network, port}].push_back(*ip);
            ports_.emplace(std::pair(key.network, *ip), port);
        }
    }
}

std::vector<Ip> Directory::addresses_of(const std::string& network, const std::string& port) const {
    const auto found = addresses_.find({network, port});
    return found == addresses_.end() ? std::vector<Ip>{} : found->second;
}

std::optional<std::string> Directory::port_of(const std::string& network, const Ip& ip) const {
    const auto found = ports_.find({network, ip});
    if (found == ports_.end()) return std::nullopt;
    return found->second;
}

NetworkNames::NetworkNames(const topology::Topology& topology, const Directory& directory, const std::string& network)
    : topology_(topology), directory_(directory) {
    const auto add = [this](const std::string& name) {
        const auto found = topology_.networks.find(name);
        if (found == topology_.networks.end() || !found->second.dhcp) return;
        Known known{&found->second, domain_of(found->second), {}};
        known.zones.push_back(known.domain);
        for (const auto& subnet : {found->second.subnet, found->second.subnet6})
            if (subnet) known.zones.push_back(reverse_zone(*subnet));
        networks_.push_back(std::move(known));
    };
    add(network);
    for (const auto& [_, router] : topology.routers)
        if (std::ranges::count(router.networks, network) > 0)
            for (const auto& other : router.networks)
                if (other != network) add(other);
}

std::optional<DnsNames::Host> NetworkNames::find(std::string_view name) const {
    std::optional<Host> host;
    for (const auto& [network, domain, _] : networks_) {
        if (name == domain || !is_in(name, domain)) continue;
        const auto port = name.substr(0, name.size() - domain.size() - 1);
        const auto addresses = directory_.addresses_of(network->name, std::string(port));
        if (addresses.empty()) continue;
        if (!host) host.emplace(Host{domain, {}});
        host->addresses.insert(host->addresses.end(), addresses.begin(), addresses.end());
    }
    return host;
}

bool NetworkNames::is_above(std::string_view name) const {
    return std::ranges::any_of(networks_, [&](const Known& known) {
        return name != known.domain && is_in(name, known.domain) &&
               directory_.is_above(known.network->name,
                                   std::string(name.substr(0, name.size() - known.domain.size() - 1)));
    });
}

std::optional<std::string> NetworkNames::name_of(const Ip& ip) const {
    for (const auto& [network, domain, _] : networks_)
        if (const auto port = directory_.port_of(network->name, ip)) return *port + "." + domain;
    return std::nullopt;
}

std::string NetworkNames::zone_of(std::string_view name) const {
    std::string zone;
    for (const auto& known : networks_)
        for (const auto& candidate : known.zones)
            if (candidate.size() > zone.size() && is_in(name, candidate)) zone = candidate;
    return zone;
}

bool NetworkNames::is_private(std::string_view zone) const {
    return std::ranges::any_of(
        networks_, [&](const Known& known) { return known.domain == zone && has_private_domain(*known.network); });
}

} // namespace weft::controller
