// What the registers hold, at every stage. Names only: the OVS field behind each is in fabric/registers.hpp, because
// this room knows no OpenFlow library.
//
//   metadata      network the packet is in (48-bit id)
//   xreg0         source attachment: a port in a network (48-bit id); 0 from the wire or a tunnel
//   xreg1         destination attachment; 0 while unknown, or when it leaves by a tunnel or an uplink
//   reg4          way in (WayIn); 0 before classify has decided
//   reg5          way out (WayOut)
//   reg6          guard's own: 1 once a neighbour discovery message's link-layer option has been checked
//   reg7          respond's own: 1 while a solicitation is being made an advertisement
#pragma once
#include <cstdint>

namespace weft::pipeline {

enum class WayIn : std::uint8_t { unknown = 0, local = 1, uplink = 2, tunnel = 3 };
enum class WayOut : std::uint8_t { local = 0, uplink = 1, tunnel = 2 };

} // namespace weft::pipeline
