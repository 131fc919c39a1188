// Who has which address before anything is allocated: the networks a port is in, and the public addresses that
// gateways claim. Fed by the model; read by validate and allocate.
#pragma once
#include "topology/model.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace weft::topology {

/// A port's place in a network, with what the admin wrote about it.
struct Attachment {
    std::string network;
    std::optional<Mac> mac; ///< written for the entry, else for the port
    std::optional<Ip> ip;
    std::optional<Ip> ip6;
    Origin origin; ///< the port, or its trunk entry
};

/// The port's own network first (unless `native = false`), then the trunk in file order.
std::vector<Attachment> attachments(const Port& port);

/// Addresses of a public network that belong to a gateway or its translations.
struct Claim {
    enum class Kind { address, snat, floating_ip, port_forward };
    Kind kind = Kind::address;
    AddressRange range;
    std::string gateway;
    std::string what; ///< "the address of gateway 'igw1'"
    Origin where;
    const PortForward* forward = nullptr;    ///< of kind port_forward; into the topology
    const FloatingIp* floating_ip = nullptr; ///< of kind floating_ip; into the topology
};

/// By network, in order of address: gateway addresses, SNAT ranges, floating IPs and forwarded addresses. Next hops
/// are not among them: they are somebody else's, perhaps a port's.
std::map<std::string, std::vector<Claim>> public_claims(const Topology& topology);

/// The networks that a router lists: their `gateway` is weft's own address; elsewhere DHCP tells it and no more.
std::set<std::string> routed_networks(const Topology& topology);

} // namespace weft::topology
