// DHCPv6 (RFC 8415) for a guest whose address is fixed: what a client's message is answered with. Every port has one
// address, so nothing is remembered: each message is answered from the message and the GuestConfig alone, the same
// after a restart. Fed by the frames that ports' flows punt; what it says leaves by the asking port only. Nothing here
// sends, waits or logs.
#pragma once
#include "controller/guest_config.hpp"

namespace weft::controller {

/// What becomes of a DHCPv6 client's message in the untagged Ethernet frame. For any bytes; never throws.
///
/// A message is what UDP carries to port 547 in IPv6. `asked` is "solicit", "request", "confirm", "renew", "rebind",
/// "release", "decline" or "information_request"; empty when it is none of these (a relay's, a server's). `answered` is
/// "advertise" or "reply", together with `answer`: from the link-local address and MAC of `guest.server_mac`, port 547,
/// to the guest's MAC, its source address and port 546, the IPv6 packet at most `guest.mtu` bytes. `reason` tells why
/// there is no answer, or why it gives no address.
///
/// Not answered (RFC 8415, 16): a guest without `subnet6`; another Ethernet source than `guest.mac`, another IPv6
/// source than a link-local address, another port than 546; malformed options; no client identifier, or one over 130
/// bytes (11.1; an Information-request needs none); a server identifier that is not ours, where none may be or none
/// where one must; an Information-request with an identity association. Sent to the server's own address, Request,
/// Renew, Release and Decline get UseMulticast (18.4), the rest nothing.
///
/// Our identifier is the DUID-LL (11.4) of `guest.server_mac`. Of the IA_NAs the one that names `guest.ip6`, else the
/// first, gets it, preferred and valid for `guest.lease` (0xffffffff seconds and more: for ever), T1 at half of that
/// and T2 at four fifths (14.2). Other addresses that a Request names there, or a Renew or Rebind in any IA, get
/// lifetimes of 0, at most eight an IA (18.3.4, 18.3.5). Every IA without an address in the answer has status
/// NoAddrsAvail, an IA_PD NoPrefixAvail.
///
/// - Solicit: Advertise with preference 255, so that nobody waits for other servers (18.2.1); with Rapid Commit, and
///   an address to give, Reply (18.3.1).
/// - Request, Renew, Rebind: Reply. `lease` is bound when the address is in a Reply, with `address`.
/// - Confirm: Reply, Success when `guest.ip6` is all it names, else NotOnLink, also for another address of the subnet,
///   which the port could not use; `lease` is then refused. Nothing when it names none (18.3.3).
/// - Release, Decline: Reply with Success, NoBinding for the IAs without `guest.ip6` (18.3.7, 18.3.8). `lease` is
///   released or declined, with `address`, when `guest.ip6` is named.
/// - Information-request: Reply with Information Refresh Time of `guest.lease`.
///
/// All but Confirm, Release and Decline get the IPv6 addresses of `guest.dns` and `guest.domain` (RFC 3646), when they
/// ask for it NTP (RFC 5908) and SNTP servers (RFC 4075), and when they ask and send a name of theirs the FQDN option
/// (RFC 4704), which says that nobody updates DNS. What does not fit is left out, the last first. `host_name` is the
/// first label of the client's FQDN, empty when it has a byte that is not printable.
Exchange answer_dhcp6(std::span<const std::byte> frame, const GuestConfig& guest);

} // namespace weft::controller
