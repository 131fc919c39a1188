#include "controller/recollection.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::controller {
namespace {

using Taken = std::set<std::pair<std::string, Ip>>; ///< network, address

Taken taken_addresses(const topology::Allocations& allocations) {
    Taken taken;
    for (const auto& [key, addresses] : allocations.attachments)
        for (const auto& ip : {addresses.ip, addresses.ip6})
            if (ip) taken.emplace(key.network, *ip);
    for (const auto& [network, ip] : allocations.services)
        taken.emplace(network, ip);
    return taken;
}

/// `ip` if it is nobody's yet.
std::optional<Ip> if_free(const std::string& network, const std::optional<Ip>& ip, Taken& taken) {
    return ip && taken.emplace(network, *ip).second ? ip : std::nullopt;
}

void add_addresses(topology::Allocations& then, const topology::Allocations& now) {
    auto taken = taken_addresses(then);
    for (const auto& [key, declined] : now.declined) {
        then.declined[key] = declined;
        const auto had = then.attachments.find(key);
        const auto has = now.attachments.find(key);
        if (had == then.attachments.end() || has == now.attachments.end()) continue;
        const auto replace = [&](std::optional<Ip>& ip, const std::optional<Ip>& refused, const std::optional<Ip>& by) {
            if (ip && ip == refused && by != refused) ip = if_free(key.network, by, taken);
        };
        replace(had->second.ip, declined.ip, has->second.ip);
        replace(had->second.ip6, declined.ip6, has->second.ip6);
    }
    for (const auto& [key, addresses] : now.attachments)
        if (!then.attachments.contains(key))
            then.attachments.emplace(key, topology::AttachmentAddresses{addresses.mac,
                                                                        if_free(key.network, addresses.ip, taken),
                                                                        if_free(key.network, addresses.ip6, taken)});
}

} // namespace

Recollection with_what_is_known(Recollection then, const Recollection& now, const topology::Topology& topology_now) {
    add_addresses(then.allocations, now.allocations);
    for (const auto& [port, nic] : now.vm_nics)
        then.vm_nics.insert_or_assign(port, nic);
    // A NIC that is a port of the file's now, and was a dynamic one, is to have its old name.
    std::erase_if(then.dynamic_ports, [&](const auto& old) {
        return std::ranges::any_of(now.dynamic_ports, [&](const auto& dynamic) {
            return dynamic.first == old.first || dynamic.second.port.mac == old.second.port.mac;
        });
    });
    then.dynamic_ports.insert(now.dynamic_ports.begin(), now.dynamic_ports.end());
    std::erase_if(then.neighbours,
                  [&](const auto& neighbour) { return topology_now.networks.contains(neighbour.first.first); });
    return then;
}

std::vector<std::string> readdressed(const std::map<std::string, fabric::DynamicPort>& dynamic_ports,
                                     const topology::Allocations& before, const topology::Allocations& after) {
    std::vector<std::string> sentences;
    for (const auto& [key, addresses] : after.attachments) {
        const auto had = before.attachments.find(key);
        if (had == before.attachments.end() || !dynamic_ports.contains(key.port)) continue;
        const auto tell = [&](const std::optional<Ip>& old, const std::optional<Ip>& ip) {
            if (old && ip && old != ip)
                sentences.push_back(fmt::format("port {} gets {} for {} in network {}, which is another port's again",
                                                key.port, ip->to_string(), old->to_string(), key.network));
        };
        tell(had->second.ip, addresses.ip);
        tell(had->second.ip6, addresses.ip6);
    }
    return sentences;
}

} // namespace weft::controller
