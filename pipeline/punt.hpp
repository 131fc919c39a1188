// What a flow asks of the daemon when it sends it a packet: the first byte of the controller action's userdata. Every
// punt goes through a meter, so that no flood reaches the daemon.
#pragma once
#include "pipeline/fields.hpp"

#include <optional>
#include <string>

namespace weft::pipeline {

enum class Punt : std::uint8_t {
    ttl_expired = 1,
    no_route,
    no_neighbour,
    too_big,
    port_unreachable,
    neighbour,      ///< ARP or neighbour discovery that says who has an address
    solicitation,   ///< a neighbour solicitation that the datapath cannot answer
    snat_exhausted, ///< a sample of what was dropped
    service,        ///< a guest asks for addresses or names: DHCP, DHCPv6, router solicitation, DNS
    arrived,        ///< the first frame of a guest that migrates to this host
};

/// Meters of every host, in packets a second.
inline constexpr std::uint32_t kPuntMeter = 1;   ///< ICMP errors, fragments, neighbours
inline constexpr std::uint32_t kPuntRate = 1000; ///< as many ICMP errors a second as Linux sends
inline constexpr std::uint32_t kSampleMeter = 2; ///< of packets that are punted only to be noticed
inline constexpr std::uint32_t kSampleRate = 10;
inline constexpr std::uint32_t kServiceMeter = 3; ///< of what guests ask for, all of them on the host together
inline constexpr std::uint32_t kServiceRate = 2000;

/// What one port may ask for, in packets a second, before any of it counts on kServiceMeter: a tenth, so that no guest
/// gets in the way of another. Ports' numbers are unique on a host.
inline constexpr std::uint32_t kPortServiceRate = 200;
/// Of those at once. ovs-vswitchd keeps at most 100 packets for a controller and drops what is more, whoever sent it.
inline constexpr std::uint32_t kPortServiceBurst = 50;
inline std::uint32_t port_service_meter(std::uint32_t ofport) {
    return 0x2'0000 + ofport;
}

inline of::Controller punt(Punt what) {
    const auto meter = what == Punt::snat_exhausted ? kSampleMeter : what == Punt::service ? kServiceMeter : kPuntMeter;
    return {std::string(1, static_cast<char>(what)), meter};
}

/// Nothing for userdata that no weft would write.
inline std::optional<Punt> punt_of(const std::string& userdata) {
    if (userdata.size() != 1) return std::nullopt;
    const auto value = static_cast<std::uint8_t>(userdata[0]);
    if (value < static_cast<std::uint8_t>(Punt::ttl_expired) || value > static_cast<std::uint8_t>(Punt::arrived))
        return std::nullopt;
    return static_cast<Punt>(value);
}

} // namespace weft::pipeline
