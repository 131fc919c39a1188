// What the registers hold, at every stage. The OVS field behind each is in pipeline/fields.hpp.
//
//   metadata      network the packet is in (48-bit id); between nexthop and nat_out the gateway it goes to
//   xreg0         source attachment: a port in a network (48-bit id); 0 from the wire or a tunnel
//   xreg1         destination attachment; 0 while unknown, or when it leaves by a tunnel or an uplink
//   reg4          way in (WayIn); 0 before classify has decided
//   reg5          way out (WayOut)
//   reg6          in guard: 1 once a neighbour discovery message's link-layer option has been checked;
//                 from egress_groups on: the security group whose rules are asked
//   reg7          in respond (Answering): 1 while a solicitation is being made an advertisement, 2 when the daemon is
//                 to answer, if the port may ask;
//                 from track on: what is known of the packet's connection (Verdict, 8 bits) and its zone (high 16 bits)
//   xreg4         router whose routes hold for the packet (48-bit id); out of nat_in the gateway itself
//   reg10         how far a gateway is with the packet (Nat)
//   reg11         1, then 2: larger than the next network's MTU
//   xxreg3        next hop; an IPv4 one in its first 32 bits (reg12)
#pragma once
#include <cstdint>

namespace weft::pipeline {

enum class WayIn : std::uint8_t { unknown = 0, local = 1, uplink = 2, tunnel = 3 };
enum class WayOut : std::uint8_t { local = 0, uplink = 1, tunnel = 2 };

enum class Answering : std::uint8_t { no = 0, advertising = 1, asking = 2 };

enum class Verdict : std::uint8_t {
    untracked = 0,
    established = 1, ///< by the policy in force: the groups have nothing to say
    pending = 2,     ///< judged by the groups that it meets, then committed
    asked = 3,       ///< the groups of a port are being asked
    allowed = 4,     ///< one of them said yes
    judged = 5,      ///< at commit: by the groups of the port whose address it is for
};

enum class Nat : std::uint8_t {
    none = 0,
    active = 1,      ///< this host is the gateway's active one
    translating = 2, ///< out of ct(): must show a translation now
    outside = 3,     ///< has its public source; looks for its way on the public network
    restoring = 4,   ///< out of ct(): may show a translation, without SNAT
};

} // namespace weft::pipeline
