#include "controller/udp.hpp"

#include "controller/wire.hpp"

#include <tins/ethernetII.h>
#include <tins/ip.h>
#include <tins/ipv6.h>
#include <tins/rawpdu.h>
#include <tins/udp.h>

namespace weft::controller {
namespace {

using namespace wire;

constexpr std::uint8_t kUdp = 17;
constexpr std::size_t kHeaderV4 = 20, kHeaderV6 = 40, kHeaderUdp = 8;
constexpr std::uint16_t kFragment = 0x3fff; ///< RFC 791, 3.1: more fragments, or an offset

/// The addresses, and what is left behind the header.
std::optional<Bytes> ipv4(Bytes packet, Datagram& datagram) {
    if (packet.size() < kHeaderV4 || u8(packet, 0) >> 4 != 4) return std::nullopt;
    const std::size_t header = (u8(packet, 0) & 0x0fU) * 4U, length = u16(packet, 2);
    if (header < kHeaderV4 || length < header || length > packet.size()) return std::nullopt;
    if ((u16(packet, 6) & kFragment) != 0 || u8(packet, 9) != kUdp) return std::nullopt;
    datagram.source = v4_at(packet, 12);
    datagram.destination = v4_at(packet, 16);
    return packet.subspan(header, length - header);
}

std::optional<Bytes> ipv6(Bytes packet, Datagram& datagram) {
    if (packet.size() < kHeaderV6 || u8(packet, 0) >> 4 != 6 || u8(packet, 6) != kUdp) return std::nullopt;
    const std::size_t length = u16(packet, 4);
    if (length > packet.size() - kHeaderV6) return std::nullopt;
    datagram.source = v6_at(packet, 8);
    datagram.destination = v6_at(packet, 24);
    return packet.subspan(kHeaderV6, length);
}

} // namespace

std::optional<Datagram> datagram(std::span<const std::byte> frame) {
    if (frame.size() < kEthernet) return std::nullopt;
    Datagram result{.source_mac = mac_at(frame, 6), .destination_mac = mac_at(frame, 0)};
    const auto type = u16(frame, 12);
    const auto packet = frame.subspan(kEthernet);
    const auto udp = type == kTypeIpv4 ? ipv4(packet, result) : type == kTypeIpv6 ? ipv6(packet, result) : std::nullopt;
    if (!udp || udp->size() < kHeaderUdp) return std::nullopt;
    const std::size_t length = u16(*udp, 4);
    if (length < kHeaderUdp || length > udp->size()) return std::nullopt;
    result.source_port = u16(*udp, 0);
    result.destination_port = u16(*udp, 2);
    result.payload = udp->subspan(kHeaderUdp, length - kHeaderUdp);
    return result;
}

Frame udp_frame(const Datagram& datagram) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(datagram.payload.data());
    const auto udp = Tins::UDP(datagram.destination_port, datagram.source_port) /
                     Tins::RawPDU(data, static_cast<std::uint32_t>(datagram.payload.size()));
    const Tins::EthernetII ethernet(tins(datagram.destination_mac), tins(datagram.source_mac));
    if (datagram.source.is_v4()) {
        Tins::IP header(tins_v4(datagram.destination), tins_v4(datagram.source));
        header.ttl(64);
        auto packet = ethernet / header / udp;
        return serialized(packet);
    }
    Tins::IPv6 header(tins_v6(datagram.destination), tins_v6(datagram.source));
    header.hop_limit(64);
    auto packet = ethernet / header / udp;
    return serialized(packet);
}

} // namespace weft::controller
