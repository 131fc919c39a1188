// Probe: a question in an admin's words (who speaks to whom, and how) made the packet that the speaker would send, and
// the place where it enters the fabric. What ARP and neighbour discovery would have told the speaker is taken from the
// world. Pure.
#pragma once
#include "base/result.hpp"
#include "fabric/walk.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft::fabric {

/// One end: a port of the topology's, by name, or an address of anybody's.
struct Speaker {
    std::string port;     ///< empty: `ip` is nobody's of the fabric
    std::string network;  ///< which of the port's; empty: not a port
    std::optional<Ip> ip; ///< none: the port has no address
    bool operator==(const Speaker&) const = default;
};

struct Question {
    std::string from, to;                           ///< a port's name ("web1", "trunk1@web") or an address
    std::uint8_t protocol = 1;                      ///< IP protocol; ICMP (1) is ICMPv6 in IPv6
    std::uint16_t source_port = 0, target_port = 0; ///< of TCP, UDP, SCTP
};

struct Probe {
    Speaker from, to;
    Entrance entrance;
    of::Packet packet;
    std::vector<std::string> assumed; ///< what the world does not say: "nobody is known to have 10.0.0.9"
};

/// Errors (invalid): no such port; not plugged in; no address of a family that both have; an outside address that no
/// gateway or physical network leads to.
Result<Probe> probe(const World& world, const Question& question);

/// The answer's probe: what `to` sends when it has got `arrived`, the probe's packet as it came there. Where that is a
/// physical network the answer comes from its wire.
Probe answer_probe(const World& world, const Probe& probe, const End& end, const of::Packet& arrived);

} // namespace weft::fabric
