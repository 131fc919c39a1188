// Router discovery (RFC 4861) for a guest: what weft, as the router or only as who knows the network, tells it about
// its IPv6 prefix, MTU and DNS. Fed by the frames that ports' flows punt, and by whoever decides when to speak unasked;
// what it says leaves by the guest's port only. Nothing here sends, waits or logs.
//
// All lifetimes are infinite, the router's the longest there is (65535 seconds, RFC 8319): a guest must go on while the
// daemon is away, and what changes is withdrawn and said anew.
#pragma once
#include "controller/guest_config.hpp"

namespace weft::controller {

/// A router solicitation that RFC 4861, 6.1.1 allows, in an untagged Ethernet frame: hop limit 255, code 0, eight bytes
/// or more, options whole and of a length that is not zero, no source link-layer option from ::. The checksum is not
/// looked at, for the reason that datagram() in controller/udp.hpp has. Not behind extension headers. For any bytes;
/// never throws.
bool is_router_solicitation(std::span<const std::byte> frame);

/// What becomes of a frame that may be a router solicitation. `asked` is "router_solicitation", or empty when
/// is_router_solicitation() says no; `answered` is "router_advertisement", together with `answer`, to the source of the
/// solicitation, or to all nodes when that is :: (RFC 4861, 6.2.6). Nothing, with `reason`, for a guest without
/// `subnet6` and for a solicitation from another MAC than `guest.mac` or from a multicast address. For any bytes; never
/// throws.
Exchange answer_router_solicitation(std::span<const std::byte> frame, const GuestConfig& guest);

/// RFC 4861, 4.2: a router advertisement in an Ethernet frame to `to_mac` and `to` (IPv6), from the MAC
/// `guest.server_mac` and its link-local address, hop limit 255. It says:
/// - current hop limit 64; M when `managed6`, O always: DNS and NTP come also by DHCPv6 (RFC 8415, 18.2.6);
/// - router lifetime 65535 seconds when `router6`, else 0: no default router;
/// - the source link-layer option; the MTU option, unless that is less than IPv6's 1280 bytes;
/// - `subnet6`, when there is one, on link, infinite; for SLAAC (A) unless `managed6` or not a /64 (RFC 4862, 5.5.3);
/// - the IPv6 addresses of `guest.dns` (RFC 8106, 5.1) and `guest.domain` (5.2), infinite.
/// The IPv6 packet is at most `guest.mtu` bytes, of any MTU that IPv6 allows: the DNS servers that do not fit, the last
/// ones, are left out, and so is a domain that does not.
Frame router_advertisement(const GuestConfig& guest, const Mac& to_mac, const Ip& to);

/// The same unasked, to all nodes of the link (ff02::1) by their Ethernet group (33:33:00:00:00:01).
Frame unsolicited_advertisement(const GuestConfig& guest);

/// To all nodes: nothing of what `guest` was told holds any longer. Router, DNS servers and domain have lifetime 0, the
/// prefix preferred lifetime 0 and a valid one of two hours, the least that a host believes (RFC 4862, 5.5.3, e);
/// neither M nor O. For the last word of a network that stops to serve, or, of the old `guest`, before the first word
/// of one that changed.
Frame withdrawn_advertisement(const GuestConfig& guest);

} // namespace weft::controller
