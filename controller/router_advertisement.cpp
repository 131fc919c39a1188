#include "controller/router_advertisement.hpp"

#include "controller/dns_labels.hpp"
#include "controller/wire.hpp"

#include <algorithm>
#include <tins/ethernetII.h>
#include <tins/icmpv6.h>
#include <tins/ipv6.h>

namespace weft::controller {
namespace {

using namespace wire;
using Tins::ICMPv6;

constexpr std::size_t kHeader = 40, kFixed = 8; ///< of IPv6 and of a solicitation
constexpr std::uint32_t kForever = 0xffffffff;
constexpr std::uint16_t kMinimumMtu = 1280; ///< RFC 8200, 5
const Ip kAllNodes = Ip::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
constexpr Mac kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}}; ///< RFC 2464, 7

/// In seconds.
struct Lifetimes {
    std::uint16_t router;
    std::uint32_t preferred, valid, dns;
};

constexpr Lifetimes kWithdrawn{0, 0, 7200, 0};

/// The source of a solicitation.
std::optional<Ip> solicitor(Bytes frame) {
    if (frame.size() < kEthernet + kHeader + kFixed || u16(frame, 12) != kTypeIpv6) return std::nullopt;
    const auto packet = frame.subspan(kEthernet);
    const std::size_t length = u16(packet, 4);
    if (u8(packet, 0) >> 4 != 6 || u8(packet, 6) != IPPROTO_ICMPV6 || u8(packet, 7) != 255) return std::nullopt;
    if (length < kFixed || length > packet.size() - kHeader) return std::nullopt;
    const auto message = packet.subspan(kHeader, length);
    if (u8(message, 0) != ICMPv6::ROUTER_SOLICIT || u8(message, 1) != 0) return std::nullopt;
    const auto source = v6_at(packet, 8);
    try {
        const ICMPv6 solicitation(reinterpret_cast<const std::uint8_t*>(message.data()),
                                  static_cast<std::uint32_t>(message.size()));
        if (source == Ip::v6({}) && solicitation.search_option(ICMPv6::SOURCE_ADDRESS)) return std::nullopt;
    } catch (const std::exception&) { // options that are not whole, or empty
        return std::nullopt;
    }
    return source;
}

/// The option as long as the message has room for it, in bytes of the IPv6 packet.
void add_dns(ICMPv6& message, const GuestConfig& guest, std::uint32_t lifetime) {
    constexpr std::size_t kHead = 8, kAddress = 16, kMost = 127; // the option's length is a byte, in units of eight
    const std::size_t used = kHeader + message.size() + kHead;
    const std::size_t fit = used < guest.mtu ? (guest.mtu - used) / kAddress : 0;
    ICMPv6::recursive_dns_type servers(lifetime);
    for (const auto& ip : guest.dns)
        if (ip.is_v6() && servers.servers.size() < std::min(fit, kMost)) servers.servers.push_back(tins_v6(ip));
    if (!servers.servers.empty()) message.recursive_dns_servers(servers);
}

void add_domain(ICMPv6& message, const GuestConfig& guest, std::uint32_t lifetime) {
    const auto labels = dns_labels(guest.domain).size();
    if (labels == 0) return;
    const std::size_t option = (8 + labels + 7) / 8 * 8;
    if (kHeader + message.size() + option > guest.mtu) return;
    message.dns_search_list({lifetime, {guest.domain}});
}

Frame advertisement(const GuestConfig& guest, const Mac& to_mac, const Ip& to, const Lifetimes& lifetimes, bool dhcp) {
    ICMPv6 message(ICMPv6::ROUTER_ADVERT);
    message.hop_limit(64);
    message.managed(dhcp && guest.managed6 ? 1 : 0);
    message.other(dhcp ? 1 : 0);
    message.router_lifetime(lifetimes.router);
    message.source_link_layer_addr(tins(guest.server_mac));
    if (guest.mtu >= kMinimumMtu) message.mtu({0, guest.mtu}); // hosts ignore a smaller one (RFC 4861, 6.3.4)
    if (guest.subnet6) {
        const bool slaac = !guest.managed6 && guest.subnet6->length == 64;
        message.prefix_info({static_cast<std::uint8_t>(guest.subnet6->length), slaac ? 1 : 0, 1, lifetimes.valid,
                             lifetimes.preferred, tins_v6(guest.subnet6->network())});
    }
    add_dns(message, guest, lifetimes.dns);
    add_domain(message, guest, lifetimes.dns);

    Tins::IPv6 header(tins_v6(to), tins_v6(Ip::link_local(guest.server_mac)));
    header.hop_limit(255);
    auto packet = Tins::EthernetII(tins(to_mac), tins(guest.server_mac)) / header / message;
    return serialized(packet);
}

} // namespace

bool is_router_solicitation(std::span<const std::byte> frame) {
    return solicitor(frame).has_value();
}

Exchange answer_router_solicitation(std::span<const std::byte> frame, const GuestConfig& guest) {
    Exchange exchange;
    const auto source = solicitor(frame);
    if (!source) return exchange;
    exchange.asked = "router_solicitation";
    const auto mac = mac_at(frame, 6);
    if (!guest.subnet6)
        exchange.reason = "nothing is advertised in its network";
    else if (mac != guest.mac)
        exchange.reason = "it is from " + mac.to_string() + ", not the port's MAC";
    else if (source->is_multicast())
        exchange.reason = "it is from " + source->to_string();
    else
        exchange.answer =
            *source == Ip::v6({}) ? unsolicited_advertisement(guest) : router_advertisement(guest, guest.mac, *source);
    if (exchange.answer) exchange.answered = "router_advertisement";
    return exchange;
}

Frame router_advertisement(const GuestConfig& guest, const Mac& to_mac, const Ip& to) {
    const Lifetimes lifetimes{static_cast<std::uint16_t>(guest.router6 ? 65535 : 0), kForever, kForever, kForever};
    return advertisement(guest, to_mac, to, lifetimes, true);
}

Frame unsolicited_advertisement(const GuestConfig& guest) {
    return router_advertisement(guest, kAllNodesMac, kAllNodes);
}

Frame withdrawn_advertisement(const GuestConfig& guest) {
    return advertisement(guest, kAllNodesMac, kAllNodes, kWithdrawn, false);
}

} // namespace weft::controller
