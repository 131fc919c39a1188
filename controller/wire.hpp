// Bytes of packets, read and written in network order, and weft's addresses in libtins' words. The readers want what
// they read to be there: whoever calls them has checked the size.
#pragma once
#include "base/address.hpp"
#include "controller/frames.hpp"

#include <arpa/inet.h>
#include <cassert>
#include <tins/hw_address.h>
#include <tins/ip_address.h>
#include <tins/ipv6_address.h>
#include <tins/pdu.h>

namespace weft::controller::wire {

using Bytes = std::span<const std::byte>;

inline constexpr std::size_t kEthernet = 14;
inline constexpr std::uint16_t kTypeIpv4 = 0x0800, kTypeArp = 0x0806, kTypeIpv6 = 0x86dd;

inline std::uint8_t u8(Bytes bytes, std::size_t at) {
    return std::to_integer<std::uint8_t>(bytes[at]);
}

inline std::uint16_t u16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(u8(bytes, at) << 8 | u8(bytes, at + 1));
}

inline void put_u16(std::span<std::byte> bytes, std::size_t at, std::size_t value) {
    bytes[at] = static_cast<std::byte>(value >> 8);
    bytes[at + 1] = static_cast<std::byte>(value);
}

inline Mac mac_at(Bytes bytes, std::size_t at) {
    Mac mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i)
        mac.bytes[i] = u8(bytes, at + i);
    return mac;
}

inline Ip v4_at(Bytes bytes, std::size_t at) {
    return Ip::v4(static_cast<std::uint32_t>(u16(bytes, at)) << 16 | u16(bytes, at + 2));
}

inline Ip v6_at(Bytes bytes, std::size_t at) {
    std::array<std::uint8_t, 16> address{};
    for (std::size_t i = 0; i < address.size(); ++i)
        address[i] = u8(bytes, at + i);
    return Ip::v6(address);
}

inline Tins::HWAddress<6> tins(const Mac& mac) {
    return Tins::HWAddress<6>(mac.bytes.data());
}

inline Tins::IPv4Address tins_v4(const Ip& ip) {
    assert(ip.is_v4());
    return Tins::IPv4Address(htonl(ip.v4()));
}

inline Tins::IPv6Address tins_v6(const Ip& ip) {
    assert(ip.is_v6());
    return Tins::IPv6Address(ip.bytes().data());
}

inline Ip from_tins(const Tins::IPv4Address& ip) {
    return Ip::v4(ntohl(static_cast<std::uint32_t>(ip)));
}

inline Ip from_tins(const Tins::IPv6Address& ip) {
    std::array<std::uint8_t, 16> bytes{};
    ip.copy(bytes.begin());
    return Ip::v6(bytes);
}

inline Frame serialized(Tins::PDU& packet) {
    const auto bytes = packet.serialize();
    const auto all = std::as_bytes(std::span(bytes));
    return {all.begin(), all.end()};
}

} // namespace weft::controller::wire
