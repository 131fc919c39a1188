// DHCP's server for one port (RFC 2131, options of RFC 2132): what a guest asks, and what it gets. Every port has one
// fixed address, so that there is nothing to remember: a message and what its port is told decide the answer. Fed with
// frames of guests by packet_service, which sends the answer out of the port that asked. No clock, no sockets, no log.
//
// Also: long options split and joined (RFC 3396), Rapid Commit (RFC 4039), the client's identifier echoed (RFC 6842),
// classless static routes (RFC 3442, and as Microsoft's option 249), domain search (RFC 3397). Relay agents are not
// served: there is none between a guest and its switch.
#pragma once
#include "controller/guest_config.hpp"

namespace weft::controller {

/// What becomes of a DHCP message of a guest's: an untagged Ethernet frame with UDP from port 68 to port 67.
///
/// Exchange::asked is "discover", "inform", "release", "decline", or for a DHCPREQUEST the state of RFC 2131, 4.3.2:
/// "select" (it chose a server), "reboot" (it had an address), "renew" (unicast), "rebind" (broadcast); empty for what
/// is no message of a client's. Exchange::answered is "offer", "ack", "nak" or empty, and then there is no answer.
///
/// No answer, with a reason, to what is malformed, plain BOOTP, relayed, of another MAC than the guest's (Ethernet's
/// source or chaddr), for another server, or sent to an address that is neither broadcast nor the server's; nor to
/// anybody whose port has no IPv4 address or an MTU below 328. No answer and no reason: a release or decline as it
/// should be.
///
/// Exchange::lease: bound with every acknowledgement but an inform's; refused with every "nak"; released and declined
/// when it is the guest's address that is given back.
///
/// The answer carries what GuestConfig has of: lease time, T1 (half the lease), T2 (7/8), mask, router, DNS, MTU,
/// always; host name, domain, broadcast, NTP, domain search, routes if the parameter request list names them, in its
/// order. Without a list all of these but the domain search. The routes also whenever GuestConfig::routes has any. A
/// lease of 2^32-1 s or more is infinite (RFC 2131, 3.3) and without T1 and T2.
/// It is an IP packet of at most 576 bytes or what option 57 allows, and never above GuestConfig::mtu: what matters
/// least is left out. Its UDP payload is at least 300 bytes (RFC 1542, 2.1).
///
/// Wants GuestConfig::server and a lease of 1 s or more wherever there is an `ip`. For any bytes; never throws.
Exchange answer_dhcp4(std::span<const std::byte> frame, const GuestConfig& guest);

} // namespace weft::controller
