// Questions that switches answer by themselves (ARP, neighbour discovery, ping) and the actions that turn such a packet
// into its answer and send it back to where it came from.
#pragma once
#include "pipeline/fields.hpp"

namespace weft::pipeline {

namespace nd {
inline constexpr std::uint8_t kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136; ///< RFC 4861
}

/// An ARP request, or a neighbour solicitation, for an address in `block`. ND targets cannot be asked for by block on
/// a datapath without nd_ext, nor need be: an IPv6 block is one address.
of::Match asks_for(of::Match match, const Prefix& block);

/// A neighbour solicitation to `mac` alone that does not say who asks: RFC 4861, 4.3 lets it leave out its source
/// link-layer option. (To a group without it: duplicate address detection.)
of::Match asks_without_option(of::Match match, const Mac& mac);

/// ARP from `ip`, request or reply, or a neighbour advertisement of it.
of::Match says_it_has(of::Match match, const Ip& ip);

/// The end of an answer: out of the port the question came from, or onto the wire.
of::Actions back(WayIn way);

/// To a request for any address: it has `mac`.
of::Actions arp_reply(const Mac& mac, WayIn way);

/// The first pass of an advertisement. OpenFlow lets an action set nd_tll only where the match says that the packet is
/// an advertisement, which this one becomes here: the second pass (kAnswering) sets it. Needs nd_ext.
of::Actions advertisement(const Mac& mac, const Ip& ip, bool router);
/// The second pass.
of::Match half_advertised(WayIn way);
of::Actions finish_advertisement(WayIn way);

/// ICMP or ICMPv6 echo request to `ip`, and its reply. The reply keeps the request's Ethernet destination as source.
of::Match echo_request(of::Match match, const Ip& ip);
of::Actions echo_reply(const Ip& ip, const Mac& mac);

} // namespace weft::pipeline
