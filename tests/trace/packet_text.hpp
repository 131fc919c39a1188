// Packets in the words of `ofproto/trace`: what is asked of it, and the flows that it prints.
#pragma once
#include "openflow/action.hpp"
#include "openflow/packet.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weft::openflow {

/// "in_port=1,eth_type=0x0800,…": every field that is not 0, each behind its prerequisites.
std::string trace_text(const Packet& packet);

/// What follows "Flow: ". Open vSwitch leaves out of it what is 0, and always tun_id, nd_reserved and nd_options_type.
Packet parse_packet(std::string_view flow);

/// "new|trk"
std::string ct_state_text(Bits state);
Bits parse_ct_state(std::string_view text);

/// A number, a MAC, an IPv4 or an IPv6 address.
Bits parse_value(std::string_view text);

/// "a,b(c,d),e" → a; b(c,d); e. Only commas are looked for outside of parentheses.
std::vector<std::string_view> split(std::string_view list, char separator = ',');

/// Where the ports of a packet are, by its IP protocol; `target` is the destination's or an ICMP code.
Field port_field(Bits ip_proto, bool target);

} // namespace weft::openflow
