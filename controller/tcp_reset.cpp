#include "controller/tcp_reset.hpp"

#include "controller/wire.hpp"

#include <tins/ethernetII.h>
#include <tins/ip.h>
#include <tins/ipv6.h>
#include <tins/tcp.h>

namespace weft::controller {
namespace {

using namespace wire;

constexpr std::uint8_t kTcp = 6;
constexpr std::size_t kHeaderV4 = 20, kHeaderV6 = 40, kHeaderTcp = 20;
constexpr std::uint16_t kFragment = 0x3fff; ///< RFC 791, 3.1: more fragments, or an offset

std::uint32_t u32(Bytes bytes, std::size_t at) {
    return static_cast<std::uint32_t>(u16(bytes, at)) << 16 | u16(bytes, at + 2);
}

struct Packet {
    Ip source, destination;
    Bytes segment;
};

std::optional<Packet> packet_v4(Bytes packet) {
    if (packet.size() < kHeaderV4 || u8(packet, 0) >> 4 != 4) return std::nullopt;
    const std::size_t header = (u8(packet, 0) & 0x0fU) * 4U, length = u16(packet, 2);
    if (header < kHeaderV4 || length < header || length > packet.size()) return std::nullopt;
    if ((u16(packet, 6) & kFragment) != 0 || u8(packet, 9) != kTcp) return std::nullopt;
    return Packet{v4_at(packet, 12), v4_at(packet, 16), packet.subspan(header, length - header)};
}

std::optional<Packet> packet_v6(Bytes packet) {
    if (packet.size() < kHeaderV6 || u8(packet, 0) >> 4 != 6 || u8(packet, 6) != kTcp) return std::nullopt;
    const std::size_t length = u16(packet, 4);
    if (length > packet.size() - kHeaderV6) return std::nullopt;
    return Packet{v6_at(packet, 8), v6_at(packet, 24), packet.subspan(kHeaderV6, length)};
}

bool is_one_host(const Ip& ip) {
    return !ip.is_multicast() && ip != Ip::v4(0) && ip != Ip::v4(0xffffffff) && ip != Ip::v6({});
}

Tins::TCP reset_of(Bytes segment, std::size_t header) {
    const auto flags = u8(segment, 13);
    Tins::TCP reset(u16(segment, 0), u16(segment, 2));
    reset.window(0);
    if ((flags & Tins::TCP::ACK) != 0) {
        reset.flags(Tins::TCP::RST);
        reset.seq(u32(segment, 8));
        return reset;
    }
    // RFC 9293, 3.4: SYN and FIN have a place in the sequence, too.
    const auto length = static_cast<std::uint32_t>(segment.size() - header) +
                        ((flags & Tins::TCP::SYN) != 0 ? 1U : 0U) + ((flags & Tins::TCP::FIN) != 0 ? 1U : 0U);
    reset.flags(Tins::TCP::RST | Tins::TCP::ACK);
    reset.seq(0);
    reset.ack_seq(u32(segment, 4) + length);
    return reset;
}

} // namespace

std::optional<Frame> tcp_reset(std::span<const std::byte> frame) {
    if (frame.size() < kEthernet) return std::nullopt;
    const auto to = mac_at(frame, 6), from = mac_at(frame, 0);
    if (to.is_multicast() || from.is_multicast()) return std::nullopt;
    const auto type = u16(frame, 12);
    const auto behind = frame.subspan(kEthernet);
    const auto packet = type == kTypeIpv4 ? packet_v4(behind) : type == kTypeIpv6 ? packet_v6(behind) : std::nullopt;
    if (!packet || packet->segment.size() < kHeaderTcp) return std::nullopt;
    if (!is_one_host(packet->source) || !is_one_host(packet->destination)) return std::nullopt;
    const std::size_t header = (u8(packet->segment, 12) >> 4) * 4U;
    if (header < kHeaderTcp || header > packet->segment.size()) return std::nullopt;
    if ((u8(packet->segment, 13) & Tins::TCP::RST) != 0) return std::nullopt;

    const auto reset = reset_of(packet->segment, header);
    const Tins::EthernetII ethernet(tins(to), tins(from));
    if (packet->source.is_v4()) {
        Tins::IP ip(tins_v4(packet->source), tins_v4(packet->destination));
        ip.ttl(64);
        auto answer = ethernet / ip / reset;
        return serialized(answer);
    }
    Tins::IPv6 ip(tins_v6(packet->source), tins_v6(packet->destination));
    ip.hop_limit(64);
    auto answer = ethernet / ip / reset;
    return serialized(answer);
}

} // namespace weft::controller
