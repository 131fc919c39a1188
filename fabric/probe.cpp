#include "fabric/probe.hpp"

#include "nat/gateway.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::fabric {
namespace {

using of::Field;

constexpr std::uint8_t kTtl = 64;
/// Where nobody is known to have an address: 02:00:00:00:00:01 is nobody's.
constexpr Mac kNobody{{0x02, 0, 0, 0, 0, 0x01}};
constexpr std::uint16_t kFirstEphemeral = 49152; // RFC 6335

/// A port in one of its networks.
struct Place {
    NetworkPtr network;
    AttachmentPtr attachment;
};

std::vector<Place> places_of(const World& world, const std::string& port) {
    std::vector<Place> places;
    for (const auto& [_, network] : world.networks)
        if (const auto found = network->bound.find(port); found != network->bound.end())
            places.push_back({network, found->second});
    // The port's own network first.
    const auto& own = world.topology->ports.at(port).network;
    std::ranges::sort(places, {}, [&](const Place& place) {
        return std::pair(place.network->core.name != own, std::string_view(place.network->core.name));
    });
    return places;
}

/// The ports that have an address: in twin subnets several.
std::vector<Place> holders_of(const World& world, const Ip& ip) {
    std::vector<Place> places;
    for (const auto& [_, network] : world.networks)
        for (const auto& [_, attachment] : network->bound)
            if (std::ranges::find(attachment->ips, ip) != attachment->ips.end())
                places.push_back({network, attachment});
    return places;
}

/// What a speaker can be before one place and family is chosen.
struct Party {
    std::vector<Place> places; ///< none: nobody of the fabric
    std::optional<Ip> ip;      ///< as written
};

Result<Party> party(const World& world, const std::string& text) {
    const auto at = text.find('@');
    const auto name = text.substr(0, at);
    if (const auto port = world.topology->ports.find(name); port != world.topology->ports.end()) {
        Party result{.places = places_of(world, name), .ip = {}};
        if (at != std::string::npos)
            std::erase_if(result.places, [&](const Place& p) { return p.network->core.name != text.substr(at + 1); });
        if (result.places.empty())
            return fail(
                ErrorKind::invalid,
                at == std::string::npos
                    ? fmt::format("port {} is not plugged in anywhere: `weftctl show port {}` says why", name, name)
                    : fmt::format("port {} is not plugged in on a network {}", name, text.substr(at + 1)));
        return result;
    }
    const auto ip = Ip::parse(text);
    if (!ip)
        return fail(ErrorKind::invalid,
                    fmt::format("there is no port {}, and it is no address: `weftctl ports` lists them", text));
    return Party{.places = holders_of(world, *ip), .ip = ip};
}

std::optional<Ip> address_in(const Place& place, const std::optional<Ip>& written, bool v6) {
    if (written) return written->is_v6() == v6 ? written : std::nullopt;
    const auto& ips = place.attachment->ips;
    const auto found = std::ranges::find_if(ips, [v6](const Ip& ip) { return ip.is_v6() == v6; });
    return found == ips.end() ? std::nullopt : std::optional(*found);
}

/// A way to be somebody: where, and with which address.
struct Guise {
    std::optional<Place> place;
    Ip ip;
};

std::vector<Guise> guises(const Party& party) {
    if (party.places.empty()) return {{std::nullopt, *party.ip}};
    std::vector<Guise> result;
    for (const bool v6 : {false, true})
        for (const auto& place : party.places)
            if (const auto ip = address_in(place, party.ip, v6)) result.push_back({place, *ip});
    return result;
}

bool on_one_network(const Guise& a, const Guise& b) {
    return a.place && b.place && a.place->network->core.name == b.place->network->core.name;
}

/// The pair that speaks most directly: on one network, else of one family.
std::optional<std::pair<Guise, Guise>> choose(const Party& from, const Party& to) {
    std::optional<std::pair<Guise, Guise>> best;
    for (const auto& source : guises(from))
        for (const auto& target : guises(to)) {
            if (source.ip.is_v6() != target.ip.is_v6()) continue;
            if (on_one_network(source, target)) return std::pair(source, target);
            if (!best) best.emplace(source, target);
        }
    return best;
}

std::optional<Mac> mac_on(const World& world, const NetworkView& network, const Ip& ip) {
    for (const auto& [_, attachment] : network.bound)
        if (std::ranges::find(attachment->ips, ip) != attachment->ips.end()) return attachment->mac;
    if (const auto own = network.core.own_mac(ip)) return own;
    for (const auto& [_, gateway] : world.gateways) {
        if (gateway->network != network.core.name) continue;
        for (const auto& floating : gateway->floating_ips)
            if (floating.address == ip && !floating.host.empty()) return floating.mac;
        for (const auto& address : nat::public_addresses(*gateway))
            if (address.block.contains(ip)) return address.mac;
        if (gateway->nexthop == ip && gateway->nexthop_mac) return gateway->nexthop_mac;
        if (gateway->nexthop6 == ip && gateway->nexthop6_mac) return gateway->nexthop6_mac;
    }
    if (const auto known = network.neighbours.find(ip); known != network.neighbours.end()) return known->second;
    return std::nullopt;
}

/// The machine on the network to which its guests send what is for elsewhere.
std::optional<Mac> way_out(const World& world, const NetworkView& network, bool v6) {
    if (network.core.routed && (v6 ? network.core.routed->gateway6 : network.core.routed->gateway))
        return network.core.routed->mac;
    const auto& written = world.topology->networks.at(network.core.name);
    const auto& gateway = v6 ? written.gateway6 : written.gateway;
    if (gateway)
        if (const auto mac = mac_on(world, network, *gateway)) return mac;
    for (const auto& [_, at] : world.gateways)
        if (at->network == network.core.name && (v6 ? at->nexthop6_mac : at->nexthop_mac))
            return v6 ? at->nexthop6_mac : at->nexthop_mac;
    return std::nullopt;
}

/// A frame's way on a network, as its sender finds it: by ARP, or to the way out.
Mac target_mac(const World& world, const NetworkView& network, const Ip& to, std::vector<std::string>& assumed) {
    const bool near = network.core.contains(to);
    const auto mac = near ? mac_on(world, network, to) : way_out(world, network, to.is_v6());
    if (mac) return *mac;
    if (const auto reached = mac_on(world, network, to))
        return *reached; // announced on the network, outside its subnet
    assumed.push_back(near ? fmt::format("nobody is known to have {} on network {}", to.to_string(), network.core.name)
                           : fmt::format("network {} has no known way to {}", network.core.name, to.to_string()));
    return kNobody;
}

void tag(of::Packet& packet, std::uint16_t vid) {
    packet.set(Field::vlan_tci, 0x1000 | vid);
}

void enter_by_port(const World& world, const Place& place, const Ip& to, Probe& probe) {
    const auto& attachment = *place.attachment;
    probe.entrance = {attachment.binding.host, attachment.binding.ofport, {}};
    probe.packet.set(Field::eth_src, of::bits(attachment.mac));
    probe.packet.set(Field::eth_dst, of::bits(target_mac(world, *place.network, to, probe.assumed)));
    if (attachment.vlan) tag(probe.packet, *attachment.vlan);
}

void enter_by_wire(const World& world, const NetworkView& network, const std::optional<Mac>& sender, const Ip& to,
                   Probe& probe) {
    probe.entrance = {{}, 0, network.core.physnet};
    probe.packet.set(Field::eth_src, of::bits(sender.value_or(kNobody)));
    probe.packet.set(Field::eth_dst, of::bits(target_mac(world, network, to, probe.assumed)));
    if (network.core.kind == topology::NetworkKind::vlan) tag(probe.packet, network.core.vlan);
}

/// An address of nobody's in the fabric speaks from a physical network: the one that it is in, else the public network
/// of the gateway that `to` is behind.
Result<> enter_from_outside(const World& world, const Ip& from, const Guise& to, Probe& probe) {
    for (const auto& [_, network] : world.networks)
        if (network->core.physical() && network->core.contains(from)) {
            enter_by_wire(world, *network, mac_on(world, *network, from), to.ip, probe);
            return {};
        }
    const auto enter = [&](const nat::Gateway& gateway) {
        const auto& network = *world.networks.at(gateway.network);
        enter_by_wire(world, network, from.is_v6() ? gateway.nexthop6_mac : gateway.nexthop_mac, to.ip, probe);
        // Its next hop routes to the public addresses, also those outside the network's subnet, and to what is behind
        // a gateway that does not translate.
        probe.packet.set(Field::eth_dst, of::bits(mac_on(world, network, to.ip).value_or(gateway.mac)));
    };
    for (const auto& [_, gateway] : world.gateways) {
        if (!world.networks.contains(gateway->network)) continue;
        const bool announces = mac_on(world, *world.networks.at(gateway->network), to.ip).has_value();
        const bool behind = std::ranges::any_of(gateway->routers, [&](const nat::Served& router) {
            return std::ranges::any_of(router.behind, [&](const Prefix& prefix) { return prefix.contains(to.ip); });
        });
        if (!announces && !behind) continue;
        enter(*gateway);
        return {};
    }
    return fail(ErrorKind::invalid, fmt::format("{} is outside the fabric, and no gateway or physical network leads "
                                                "from there to {}",
                                                from.to_string(), to.ip.to_string()));
}

void put_payload(const Question& question, bool v6, of::Packet& packet) {
    const bool icmp = question.protocol == of::ip_proto::kIcmp || question.protocol == of::ip_proto::kIcmpv6;
    packet.set(Field::ip_proto, icmp ? (v6 ? of::ip_proto::kIcmpv6 : of::ip_proto::kIcmp) : question.protocol);
    const auto ports = [&](Field source, Field target) {
        packet.set(source, question.source_port == 0 ? kFirstEphemeral : question.source_port);
        packet.set(target, question.target_port);
    };
    if (icmp) {
        packet.set(v6 ? Field::icmpv6_type : Field::icmp_type, v6 ? 128 : 8); // echo request
    } else if (question.protocol == of::ip_proto::kTcp) {
        ports(Field::tcp_src, Field::tcp_dst);
        packet.set(Field::tcp_flags, 0x02); // SYN
    } else if (question.protocol == of::ip_proto::kUdp) {
        ports(Field::udp_src, Field::udp_dst);
    } else if (question.protocol == of::ip_proto::kSctp) {
        ports(Field::sctp_src, Field::sctp_dst);
    }
}

Speaker speaker(const Guise& guise) {
    if (!guise.place) return {.port = {}, .network = {}, .ip = guise.ip};
    return {guise.place->attachment->port, guise.place->network->core.name, guise.ip};
}

} // namespace

Result<Probe> probe(const World& world, const Question& question) {
    const auto from = party(world, question.from);
    if (!from) return std::unexpected(from.error());
    const auto to = party(world, question.to);
    if (!to) return std::unexpected(to.error());
    const auto chosen = choose(*from, *to);
    if (!chosen)
        return fail(ErrorKind::invalid,
                    fmt::format("{} and {} have no addresses of one family", question.from, question.to));
    const auto& [source, target] = *chosen;
    Probe result{.from = speaker(source), .to = speaker(target), .entrance = {}, .packet = {}, .assumed = {}};
    const bool v6 = source.ip.is_v6();
    auto& packet = result.packet;
    packet.set(Field::eth_type, v6 ? of::eth_type::kIpv6 : of::eth_type::kIpv4);
    packet.set(v6 ? Field::ipv6_src : Field::ip_src, of::bits(source.ip));
    packet.set(v6 ? Field::ipv6_dst : Field::ip_dst, of::bits(target.ip));
    packet.set(Field::ip_ttl, kTtl);
    put_payload(question, v6, packet);
    if (source.place)
        enter_by_port(world, *source.place, target.ip, result);
    else if (const auto entered = enter_from_outside(world, source.ip, target, result); !entered)
        return std::unexpected(entered.error());
    return result;
}

Probe answer_probe(const World& world, const Probe& probe, const End& end, const of::Packet& arrived) {
    Probe answer{
        .from = probe.to, .to = probe.from, .entrance = {}, .packet = Connections::answer_to(arrived), .assumed = {}};
    const auto vid = static_cast<std::uint16_t>(arrived.get(Field::vlan_tci) & 0xfff);
    NetworkPtr network;
    if (end.kind == End::Kind::wire) {
        answer.entrance = {{}, 0, end.object};
        for (const auto& [_, physical] : world.networks)
            if (physical->core.physical() && physical->core.physnet == end.object && physical->core.vlan == vid)
                network = physical;
    } else {
        answer.entrance = {end.host, 0, {}};
        for (const auto& place : places_of(world, end.object))
            if (place.attachment->vlan.value_or(0) == vid) {
                answer.entrance.ofport = place.attachment->binding.ofport;
                network = place.network;
            }
    }
    if (!network) return answer;
    // Not to the MAC that it came from: that of a host that routed here, or of a router on another host.
    std::vector<std::string> unknown;
    const auto mac = target_mac(world, *network, of::target_of(answer.packet), unknown);
    if (unknown.empty()) answer.packet.set(Field::eth_dst, of::bits(mac));
    return answer;
}

} // namespace weft::fabric
