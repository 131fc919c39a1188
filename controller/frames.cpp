#include "controller/frames.hpp"

#include "controller/wire.hpp"

#include <tins/arp.h>
#include <tins/ethernetII.h>
#include <tins/icmpv6.h>
#include <tins/ipv6.h>

namespace weft::controller {
namespace {

using namespace wire;

constexpr Mac kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
const Ip kAnyV4 = Ip::v4(0);
const Ip kAnyV6 = Ip::v6({});
const Ip kAllNodes = Ip::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

/// RFC 4291, 2.7.1: ff02::1:ff00:0/104 and the address's last 24 bits.
Ip solicited_node(const Ip& ip) {
    const auto& b = ip.bytes();
    return Ip::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, b[13], b[14], b[15]});
}

/// RFC 2464, 7.
Mac multicast_mac(const Ip& group) {
    const auto& b = group.bytes();
    return {{0x33, 0x33, b[12], b[13], b[14], b[15]}};
}

Frame arp_frame(const Mac& sender, const Ip& sender_ip, const Ip& target) {
    Tins::ARP arp(tins_v4(target), tins_v4(sender_ip), tins(Mac{}), tins(sender));
    arp.opcode(Tins::ARP::REQUEST);
    auto packet = Tins::EthernetII(tins(kBroadcast), tins(sender)) / arp;
    return serialized(packet);
}

Frame nd_frame(const Mac& to, const Mac& from, const Ip& destination, const Ip& source, const Tins::ICMPv6& message) {
    Tins::IPv6 header(tins_v6(destination), tins_v6(source));
    header.hop_limit(255);
    auto packet = Tins::EthernetII(tins(to), tins(from)) / header / message;
    return serialized(packet);
}

/// A claim that a host can make. RFC 1812, 3.3.2: no claim is believed whose MAC is a multicast or broadcast one.
std::optional<NeighbourClaim> believable(const Ip& ip, const Mac& mac) {
    if (ip == kAnyV4 || ip == kAnyV6 || ip.is_multicast() || ip == Ip::v4(0xffffffff)) return std::nullopt;
    if (mac.is_multicast() || mac == Mac{}) return std::nullopt;
    return NeighbourClaim{ip, mac};
}

std::optional<NeighbourClaim> arp_claim(Bytes frame) {
    constexpr std::size_t kArp = 28;
    if (frame.size() < kEthernet + kArp || u16(frame, 12) != 0x0806) return std::nullopt;
    const auto arp = frame.subspan(kEthernet);
    const bool ipv4_on_ethernet = u16(arp, 0) == 1 && u16(arp, 2) == 0x0800 && u8(arp, 4) == 6 && u8(arp, 5) == 4;
    const auto operation = u16(arp, 6);
    if (!ipv4_on_ethernet || (operation != 1 && operation != 2)) return std::nullopt;
    return believable(v4_at(arp, 14), mac_at(arp, 8));
}

/// A solicitation or an advertisement that passed the checks of RFC 4861, 7.1.
struct Discovery {
    bool solicitation;
    Ip source, target;
    std::optional<Mac> link_address; ///< the source's in a solicitation, the target's in an advertisement
};

/// The first link-layer option of the type. False: an option that is cut off, empty or of a wrong length.
bool read_options(Bytes options, std::uint8_t type, std::optional<Mac>& link_address) {
    while (!options.empty()) {
        if (options.size() < 2) return false;
        const std::size_t length = u8(options, 1) * 8U;
        if (length == 0 || length > options.size()) return false;
        if (u8(options, 0) == type) {
            if (length != 8) return false; // RFC 2464, 6
            if (!link_address) link_address = mac_at(options, 2);
        }
        options = options.subspan(length);
    }
    return true;
}

/// RFC 8200, 8.1.
bool has_right_checksum(Bytes header, Bytes message) {
    std::uint32_t sum = static_cast<std::uint32_t>(message.size()) + IPPROTO_ICMPV6;
    for (std::size_t at = 8; at < 40; at += 2)
        sum += u16(header, at);
    return internet_checksum(message, sum) == 0;
}

std::optional<Discovery> discovery(Bytes frame) {
    constexpr std::size_t kHeader = 40, kFixed = 24;
    constexpr std::uint8_t kSolicitation = 135, kAdvertisement = 136, kSourceOption = 1, kTargetOption = 2;
    if (frame.size() < kEthernet + kHeader + kFixed || u16(frame, 12) != 0x86dd) return std::nullopt;
    const auto packet = frame.subspan(kEthernet);
    const std::size_t length = u16(packet, 4);
    if (u8(packet, 0) >> 4 != 6 || u8(packet, 6) != IPPROTO_ICMPV6 || length < kFixed ||
        length > packet.size() - kHeader)
        return std::nullopt;
    const auto message = packet.subspan(kHeader, length);
    const auto type = u8(message, 0);
    if ((type != kSolicitation && type != kAdvertisement) || u8(message, 1) != 0) return std::nullopt;
    // A router would have lowered it: 255 proves that the sender is on the link.
    if (u8(packet, 7) != 255 || !has_right_checksum(packet, message)) return std::nullopt;

    Discovery found{type == kSolicitation, v6_at(packet, 8), v6_at(message, 8), std::nullopt};
    const auto destination = v6_at(packet, 24);
    if (found.source.is_multicast() || found.target.is_multicast()) return std::nullopt;
    if (!read_options(message.subspan(kFixed), found.solicitation ? kSourceOption : kTargetOption, found.link_address))
        return std::nullopt;
    if (found.solicitation && found.source == kAnyV6 &&
        (destination != solicited_node(destination) || found.link_address))
        return std::nullopt;
    const bool solicited = (u8(message, 4) & 0x40) != 0;
    if (!found.solicitation && solicited && destination.is_multicast()) return std::nullopt;
    return found;
}

} // namespace

std::uint16_t internet_checksum(Bytes bytes, std::uint32_t sum) {
    std::uint64_t total = sum;
    for (std::size_t at = 0; at + 1 < bytes.size(); at += 2)
        total += u16(bytes, at);
    if (bytes.size() % 2 != 0) total += static_cast<std::uint32_t>(u8(bytes, bytes.size() - 1)) << 8;
    while (total > 0xffff)
        total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint16_t>(~total);
}

Frame who_has(const Mac& sender, const Ip& sender_ip, const Ip& target) {
    return target.is_v4() ? arp_request(sender, sender_ip, target) : neighbour_solicitation(sender, sender_ip, target);
}

Frame arp_request(const Mac& sender, const Ip& sender_ip, const Ip& target) {
    return arp_frame(sender, sender_ip, target);
}

Frame gratuitous_arp(const Mac& mac, const Ip& ip) {
    return arp_frame(mac, ip, ip);
}

Frame neighbour_solicitation(const Mac& sender, const Ip& sender_ip, const Ip& target) {
    Tins::ICMPv6 message(Tins::ICMPv6::NEIGHBOUR_SOLICIT);
    message.target_addr(tins_v6(target));
    if (sender_ip != kAnyV6) message.source_link_layer_addr(tins(sender));
    const auto group = solicited_node(target);
    return nd_frame(multicast_mac(group), sender, group, sender_ip, message);
}

Frame neighbour_advertisement(const Mac& mac, const Ip& ip, const Ip& destination, const Mac& destination_mac,
                              bool router, bool solicited) {
    assert(!solicited || !destination.is_multicast());
    Tins::ICMPv6 message(Tins::ICMPv6::NEIGHBOUR_ADVERT);
    message.target_addr(tins_v6(ip));
    message.router(router ? 1 : 0);
    message.solicited(solicited ? 1 : 0);
    message.override(1);
    message.target_link_layer_addr(tins(mac));
    return nd_frame(destination_mac, mac, destination, ip, message);
}

Frame unsolicited_advertisement(const Mac& mac, const Ip& ip, bool router) {
    return neighbour_advertisement(mac, ip, kAllNodes, multicast_mac(kAllNodes), router, false);
}

std::optional<NeighbourClaim> neighbour_claim(Bytes frame) {
    if (const auto claim = arp_claim(frame)) return claim;
    const auto found = discovery(frame);
    if (!found || !found->link_address) return std::nullopt;
    return believable(found->solicitation ? found->source : found->target, *found->link_address);
}

std::optional<Ip> solicited_target(Bytes frame) {
    const auto found = discovery(frame);
    if (!found || !found->solicitation) return std::nullopt;
    return found->target;
}

} // namespace weft::controller
