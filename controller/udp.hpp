// UDP (RFC 768) in an untagged Ethernet frame, as a value. Nothing here sends, waits or logs.
#pragma once
#include "controller/frames.hpp"

namespace weft::controller {

struct Datagram {
    Mac source_mac, destination_mac;
    Ip source, destination; ///< of one family
    std::uint16_t source_port = 0, destination_port = 0;
    std::span<const std::byte> payload; ///< of whoever made the value
};

/// What a frame carries, if that is UDP in IPv4 or IPv6, whole and not a fragment, its lengths true. Checksums are not
/// looked at: what a guest sends may reach its own host before anybody filled them in (checksum offload). Not behind
/// IPv6 extension headers. For any bytes; never throws.
std::optional<Datagram> datagram(std::span<const std::byte> frame);

/// The frame, with checksums; TTL and hop limit 64.
Frame udp_frame(const Datagram& datagram);

} // namespace weft::controller
