// Frame: the bytes of an Ethernet frame as a Packet, with the fields that Open vSwitch finds in them
// (lib/flow.c, miniflow_extract): one VLAN tag, ARP, IPv4, IPv6 with its extension headers, TCP, UDP, SCTP, ICMP,
// ICMPv6 and neighbour discovery.
#pragma once
#include "base/result.hpp"
#include "openflow/packet.hpp"

#include <cstddef>
#include <span>

namespace weft::openflow {

/// What a frame is cut off before stays 0, as in Open vSwitch; behind a second VLAN tag nothing is looked at. Error
/// invalid: not even an Ethernet header.
Result<Packet> packet_of(std::span<const std::byte> frame);

} // namespace weft::openflow
