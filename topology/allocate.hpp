// Numbers and addresses that the admin left to weft: VNIs, port MACs, port addresses. An allocation stays for the life
// of its object: allocate() keeps every previous one that is still legal, and never hands the same thing out twice.
#pragma once
#include "base/ids.hpp"
#include "topology/model.hpp"
#include "topology/parse.hpp"

#include <map>
#include <string>
#include <vector>

namespace weft::topology {

/// A port's place in a network. Trunk ports have several: one for `network`, one for each trunk entry.
struct AttachmentKey {
    std::string port;
    std::string network;
    auto operator<=>(const AttachmentKey&) const = default;
};

struct AttachmentAddresses {
    Mac mac;               ///< explicit, else the port's, else allocated from the locally administered 0a:…
    std::optional<Ip> ip;  ///< explicit or allocated; none on a network without a subnet
    std::optional<Ip> ip6; ///< explicit, else EUI-64 in a /64 and allocated in any other subnet6
    bool operator==(const AttachmentAddresses&) const = default;
};

/// Addresses of a port's that its guest found in use by somebody else: of each family the last one.
struct Declined {
    std::optional<Ip> ip, ip6;
    bool operator==(const Declined&) const = default;
};

/// What a gateway is known by on every host.
struct GatewayNumbers {
    std::uint32_t vni = 0;  ///< of its transit: what its routers' hosts send it (docs/pipeline.md)
    std::uint16_t zone = 0; ///< of its connections, 1..65535
    bool operator==(const GatewayNumbers&) const = default;
};

/// Connections are tracked in a zone of their router, or of their network where no router lists it.
using ZoneKey = std::pair<Kind, std::string>;

struct Allocations {
    std::map<std::string, std::uint32_t> vnis; ///< every vxlan network, explicit ones included
    std::map<std::string, GatewayNumbers> gateways;
    std::map<ZoneKey, std::uint16_t> zones; ///< routers and networks without one; 1..65535, none of a gateway's
    std::map<AttachmentKey, AttachmentAddresses> attachments;
    /// weft's own address in networks that no router lists, where its guests ask for names and renew their leases.
    std::map<std::string, Ip> services;
    /// Handed out again only when there is nothing else. Not by allocate(): of who declines. Forgotten with the port.
    std::map<AttachmentKey, Declined> declined;
    bool operator==(const Allocations&) const = default;
};

struct Allocated {
    Allocations allocations;
    std::vector<Problem> problems; ///< exhaustion: which network, how many addresses it has
};

/// What observation adds: MACs that VMs or the lab bring, for ports whose topology names none.
using ObservedMacs = std::map<std::string, Mac>;

/// Pure: the same inputs give the same result; previous allocations win over fresh ones, explicit values over both.
/// Fresh VNIs count up from 4096, those of gateways down from the highest; a fresh port MAC is derived from the port's
/// name. Addresses follow docs/topology.md: from dhcp.range, else the subnet, never network, broadcast, gateway, SNAT,
/// floating or reserved. A port with neither `mac` nor an observed one has a derived MAC, so that it can be programmed
/// before it appears. Ports come before services: a network that has just enough addresses for its ports has no
/// service.
Allocated allocate(const Topology& topology, const Allocations& previous, const ObservedMacs& observed);

} // namespace weft::topology
