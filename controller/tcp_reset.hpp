// A TCP port that is closed, as a value: what a host says on which nothing listens there. Nothing here sends or waits.
#pragma once
#include "controller/frames.hpp"

namespace weft::controller {

/// The reset that answers the TCP segment in an untagged Ethernet frame (RFC 9293, 3.10.7.1), from where that went to
/// where it came from, MACs as well, with TTL and hop limit 64. A segment with ACK is reset at the number it
/// acknowledges; one without gets RST and ACK, which acknowledges its SYN, FIN and data.
///
/// Nothing for a RST, or two hosts could go on for ever; for what is not TCP in IPv4 or IPv6, whole, not a fragment,
/// its lengths true; from or to an address that is no single host's (RFC 9293, 3.9.2.3), of IP or of
/// Ethernet. Not behind IPv6 extension headers. Checksums are not looked at: what a guest sends may reach its own
/// host before anybody filled them in (checksum offload). For any bytes; never throws.
std::optional<Frame> tcp_reset(std::span<const std::byte> frame);

} // namespace weft::controller
