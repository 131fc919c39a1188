// GuestConfig: what a guest is told about its port in one network, by whatever protocol it asks with: DHCP (RFC 2131,
// RFC 2132), DHCPv6 (RFC 8415), router advertisements (RFC 4861). Decided from the world; the protocols' files
// (dhcp4, dhcp6, router_advertisement) only say it.
#pragma once
#include "controller/frames.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace weft::fabric {
struct World;
struct NetworkView;
struct Attachment;
} // namespace weft::fabric
namespace weft::topology {
struct Network;
}

namespace weft::controller {

struct GuestRoute {
    Prefix prefix;
    Ip via;
    bool operator==(const GuestRoute&) const = default;
};

struct GuestConfig {
    std::string port, network; ///< names
    Mac mac;                   ///< the guest's: the only one that is told anything
    Mac server_mac;            ///< weft's in this network: the router's where one lists it
    std::uint16_t mtu = 1500;

    std::optional<Ip> ip;           ///< the port's IPv4 address; none: DHCP is not served to it
    std::optional<Prefix> subnet;   ///< that `ip` is in
    std::optional<Ip> server;       ///< DHCP's server identifier, the source of its answers; there whenever `ip` is
    std::optional<Ip> router;       ///< its default route; none: it gets none
    std::vector<GuestRoute> routes; ///< IPv4, besides the default route

    std::optional<Ip> ip6;         ///< the port's global IPv6 address
    std::optional<Prefix> subnet6; ///< none: neither router advertisements nor DHCPv6
    bool managed6 = false;         ///< `ip6` comes by DHCPv6 (RA: A=0, M=1); false: by SLAAC (A=1, M=0)
    bool router6 = false;          ///< weft, at the link-local address of `server_mac`, is its IPv6 default router

    std::vector<Ip> dns, ntp; ///< both families, in the order of preference
    std::string domain;       ///< without a dot at its end; empty: none
    std::string host_name;    ///< a legal label (RFC 1123, 2.1), or empty
    std::chrono::seconds lease{0};
    bool operator==(const GuestConfig&) const = default;
};

/// What the guest of an attachment is told, in a network that serves; nothing in another. Docs: docs/concepts.md.
std::optional<GuestConfig> guest_config(const fabric::World& world, const fabric::NetworkView& network,
                                        const fabric::Attachment& attachment);

/// ASCII only, as DNS compares names (RFC 4343).
std::string lower_case(std::string_view text);

/// The domain of a network's names: what was written, else its name under "internal". Lower case, no dot at its end.
std::string domain_of(const topology::Network& network);
/// It was not written: nobody else has names in it.
bool has_private_domain(const topology::Network& network);

/// What became of one message of a guest's.
struct Exchange {
    enum class Lease {
        none,     ///< nothing changed
        bound,    ///< the guest has `address` for GuestConfig::lease from now on
        released, ///< it gave `address` back
        declined, ///< it found `address` in use by somebody else
        refused,  ///< it wants an address that is not its own: `reason`
    };
    std::string_view asked; ///< what the guest sent, as counters name it: "discover"; empty: no message of the protocol
    std::string_view answered; ///< what it gets: "offer"; empty: nothing
    std::optional<Frame> answer;
    Lease lease = Lease::none;
    std::optional<Ip> address;
    std::string host_name; ///< what the guest calls itself: printable ASCII, at most 63 bytes
    std::string reason;    ///< why nothing, or a refusal, is its answer; for people
};

} // namespace weft::controller
