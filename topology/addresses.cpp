#include "topology/addresses.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

namespace weft::topology {

std::vector<Attachment> attachments(const Port& port) {
    std::vector<Attachment> all;
    if (port.native && !port.network.empty()) all.push_back({port.network, port.mac, port.ip, port.ip6, port.origin});
    for (const auto& entry : port.trunk) {
        if (entry.network.empty()) continue;
        all.push_back({entry.network, entry.mac ? entry.mac : port.mac, entry.ip, entry.ip6, entry.origin});
    }
    return all;
}

std::map<std::string, std::vector<Claim>> public_claims(const Topology& topology) {
    std::map<std::string, std::vector<Claim>> claims;
    const auto claim = [&](Claim::Kind kind, const Gateway& gateway, const AddressRange& range, std::string what,
                           Origin where) -> Claim& {
        return claims[gateway.network].emplace_back(kind, range, gateway.name, std::move(what), std::move(where));
    };
    const auto host = [](const Ip& ip) { return AddressRange{ip, ip}; };
    using Kind = Claim::Kind;
    for (const auto& [name, gateway] : topology.gateways) {
        const auto own = fmt::format("the address of gateway '{}'", name);
        if (gateway.address) claim(Kind::address, gateway, host(*gateway.address), own, gateway.origin.at("address"));
        if (gateway.address6)
            claim(Kind::address, gateway, host(*gateway.address6), own, gateway.origin.at("address6"));
        for (std::size_t i = 0; i < gateway.snat.size(); ++i) {
            claim(Kind::snat, gateway, gateway.snat[i], fmt::format("an SNAT address of gateway '{}'", name),
                  gateway.origin.at(fmt::format("snat[{}]", i)));
        }
    }
    for (const auto& [address, floating] : topology.floating_ips) {
        const auto gateway = topology.gateways.find(floating.gateway);
        if (gateway == topology.gateways.end()) continue;
        claim(Kind::floating_ip, gateway->second, host(address), fmt::format("floating IP {}", address.to_string()),
              floating.origin.at("address"))
            .floating_ip = &floating;
    }
    for (const auto& [name, forward] : topology.port_forwards) {
        const auto gateway = topology.gateways.find(forward.gateway);
        if (gateway == topology.gateways.end()) continue;
        claim(Kind::port_forward, gateway->second, host(forward.address), fmt::format("port forward {}", name),
              forward.origin.at("address"))
            .forward = &forward;
    }
    for (auto& [network, of_network] : claims)
        std::ranges::sort(of_network, {},
                          [](const Claim& claim) { return std::tie(claim.range, claim.kind, claim.what); });
    return claims;
}

std::set<std::string> routed_networks(const Topology& topology) {
    std::set<std::string> networks;
    for (const auto& [name, router] : topology.routers)
        networks.insert(router.networks.begin(), router.networks.end());
    return networks;
}

} // namespace weft::topology
