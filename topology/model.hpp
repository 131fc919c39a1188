// The topology as values: what the admin wrote, with defaults filled in and nothing derived from the world.
// Fed by topology/parse; read by validate, allocate, difference and the fabric compiler.
// Words and defaults: docs/topology.md. Maps are ordered by name so that plans are deterministic.
#pragma once
#include "base/address.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::topology {

/// Where a key of an object was written; for lists and inline tables also their parts: "hosts[1]", "dhcp.range".
struct KeyPlace {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    bool malformed = false; ///< parse has already complained, so rules about an absent value keep quiet
};
using KeyPlaces = std::map<std::string, KeyPlace, std::less<>>;

/// Where something was written. Never part of an object's value: moving a line changes nothing.
struct Origin {
    std::string file;
    std::uint32_t line = 0; ///< 1-based; 0: nowhere (a dynamic object)
    std::uint32_t column = 0;
    std::shared_ptr<const KeyPlaces> keys; ///< of the object that begins here; null when it was not written in a file

    bool operator==(const Origin&) const { return true; }
    std::string to_string() const;          ///< "demo.toml:41:3"
    Origin at(std::string_view key) const;  ///< where the value of `key` was written; the object itself if it was not
    bool wrote(std::string_view key) const; ///< the key is in the file
    bool malformed(std::string_view key) const; ///< the key is in the file with a value that could not be read
};

enum class Datapath { system, netdev };

struct Host {
    Origin origin;
    std::string name;
    std::string ovsdb;      ///< "tcp:ADDR:PORT"; empty: given by weftd's settings
    std::optional<Ip> vtep; ///< VXLAN source address
    std::string bridge = "br-int";
    std::optional<Datapath> datapath;
    std::string libvirt;
    std::map<std::string, std::string> uplinks; ///< physical network → NIC or existing bridge
    bool operator==(const Host&) const = default;
};

struct AddressRange {
    Ip first;
    Ip last; ///< inclusive, same family
    bool contains(const Ip& ip) const { return ip.is_v6() == first.is_v6() && first <= ip && ip <= last; }
    bool overlaps(const AddressRange& other) const {
        return first.is_v6() == other.first.is_v6() && first <= other.last && other.first <= last;
    }
    std::string to_string() const; ///< "10.0.1.2-10.0.1.9", or the address of a range of one
    auto operator<=>(const AddressRange&) const = default;
};

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0; ///< inclusive
    int count() const { return last - first + 1; }
    bool overlaps(const PortRange& other) const { return first <= other.last && other.first <= last; }
    std::string to_string() const; ///< "8000-8010", or "80"
    auto operator<=>(const PortRange&) const = default;
};

struct Dhcp {
    static constexpr std::chrono::seconds kShortestLease{10};
    std::optional<AddressRange> range;
    std::chrono::seconds lease{12 * 3600};
    std::vector<Ip> dns;
    std::string domain;
    std::vector<Ip> ntp;
    bool operator==(const Dhcp&) const = default;
};

enum class Direction { ingress, egress };
enum class Family { any, ipv4, ipv6 };

/// "any", "icmp" (both families), or an IP protocol number (tcp 6, udp 17, sctp 132).
struct Protocol {
    enum class Class { any, icmp, number };
    Class kind = Class::any;
    std::uint8_t number = 0;
    bool has_ports() const { return kind == Class::number && (number == 6 || number == 17 || number == 132); }
    std::string to_string() const; ///< as in the file: "any", "icmp", "tcp", "47"
    auto operator<=>(const Protocol&) const = default;
};

struct AclEntry {
    Origin origin;
    bool allow = false;
    Direction direction = Direction::ingress;
    Protocol protocol;
    Family family = Family::any;
    std::vector<PortRange> ports;
    std::optional<Prefix> remote;
    bool operator==(const AclEntry&) const = default;
    std::string to_string() const; ///< "deny ingress tcp 25 from 0.0.0.0/0"
};

enum class NetworkKind { vxlan, vlan, flat, local };

struct Network {
    Origin origin;
    std::string name;
    NetworkKind kind = NetworkKind::vxlan;
    std::optional<std::uint32_t> vni;  ///< vxlan; absent: allocated. 1..16777215
    std::optional<std::uint16_t> vlan; ///< vlan; 1..4094
    std::string physnet;               ///< vlan, flat
    std::uint16_t mtu = 1500;          ///< default filled in: vxlan 1500 less the overlay's overhead
    std::optional<Prefix> subnet;
    std::optional<Ip> gateway; ///< default filled in: first address of `subnet`
    std::optional<Prefix> subnet6;
    std::optional<Ip> gateway6;
    std::optional<Dhcp> dhcp; ///< filled in by default for vxlan and local with a subnet
    std::vector<AddressRange> reserved;
    std::vector<AclEntry> acl;
    bool operator==(const Network&) const = default;
    bool physical() const { return kind == NetworkKind::vlan || kind == NetworkKind::flat; }
};

/// A tagged sub-network of a port.
struct TrunkEntry {
    Origin origin;
    std::string network;
    std::uint16_t vlan = 0; ///< 1..4094
    std::optional<Ip> ip;
    std::optional<Ip> ip6;
    std::optional<Mac> mac; ///< default: the port's
    bool operator==(const TrunkEntry&) const = default;
};

struct Port {
    Origin origin;
    std::string name;
    std::string network;
    std::string vm;
    std::optional<Mac> mac;
    std::optional<Ip> ip;
    std::optional<Ip> ip6;
    std::vector<std::string> security_groups;
    std::string qos;
    std::vector<TrunkEntry> trunk;
    bool native = true;
    bool port_security = true;
    std::vector<Prefix> allowed_addresses;
    std::string lab_host; ///< weft-lab only
    bool operator==(const Port&) const = default;
};

struct Route {
    Origin origin;
    Prefix prefix;
    Ip via;
    bool operator==(const Route&) const = default;
};

struct Router {
    Origin origin;
    std::string name;
    std::vector<std::string> networks;
    std::string gateway;
    std::vector<Route> routes;
    bool operator==(const Router&) const = default;
};

struct Gateway {
    Origin origin;
    std::string name;
    std::string network;
    std::optional<Ip> address;
    std::optional<Ip> address6;
    std::optional<Ip> nexthop;
    std::optional<Ip> nexthop6;
    std::vector<std::string> hosts;
    std::vector<AddressRange> snat; ///< default filled in: the gateway's own address
    bool operator==(const Gateway&) const = default;
};

struct FloatingIp {
    Origin origin;
    Ip address; ///< also its name
    std::string port;
    std::string gateway;
    bool distributed = false;
    bool operator==(const FloatingIp&) const = default;
};

struct PortForward {
    Origin origin;
    std::string gateway;
    Ip address;
    Protocol protocol;
    PortRange ports;
    std::string to_port; ///< "web1" of "web1:22"
    PortRange to_ports;  ///< same length as `ports`
    bool operator==(const PortForward&) const = default;
    std::string name() const; ///< "203.0.113.2:tcp:2222" (the range as written); unique by validation
};

struct SecurityRule {
    Origin origin;
    Direction direction = Direction::ingress;
    Protocol protocol;
    Family family = Family::any;
    std::vector<PortRange> ports;
    std::optional<Prefix> remote;
    std::string remote_group;
    bool operator==(const SecurityRule&) const = default;
    std::string to_string() const; ///< "ingress tcp 80,8000-8010 from group app"
};

struct SecurityGroup {
    Origin origin;
    std::string name;
    std::vector<SecurityRule> rules;
    bool operator==(const SecurityGroup&) const = default;
};

struct Rate {
    std::uint64_t bits_per_second = 0;
    std::uint64_t burst_bits = 0; ///< default filled in: 400 ms of the rate
    bool operator==(const Rate&) const = default;
};

struct Qos {
    Origin origin;
    std::string name;
    std::optional<Rate> egress;
    std::optional<Rate> ingress;
    std::optional<std::uint8_t> dscp; ///< 0..63
    std::optional<std::uint64_t> guarantee_bits_per_second;
    bool operator==(const Qos&) const = default;
};

/// weft-lab: a namespace on a physical network's switch.
struct LabEndpoint {
    Origin origin;
    std::string name;
    std::string physnet;
    std::optional<std::uint16_t> vlan;
    std::vector<Prefix> addresses;
    std::optional<Ip> gateway;
    std::optional<Mac> mac;
    std::vector<Route> routes;
    bool operator==(const LabEndpoint&) const = default;
};

/// A real VM that the lab makes: a libvirt domain with one NIC on the libvirt network of `network`'s name.
struct LabVm {
    static constexpr std::uint64_t kMemory = 128ULL << 20;
    Origin origin;
    std::string name; ///< of the domain
    std::string host; ///< where it starts
    std::string network;
    std::string portgroup; ///< empty: the network's default
    std::optional<Mac> mac;
    std::uint64_t memory = kMemory; ///< bytes
    bool operator==(const LabVm&) const = default;
};

struct Topology {
    std::map<std::string, Host> hosts;
    std::vector<std::string> host_order; ///< file order: "first live host" means it
    std::map<std::string, Network> networks;
    std::map<std::string, Port> ports;
    std::map<std::string, Router> routers;
    std::map<std::string, Gateway> gateways;
    std::map<Ip, FloatingIp> floating_ips;
    std::map<std::string, PortForward> port_forwards; ///< by PortForward::name()
    std::map<std::string, SecurityGroup> security_groups;
    std::map<std::string, Qos> qos;
    std::map<std::string, LabEndpoint> lab_endpoints;
    std::map<std::string, LabVm> lab_vms;
    bool operator==(const Topology&) const = default;
};

} // namespace weft::topology
