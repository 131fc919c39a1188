// What a router says about a packet that it cannot forward, and how it cuts one that is too long: ICMP errors and IPv4
// fragments as values. Frames are untagged Ethernet; padding behind the IP packet does not count. All of it is for any
// bytes, also hostile ones: nothing throws. A packet whose lengths or IPv4 header checksum are wrong is malformed.
#pragma once
#include "base/address.hpp"
#include "controller/frames.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weft::controller {

/// With the types and codes of IPv4 (RFC 792, RFC 1191) and IPv6 (RFC 4443).
enum class IcmpError {
    ttl_expired,      ///< 11/0; 3/0
    no_route,         ///< 3/0; 1/0
    host_unreachable, ///< 3/1; 1/3
    port_unreachable, ///< 3/3; 1/4
    too_big,          ///< 3/4; 2/0
};

/// Who sends the error: the router's address on the side where the packet came in, and the MACs of the answer.
struct IcmpFrom {
    Ip source;
    Mac eth_source, eth_destination;
};

/// The ICMP error about the IP packet in `frame`, to that packet's source, with TTL 64; `mtu` is for too_big only. It
/// quotes as much as fits 576 bytes (RFC 1812, 4.3.2.3) or 1280 (RFC 4443, 2.4 (c)). Nothing when the frame is no IP
/// packet of the family of `from.source`, is malformed, or no error may be sent (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)):
/// - about an ICMP error or redirect, or a fragment but the first, of which nobody can tell;
/// - to a source that is no single host's: unspecified, loopback, multicast, broadcast, class E;
/// - about a packet to a multicast, broadcast or unspecified address, of IP or of Ethernet; but IPv6's too_big may be
///   about a multicast, whose path MTU discovery rests on it.
/// A subnet's directed broadcast cannot be told from a host here: the caller knows its subnets. How many errors are
/// sent (RFC 1812, 4.3.2.8) is also the caller's.
std::optional<Frame> icmp_error(std::span<const std::byte> frame, IcmpError what, const IcmpFrom& from,
                                std::uint16_t mtu = 0);

/// An IPv4 packet without DF; false for anything else.
bool may_fragment(std::span<const std::byte> frame);

/// RFC 791, 3.2: the IPv4 packet in `frame` as fragments of at most `mtu` bytes each, Ethernet header not counted; in
/// order, each in that header. One frame when the packet fits. A fragment is cut further. Options without the copied
/// bit are in the first only. Empty when it may not be cut (DF) or cannot be: no IPv4, malformed, `mtu` below 68.
std::vector<Frame> fragment(std::span<const std::byte> frame, std::uint16_t mtu);

} // namespace weft::controller
