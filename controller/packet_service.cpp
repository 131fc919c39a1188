#include "controller/packet_service.hpp"

#include "controller/frames.hpp"
#include "controller/icmp.hpp"
#include "controller/onto_wire.hpp"
#include "controller/punted.hpp"
#include "controller/wire.hpp"
#include "pipeline/cookie.hpp"
#include "pipeline/punt.hpp"

#include <fmt/format.h>

namespace weft::controller {
namespace {

using namespace pipeline;
using namespace std::chrono_literals;

/// The same exhaustion is told again after so long.
constexpr auto kSayAgain = 60s;
using wire::kEthernet;

bool is_ip6(const openflow::Bytes& frame) {
    return frame.size() > kEthernet && frame[12] == std::byte{0x86} && frame[13] == std::byte{0xdd};
}

/// All zeros where the frame ends before.
Mac mac_in(const openflow::Bytes& frame, std::size_t offset) {
    return frame.size() >= offset + 6 ? wire::mac_at(frame, offset) : Mac{};
}

/// The address of either family at its place in the header (RFC 791, RFC 8200).
std::optional<Ip> address_at(const openflow::Bytes& frame, std::size_t offset4, std::size_t offset6) {
    const auto start = kEthernet + (is_ip6(frame) ? offset6 : offset4);
    if (frame.size() < start + (is_ip6(frame) ? 16 : 4)) return std::nullopt;
    return is_ip6(frame) ? wire::v6_at(frame, start) : wire::v4_at(frame, start);
}
std::optional<Ip> source_address(const openflow::Bytes& frame) {
    return address_at(frame, 12, 8);
}
std::optional<Ip> destination_address(const openflow::Bytes& frame) {
    return address_at(frame, 16, 24);
}

/// A network that is known on the host, by its id in a register.
const fabric::NetworkView* network_of(const fabric::HostView& host, std::uint64_t id) {
    for (const auto* networks : {&host.networks, &host.reached})
        for (const auto& [_, network] : *networks)
            if (network->core.id.value == id) return network.get();
    return nullptr;
}

/// The network of a local port that sent the packet.
const fabric::NetworkView* network_of_source(const fabric::HostView& host, std::uint64_t attachment) {
    for (const auto& [_, network] : host.networks)
        for (const auto& [port, member] : network->bound)
            if (member->id.value == attachment) return network.get();
    return nullptr;
}

const nat::Gateway* gateway_of(const fabric::HostView& host, std::uint64_t id) {
    for (const auto& [_, gateway] : host.gateways)
        if (gateway->id.value == id) return gateway.get();
    return nullptr;
}

/// The next hop's address, which route has put into its registers.
std::optional<Ip> nexthop_of(const openflow::PacketIn& packet) {
    if (!is_ip6(packet.packet)) return Ip::v4(static_cast<std::uint32_t>(value_of(packet, kNexthop4)));
    of::Bits address = 0;
    if (const auto* whole = packet.metadata.find(kNexthop6); whole != nullptr) address = whole->value;
    for (const auto part : {of::Field::reg12, of::Field::reg13, of::Field::reg14, of::Field::reg15})
        if (const auto* found = packet.metadata.find(part); found != nullptr)
            address |= found->value << (32 * (static_cast<int>(of::Field::reg15) - static_cast<int>(part)));
    std::array<std::uint8_t, 16> bytes{};
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, address >>= 8)
        *byte = static_cast<std::uint8_t>(address & 0xff);
    return Ip::v6(bytes);
}

/// The network on a wire that a packet came from, of those that this host is the edge of: the one that has its source;
/// for who sends from behind another router, the one that has that router.
const fabric::NetworkView* network_of_wire(const fabric::HostView& host, const openflow::PacketIn& packet) {
    const auto source = source_address(packet.packet);
    const auto sender = mac_in(packet.packet, 6);
    const fabric::NetworkView* behind = nullptr;
    for (const auto& [_, network] : host.networks) {
        if (network->core.edge != host.name || network->core.routed->router.value != router_of(packet)) continue;
        if (source && network->core.contains(*source)) return network.get();
        for (const auto& [ip, mac] : network->neighbours)
            if (mac == sender) behind = network.get();
    }
    return behind;
}

IcmpError error_of(Punt what) {
    switch (what) {
    case Punt::ttl_expired:
        return IcmpError::ttl_expired;
    case Punt::no_neighbour:
        return IcmpError::host_unreachable;
    case Punt::port_unreachable:
        return IcmpError::port_unreachable;
    case Punt::too_big:
        return IcmpError::too_big;
    default:
        return IcmpError::no_route;
    }
}

/// The packet again where it was punted, its registers as they were: a fragment of it goes the way it would have gone.
openflow::PacketOut resumed(const openflow::PacketIn& packet, Frame frame) {
    openflow::PacketOut out{std::move(frame), of::ofport::kController, {}};
    const auto is_register = [](of::Field field) {
        return field == kNetwork || (field >= of::Field::reg0 && field <= of::Field::xxreg3);
    };
    for (const auto& field : packet.metadata.fields())
        if (is_register(field.field) && field.field != kTooBig)
            out.actions.emplace_back(of::SetField{field.field, field.value, field.mask});
    // What a packet-out sends has lost what the connection tracker knew of it, and without that no rule can judge it.
    std::uint16_t zone = 0;
    if (const auto* connection = packet.metadata.find(kConnection))
        zone = static_cast<std::uint16_t>(connection->value >> 16);
    if (zone != 0)
        out.actions.emplace_back(of::Ct{.zone = zone, .table = packet.table});
    else
        out.actions.emplace_back(of::Resubmit{packet.table});
    return out;
}

std::vector<openflow::PacketOut> error(const openflow::PacketIn& packet, const fabric::HostView& host, Punt what) {
    const auto* next = network_of(host, value_of(packet, kNetwork));
    const auto* out_by = gateway_of(host, value_of(packet, kNetwork));
    const std::uint16_t mtu = next != nullptr ? next->core.mtu : out_by != nullptr ? out_by->mtu : 0;
    if (what == Punt::too_big && may_fragment(packet.packet)) {
        std::vector<openflow::PacketOut> fragments;
        for (auto& frame : fragment(packet.packet, mtu))
            fragments.push_back(resumed(packet, std::move(frame)));
        return fragments;
    }
    const bool ip6 = is_ip6(packet.packet);
    const auto source = source_of(packet);
    const auto* wire = source == 0 ? network_of_wire(host, packet) : nullptr;
    const auto* from = source != 0 ? network_of_source(host, source) : wire != nullptr ? wire : next;
    if (from == nullptr || !from->core.routed) return {};
    const auto& leg = *from->core.routed;
    const auto& address = ip6 ? leg.gateway6 : leg.gateway;
    if (!address) return {};
    auto message = icmp_error(packet.packet, error_of(what), {*address, leg.mac, mac_in(packet.packet, 6)}, mtu);
    if (!message) return {};
    openflow::PacketOut out{std::move(*message), of::ofport::kController, {}};
    if (source != 0) {
        out.actions = {load(kNetwork, from->core.id.value), load(kDestination, source), again_to(Stage::output)};
        return {std::move(out)};
    }
    if (wire != nullptr) return {onto_wire(wire->core.name, std::move(out.packet))};
    const auto* gateway = gateway_of(host, router_of(packet));
    if (gateway == nullptr) return {};
    // To somebody outside: the gateway's zone makes the quoted packet, and the source, what was sent there.
    auto translator = gateway->id;
    for (const auto* floating : nat::translated_by(*gateway, host.name))
        if (floating->inside == destination_address(packet.packet)) translator = floating->id;
    out.actions = {load(kNetwork, gateway->id.value), load(kRouter, translator.value), load(Nat::translating)};
    if (ip6 || gateway->snat.empty())
        out.actions = {load(kNetwork, gateway->network_id.value),
                       load(kRouter, gateway->id.value),
                       load(Nat::outside),
                       load(WayIn::local),
                       of::set_field(of::Field::eth_src, gateway->mac),
                       again_to(Stage::nat_out)};
    else
        out.actions.emplace_back(
            of::Ct{.zone = gateway->numbers.zone, .table = table_of(Stage::nat_out), .nat = of::Nat{}});
    return {std::move(out)};
}

/// A neighbour solicitation for an address of weft's on a datapath that cannot answer by itself.
std::vector<openflow::PacketOut> advertisement(const openflow::PacketIn& packet, const fabric::HostView& host) {
    const auto target = solicited_target(packet.packet);
    auto asker = neighbour_claim(packet.packet);
    if (const auto source = source_address(packet.packet); !asker && source && *source != Ip::v6({}))
        asker = NeighbourClaim{*source, mac_in(packet.packet, 6)};
    const auto* network = network_of(host, value_of(packet, kNetwork));
    if (!target || !asker || network == nullptr) return {};
    auto mac = network->core.own_mac(*target);
    const bool router = network->core.routed || !mac;
    for (const auto& [_, gateway] : host.gateways)
        if (gateway->network == network->core.name && gateway->address6 == target) mac = gateway->mac;
    if (!mac) return {};
    openflow::PacketOut out{neighbour_advertisement(*mac, *target, asker->ip, asker->mac, router, true),
                            of::ofport::kController,
                            {load(kNetwork, network->core.id.value)}};
    if (const auto source = source_of(packet); source != 0)
        out.actions.emplace_back(load(kDestination, source));
    else
        out.actions.emplace_back(load(WayOut::uplink));
    out.actions.emplace_back(again_to(Stage::output));
    return {std::move(out)};
}

} // namespace

std::vector<openflow::PacketOut> PacketService::answer(const openflow::PacketIn& packet, const fabric::HostView& host) {
    const auto what = punt_of(packet.userdata);
    if (!what) return {};
    switch (*what) {
    case Punt::neighbour:
        if (const auto* network = network_of(host, value_of(packet, kNetwork)); network != nullptr)
            if (const auto claim = neighbour_claim(packet.packet))
                heard_(host.name, network->core.name, claim->ip, claim->mac);
        return {};
    case Punt::solicitation:
        return advertisement(packet, host);
    case Punt::snat_exhausted:
        note_exhausted(packet, host);
        return {};
    case Punt::no_neighbour:
        if (waits(packet, host)) return {};
        [[fallthrough]];
    default:
        return error(packet, host, *what);
    }
}

bool PacketService::waits(const openflow::PacketIn& packet, const fabric::HostView& host) {
    const auto* network = network_of(host, value_of(packet, kNetwork));
    if (network == nullptr || network->core.edge.empty() || !host.facts.uplinks.contains(network->core.physnet))
        return false;
    const auto ip = nexthop_of(packet);
    return ip && need_(network->core.name, *ip, host.name, resumed(packet, packet.packet));
}

void PacketService::note_exhausted(const openflow::PacketIn& packet, const fabric::HostView& host) {
    const auto* gateway = gateway_of(host, router_of(packet));
    if (gateway == nullptr) return;
    auto& said = exhausted_[gateway->name];
    if (said != SteadyClock::time_point{} && SteadyClock::now() - said < kSayAgain) return;
    said = SteadyClock::now();
    voice_.say(LogLevel::warning, "snat_exhausted", host.name, "gateway " + gateway->name,
               "a connection found no free port of its SNAT addresses and was dropped; add addresses to snat, or close "
               "connections");
}

} // namespace weft::controller
