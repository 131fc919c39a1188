// An internet gateway as every host needs to know it: one immutable value, made by fabric/world of the topology, the
// allocations and what was observed. The flows of the stages nat_in and nat_out (nat/stages.hpp) are a function of it.
#pragma once
#include "base/address.hpp"
#include "base/ids.hpp"
#include "topology/allocate.hpp"
#include "topology/model.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::nat {

/// The MAC that all of a gateway's public addresses answer with, whichever host is active. 0e: is locally administered.
Mac virtual_mac(std::string_view gateway);
/// The MAC of a distributed floating IP, which answers from its port's host.
Mac virtual_mac(const Ip& floating);

struct Candidate {
    std::string host;
    std::optional<Ip> vtep;
    bool has_uplink = true; ///< with a link
    bool answered = true;   ///< by the next hops, as well as any other candidate
    /// Its own switch is to translate: all of these are so, and it was not down or is known to have its flows again.
    bool ready = true;
    /// The others lead to it: it is ready, and its switch is known to have been told, or there is nobody else.
    bool in_service = true;
    bool operator==(const Candidate&) const = default;
};

/// A router that uses the gateway, and its slice of every SNAT address's ports: so that none can starve another.
struct Served {
    std::string router;
    ObjectId id;
    std::vector<Prefix> behind; ///< its networks' subnets and the prefixes of its static routes
    std::uint16_t port_first = 0, port_last = 0;
    bool operator==(const Served&) const = default;
};

struct Floating {
    Ip address;
    ObjectId id;
    std::string port;
    Ip inside;        ///< the port's address
    std::string host; ///< distributed: where it is translated; empty: at the gateway
    Mac mac;
    bool operator==(const Floating&) const = default;
};

struct Forward {
    std::string name;
    ObjectId id;
    Ip address;
    std::uint8_t protocol = 0;
    topology::PortRange ports;
    std::string port;
    Ip inside;
    topology::PortRange inside_ports;
    bool operator==(const Forward&) const = default;
};

struct Gateway {
    std::string name;
    ObjectId id;
    std::uint32_t group_number = 0; ///< 24 bits
    topology::GatewayNumbers numbers;
    Mac mac;
    std::string network; ///< the public one
    ObjectId network_id;
    std::string physnet;
    std::uint16_t mtu = 1500; ///< of the public network
    std::optional<Ip> address, address6;
    std::optional<Ip> nexthop, nexthop6;
    std::optional<Mac> nexthop_mac, nexthop6_mac; ///< once the next hop has answered
    std::vector<Candidate> candidates;            ///< in order: the first live one is active
    std::vector<Served> routers;
    std::vector<topology::AddressRange> snat; ///< adjacent ranges joined; empty: sources stay as they are
    std::vector<Floating> floating_ips;
    std::vector<Forward> forwards;
    bool operator==(const Gateway&) const = default;

    /// Position among the candidates.
    std::optional<std::size_t> rank(const std::string& host) const;
};
using GatewayPtr = std::shared_ptr<const Gateway>;

/// A public address, or a block of them, and the MAC that answers for it.
struct PublicAddress {
    Prefix block;
    Mac mac;
    bool operator==(const PublicAddress&) const = default;
};

/// What the gateway's active host answers for: its addresses, SNAT and forwarded ones, and the floating IPs that are
/// translated there.
std::vector<PublicAddress> public_addresses(const Gateway& gateway);
/// The distributed floating IPs that `host` translates.
std::vector<const Floating*> translated_by(const Gateway& gateway, const std::string& host);

/// The fewest prefixes that cover a range, in order.
std::vector<Prefix> blocks(const topology::AddressRange& range);

/// What a gateway is made of.
struct Sources {
    const topology::Topology& topology;
    const topology::Allocations& allocations;
};
/// The parts that the topology and the allocations decide: all but candidates' state, next hops' MACs and hosts of
/// floating IPs.
Gateway make_gateway(const Sources& from, const topology::Gateway& gateway);

} // namespace weft::nat
