#include "controller/icmp.hpp"

#include "controller/wire.hpp"

#include <algorithm>
#include <array>
#include <tins/ethernetII.h>
#include <tins/icmp.h>
#include <tins/icmpv6.h>
#include <tins/ip.h>
#include <tins/ipv6.h>
#include <tins/rawpdu.h>
#include <utility>

namespace weft::controller {
namespace {

using namespace wire;

constexpr std::size_t kHeaderV4 = 20, kHeaderV6 = 40, kHeaderIcmp = 8;
constexpr std::uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kOffset = 0x1fff;

/// The IPv4 packet without Ethernet's header and padding. RFC 1812, 5.2.2: with all that makes a header valid.
std::optional<Bytes> ipv4_packet(Bytes frame) {
    if (frame.size() < kEthernet + kHeaderV4 || u16(frame, 12) != 0x0800) return std::nullopt;
    const auto packet = frame.subspan(kEthernet);
    const std::size_t header = (u8(packet, 0) & 0x0fU) * 4U, length = u16(packet, 2);
    if (u8(packet, 0) >> 4 != 4 || header < kHeaderV4 || length < header || length > packet.size()) return std::nullopt;
    if (internet_checksum(packet.first(header)) != 0) return std::nullopt;
    return packet.first(length);
}

/// The same for IPv6 (RFC 8200, 3). A jumbogram (RFC 2675) does not go through Ethernet.
std::optional<Bytes> ipv6_packet(Bytes frame) {
    if (frame.size() < kEthernet + kHeaderV6 || u16(frame, 12) != 0x86dd) return std::nullopt;
    const auto packet = frame.subspan(kEthernet);
    const std::size_t length = kHeaderV6 + u16(packet, 4);
    if (u8(packet, 0) >> 4 != 6 || length > packet.size()) return std::nullopt;
    return packet.first(length);
}

std::size_t header_length(Bytes ipv4) {
    return (u8(ipv4, 0) & 0x0fU) * 4U;
}

/// RFC 1122, 3.2.2 for the source, and a destination that is one host.
bool may_answer_v4(Bytes packet) {
    const auto source_net = u8(packet, 12), destination_net = u8(packet, 16);
    if (source_net == 0 || source_net == 127 || source_net >= 224) return false;
    const std::uint32_t destination = static_cast<std::uint32_t>(u16(packet, 16)) << 16 | u16(packet, 18);
    if (destination == 0 || destination == 0xffffffff || destination_net >> 4 == 0xe) return false;
    if ((u16(packet, 6) & kOffset) != 0) return false;
    if (u8(packet, 9) != IPPROTO_ICMP) return true;
    const auto message = packet.subspan(header_length(packet));
    constexpr std::array<std::uint8_t, 5> kErrors{3, 4, 5, 11, 12};
    return !message.empty() && std::ranges::find(kErrors, u8(message, 0)) == kErrors.end();
}

/// No error message inside, as far as the headers tell (RFC 8200, 4). A chain that is cut off hides what follows, and
/// so does a fragment but the first: no.
bool is_no_error_v6(Bytes packet) {
    auto next = u8(packet, 6);
    auto rest = packet.subspan(kHeaderV6);
    while (true) {
        std::size_t length = 0;
        switch (next) {
        case IPPROTO_ICMPV6:
            // RFC 4443, 2.1: errors are below 128; and 137 is the redirect.
            return !rest.empty() && u8(rest, 0) >= 128 && u8(rest, 0) != 137;
        case IPPROTO_FRAGMENT:
            if (rest.size() < 8 || (u16(rest, 2) & 0xfff8) != 0) return false;
            length = 8;
            break;
        case IPPROTO_AH:
            if (rest.size() < 8) return false;
            length = (u8(rest, 1) + 2U) * 4U;
            break;
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
        case 135: // mobility, RFC 6275
        case 139: // host identity, RFC 7401
        case 140: // shim6, RFC 5533
            if (rest.size() < 8) return false;
            length = (u8(rest, 1) + 1U) * 8U;
            break;
        default:
            return true;
        }
        if (length > rest.size()) return false;
        next = u8(rest, 0);
        rest = rest.subspan(length);
    }
}

/// RFC 4443, 2.4 (e).
bool may_answer_v6(Bytes packet, IcmpError what) {
    const auto source = v6_at(packet, 8), destination = v6_at(packet, 24);
    const Ip any = Ip::v6({}), loopback = any.plus(1);
    if (source == any || source == loopback || source.is_multicast() || destination == any) return false;
    if (destination.is_multicast() && what != IcmpError::too_big) return false;
    return is_no_error_v6(packet);
}

struct TypeAndCode {
    std::uint8_t type, code;
};

TypeAndCode type_v4(IcmpError what) {
    switch (what) {
    case IcmpError::ttl_expired:
        return {11, 0};
    case IcmpError::no_route:
        return {3, 0};
    case IcmpError::host_unreachable:
        return {3, 1};
    case IcmpError::port_unreachable:
        return {3, 3};
    case IcmpError::too_big:
        return {3, 4};
    }
    std::unreachable();
}

TypeAndCode type_v6(IcmpError what) {
    switch (what) {
    case IcmpError::ttl_expired:
        return {3, 0};
    case IcmpError::no_route:
        return {1, 0};
    case IcmpError::host_unreachable:
        return {1, 3};
    case IcmpError::port_unreachable:
        return {1, 4};
    case IcmpError::too_big:
        return {2, 0};
    }
    std::unreachable();
}

/// At most `room` bytes of the packet.
Tins::RawPDU quote(Bytes packet, std::size_t room) {
    std::vector<std::uint8_t> bytes(std::min(packet.size(), room));
    std::ranges::transform(packet.first(bytes.size()), bytes.begin(), std::to_integer<std::uint8_t>);
    return Tins::RawPDU(std::move(bytes));
}

Frame error_v4(Bytes packet, IcmpError what, const IcmpFrom& from, std::uint16_t mtu) {
    const auto [type, code] = type_v4(what);
    Tins::ICMP message(static_cast<Tins::ICMP::Flags>(type));
    message.code(code);
    if (what == IcmpError::too_big) message.mtu(mtu);
    const auto sender = static_cast<std::uint32_t>(u16(packet, 12)) << 16 | u16(packet, 14);
    Tins::IP header(Tins::IPv4Address(htonl(sender)), Tins::IPv4Address(htonl(from.source.v4())));
    header.ttl(64);
    header.tos(0xc0);          // internetwork control: RFC 1812, 4.3.2.5
    header.id(u16(packet, 4)); // as good as a counter, and needs no state
    auto whole = Tins::EthernetII(tins(from.eth_destination), tins(from.eth_source)) / header / message /
                 quote(packet, 576 - kHeaderV4 - kHeaderIcmp);
    return serialized(whole);
}

Frame error_v6(Bytes packet, IcmpError what, const IcmpFrom& from, std::uint16_t mtu) {
    const auto [type, code] = type_v6(what);
    Tins::ICMPv6 message(static_cast<Tins::ICMPv6::Types>(type));
    message.code(code);
    // libtins names this field for echoes only; the MTU's upper half, their identifier, is 0.
    if (what == IcmpError::too_big) message.sequence(mtu);
    const auto sender = v6_at(packet, 8);
    Tins::IPv6 header(Tins::IPv6Address(sender.bytes().data()), Tins::IPv6Address(from.source.bytes().data()));
    header.hop_limit(64);
    auto whole = Tins::EthernetII(tins(from.eth_destination), tins(from.eth_source)) / header / message /
                 quote(packet, 1280 - kHeaderV6 - kHeaderIcmp);
    return serialized(whole);
}

/// The header for the fragments but the first: with the options only whose copied bit is set (RFC 791, 3.1).
std::optional<Frame> later_header(Bytes header) {
    Frame later(header.begin(), header.begin() + kHeaderV4);
    auto options = header.subspan(kHeaderV4);
    while (!options.empty()) {
        const auto type = u8(options, 0);
        if (type == 0) break;
        std::size_t length = 1;
        if (type != 1) { // all but the no-operation have a length
            if (options.size() < 2) return std::nullopt;
            length = u8(options, 1);
        }
        if (length > options.size() || (type != 1 && length < 2)) return std::nullopt;
        if ((type & 0x80) != 0) later.insert(later.end(), options.begin(), options.begin() + length);
        options = options.subspan(length);
    }
    later.resize((later.size() + 3) / 4 * 4); // filled with ends of the option list
    later[0] = static_cast<std::byte>(0x40 | later.size() / 4);
    return later;
}

Frame fragment_frame(Bytes ethernet, Bytes header, Bytes payload, std::size_t flags_and_offset) {
    Frame frame(ethernet.begin(), ethernet.end());
    frame.insert(frame.end(), header.begin(), header.end());
    frame.insert(frame.end(), payload.begin(), payload.end());
    const auto ip = std::span(frame).subspan(kEthernet, header.size());
    put_u16(ip, 2, header.size() + payload.size());
    put_u16(ip, 6, flags_and_offset);
    put_u16(ip, 10, 0);
    put_u16(ip, 10, internet_checksum(ip));
    return frame;
}

} // namespace

std::optional<Frame> icmp_error(Bytes frame, IcmpError what, const IcmpFrom& from, std::uint16_t mtu) {
    const bool v6 = from.source.is_v6();
    const auto packet = v6 ? ipv6_packet(frame) : ipv4_packet(frame);
    if (!packet) return std::nullopt;
    const bool to_many = (u8(frame, 0) & 1) != 0;
    if (to_many && !(v6 && what == IcmpError::too_big)) return std::nullopt;
    if (v6) return may_answer_v6(*packet, what) ? std::optional(error_v6(*packet, what, from, mtu)) : std::nullopt;
    return may_answer_v4(*packet) ? std::optional(error_v4(*packet, what, from, mtu)) : std::nullopt;
}

bool may_fragment(Bytes frame) {
    const auto packet = ipv4_packet(frame);
    return packet && (u16(*packet, 6) & kDontFragment) == 0;
}

std::vector<Frame> fragment(Bytes frame, std::uint16_t mtu) {
    constexpr std::size_t kLeastMtu = 68; // the longest header and 8 bytes
    if (mtu < kLeastMtu || !may_fragment(frame)) return {};
    const auto packet = *ipv4_packet(frame);
    const auto ethernet = frame.first(kEthernet);
    auto header = packet.first(header_length(packet));
    auto rest = packet.subspan(header.size());
    const auto flags = u16(packet, 6);
    std::size_t offset = (flags & kOffset) * 8U; // of `rest` in the whole datagram
    const bool more = (flags & kMoreFragments) != 0;
    // Nobody could put such fragments together: odd pieces, or a datagram longer than any.
    if (more && (rest.empty() || rest.size() % 8 != 0)) return {};
    if (offset + packet.size() > 0xffff) return {};
    const auto later = later_header(header);
    if (!later) return {};

    std::vector<Frame> fragments;
    do {
        const std::size_t room = mtu - header.size();
        const auto piece = rest.first(rest.size() <= room ? rest.size() : room / 8 * 8);
        rest = rest.subspan(piece.size());
        const std::size_t more_bit = !rest.empty() || more ? kMoreFragments : 0;
        fragments.push_back(fragment_frame(ethernet, header, piece, more_bit | offset / 8));
        offset += piece.size();
        header = *later;
    } while (!rest.empty());
    return fragments;
}

} // namespace weft::controller
