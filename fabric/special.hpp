// Packets that no group and no ACL may cut off, and that the connection tracker does not understand: neighbour and
// router discovery, multicast listeners (RFC 4861, RFC 2710, RFC 3810) and DHCP. All of these are a link's own affair,
// so routers pass none of them on.
#pragma once
#include "fabric/emit.hpp"

#include <vector>

namespace weft::fabric {

/// Neighbour discovery and multicast listener discovery.
std::vector<of::Match> discovery();

/// What a guest asks weft for addresses with, of the families that are served: DHCP, DHCPv6.
std::vector<of::Match> address_questions(bool ip4, bool ip6);
of::Match router_solicitation();

/// From a DHCP client to a server, or from a server to a client.
std::vector<of::Match> dhcp_requests();
std::vector<of::Match> dhcp_answers();

/// All of these, and ARP: what goes past track.
std::vector<of::Match> never_tracked();

/// Packets that both match.
of::Match both(of::Match match, const of::Match& other);

/// In ip_frag: a fragment, and not the first, which alone has ports.
inline constexpr std::uint8_t kLaterFragments = 2;

/// The meter that limits how many connections a port may begin. Ports' numbers are unique on a host.
inline std::uint32_t new_connections_meter(std::uint32_t ofport) {
    return 0x1'0000 + ofport;
}
/// In connections a second; the burst is twice that. The kernel of a busy server begins fewer.
inline constexpr std::uint32_t kNewConnections = 10'000;

/// The meter of what a port sends: its QoS class's egress rate.
inline std::uint32_t egress_meter(std::uint32_t ofport) {
    return 0x3'0000 + ofport;
}
/// On the userspace datapath: the meter of what goes to a port, its class's ingress rate.
inline std::uint32_t ingress_meter(std::uint32_t ofport) {
    return 0x4'0000 + ofport;
}
/// Rounded to what a meter can say: kbit/s and kbit.
of::MeterEntry rate_meter(std::uint32_t id, const topology::Rate& rate);

} // namespace weft::fabric
