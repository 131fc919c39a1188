// What connection tracking and security groups are to a host, as values: parts of World (fabric/world), made by
// fabric/zones. The flows of the stages track to commit and of the rule tables are a function of them.
#pragma once
#include "base/address.hpp"
#include "base/ids.hpp"
#include "topology/model.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weft::fabric {

/// A rule of a security group. Its id is of the group's name and of what the rule says, so it is the same wherever the
/// rule stands in its list.
struct GroupRule {
    ObjectId id;
    topology::SecurityRule rule;
    bool operator==(const GroupRule&) const = default;
};

struct GroupView {
    std::string name;
    ObjectId id;
    std::uint32_t number = 0;     ///< in the rule tables' register
    std::vector<GroupRule> rules; ///< no two that say the same
    bool restricts_egress = false;
    std::uint64_t digest = 0; ///< of the rules
    bool operator==(const GroupView&) const = default;
};
using GroupPtr = std::shared_ptr<const GroupView>;

/// The addresses of a group's plugged-in ports in one zone, as few prefixes as cover exactly these.
struct Members {
    std::vector<Prefix> addresses;
    std::uint64_t digest = 0;
    bool operator==(const Members&) const = default;
};
using MembersPtr = std::shared_ptr<const Members>;
using Memberships = std::map<std::pair<std::string, std::uint16_t>, MembersPtr>; ///< by group and zone

/// A group that ports of this host are in.
struct HostGroup {
    GroupPtr group;
    Memberships remotes; ///< the groups that its rules name, in the zones where ports of this host are in it
    bool operator==(const HostGroup& other) const;
};
using HostGroupPtr = std::shared_ptr<const HostGroup>;

/// A network in a zone, as track needs it.
struct ZoneNetwork {
    ObjectId id;
    bool physical = false;
    std::vector<Ip> router; ///< its router's addresses in it
    Mac router_mac;
    std::vector<Mac> public_macs; ///< of what is translated on this host for the network
    bool beside_gateway = false;  ///< this host translates for some gateway on it
    bool operator==(const ZoneNetwork&) const = default;
};

/// A port that is plugged in on this host, in one network of the zone.
struct ZonePort {
    ObjectId owner, id; ///< the port, the attachment
    ObjectId network;
    bool physical = false;
    bool beside_gateway = false; ///< of a network that this host translates for
    bool grouped = false;        ///< it has security groups
    Mac mac;
    std::vector<Ip> ips;
    std::uint32_t ofport = 0;
    bool operator==(const ZonePort&) const = default;
};

/// Where a zone's router leads, and whether that is a port of this host.
struct ZoneRoute {
    Prefix prefix;
    bool connected = false; ///< a network's own subnet
    bool local = false;
    bool operator==(const ZoneRoute&) const = default;
};

/// A zone of the connection tracker on a host with ports of it, while any port of it anywhere has groups. All its
/// ports' packets are tracked there, in both directions: so that a port's first group finds its connections known, also
/// those in which only the other end speaks at that moment.
struct ZoneView {
    std::uint16_t number = 0;
    std::optional<ObjectId> router;  ///< whose zone it is
    std::optional<ObjectId> gateway; ///< the router's, where this host translates for it
    bool edge = false;               ///< this host is the router of one of its networks toward the wire
    ObjectId network;                ///< whose zone it is, without a router
    std::uint32_t policy = 0;        ///< what the groups say here, by content; never 0. In ct_mark
    std::vector<ZoneNetwork> networks;
    std::vector<ZonePort> ports;
    std::vector<ZoneRoute> routes; ///< only where packets come by the router's addresses: edge, gateway
    bool operator==(const ZoneView&) const = default;
};
using ZonePtr = std::shared_ptr<const ZoneView>;

} // namespace weft::fabric
