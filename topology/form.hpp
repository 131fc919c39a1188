// The written forms of scalars in the topology file: text → value, and the words that tell an admin what was expected.
// Fed by topology/reader; every function is pure.
#pragma once
#include "topology/model.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace weft::topology {

/// The value, or what to write instead (may be empty).
template <class T>
using Read = std::expected<T, std::string>;

template <class T>
struct Form {
    std::string_view expected; ///< completes "'subnet' must be …"
    Read<T> (*read)(std::string_view text);
    bool integers = false; ///< a bare TOML integer is read like its digits in quotes
};

namespace form {

Read<std::string> name(std::string_view text);      ///< [A-Za-z0-9][A-Za-z0-9._-]{0,62}
Read<std::string> interface(std::string_view text); ///< IFNAMSIZ: 1..15 characters, no '/', no blank
Read<std::string> ovsdb(std::string_view text);     ///< base/stream.hpp Endpoint
Read<std::string> libvirt_uri(std::string_view text);
Read<std::string> vm(std::string_view text);     ///< what libvirt takes: printable, no '/'
Read<std::string> domain(std::string_view text); ///< RFC 1035: labels of letters, digits and '-'
Read<Mac> mac(std::string_view text);            ///< unicast, not 0
Read<Ip> ip(std::string_view text);              ///< unicast, not the unspecified address; so the next two
Read<Ip> ipv4(std::string_view text);
Read<Ip> ipv6(std::string_view text);
Read<Prefix> prefix(std::string_view text); ///< no host bits; a bare address is a /32 or /128
Read<Prefix> subnet(std::string_view text); ///< IPv4 prefix, no host bits, room for two hosts
Read<Prefix> subnet6(std::string_view text);
Read<Prefix> interface_address(std::string_view text); ///< address/length, host bits kept
Read<AddressRange> range(std::string_view text);       ///< "a-b", or one address
Read<PortRange> ports(std::string_view text);          ///< "80" or "8000-8010", 1..65535
Read<Protocol> protocol(std::string_view text);
Read<Protocol> forward_protocol(std::string_view text);     ///< tcp, udp, sctp
Read<std::chrono::seconds> duration(std::string_view text); ///< "30s", "5m", "12h", "1d"; 1 s to 365 days
Read<std::uint64_t> rate(std::string_view text);            ///< bits per second, SI suffixes
Read<std::uint64_t> burst(std::string_view text);           ///< bits: "80mbit", or bytes: "64KiB"
Read<std::uint64_t> memory(std::string_view text);          ///< bytes
Read<Direction> direction(std::string_view text);
Read<Family> family(std::string_view text);
Read<NetworkKind> network_kind(std::string_view text);
Read<Datapath> datapath(std::string_view text);
Read<bool> acl_action(std::string_view text); ///< true: allow

} // namespace form

/// "driver+transport://user:PASSWORD@host": libvirt takes a user there and no password (libvirt.org/uri.html), and all
/// who may see the topology would see it.
bool has_password(std::string_view libvirt_uri);
inline constexpr const char* kPasswordInUri = "'libvirt' has a password in it, which libvirt does not take from a URI";
inline constexpr const char* kPasswordRemedy =
    "take it out: use qemu+ssh:// with a key, or qemu+tls:// with a certificate";

/// The word that form::network_kind reads.
std::string_view name_of(NetworkKind kind);

inline constexpr Form<std::string> kName{
    "a name of letters, digits, '.', '_' and '-' that begins with a letter or digit, at most 63 long", form::name};
inline constexpr Form<std::string> kInterface{"an interface name of 1 to 15 characters", form::interface};
inline constexpr Form<std::string> kOvsdb{"\"tcp:ADDRESS:PORT\", \"ssl:ADDRESS:PORT\" or \"unix:PATH\"", form::ovsdb};
inline constexpr Form<std::string> kLibvirtUri{"a libvirt URI like \"qemu:///system\"", form::libvirt_uri};
inline constexpr Form<std::string> kVm{"the name of a libvirt domain", form::vm};
inline constexpr Form<std::string> kDomain{"a domain name like \"private1.example\"", form::domain};
inline constexpr Form<Mac> kMac{"a unicast MAC address like \"52:54:00:00:01:10\"", form::mac};
inline constexpr Form<Ip> kIp{"a unicast IP address", form::ip};
inline constexpr Form<Ip> kIpv4{"a unicast IPv4 address like \"10.0.1.10\"", form::ipv4};
inline constexpr Form<Ip> kIpv6{"a unicast IPv6 address like \"fd00:1::10\"", form::ipv6};
inline constexpr Form<Prefix> kPrefix{"a prefix like \"10.0.0.0/8\" or an address", form::prefix};
inline constexpr Form<Prefix> kSubnet{"an IPv4 prefix like \"10.0.1.0/24\", from /1 to /30", form::subnet};
inline constexpr Form<Prefix> kSubnet6{"an IPv6 prefix like \"fd00:1::/64\", from /1 to /126", form::subnet6};
inline constexpr Form<Prefix> kInterfaceAddress{"an address with its length like \"203.0.113.1/24\"",
                                                form::interface_address};
inline constexpr Form<AddressRange> kRange{"an address or a range like \"10.0.1.2-10.0.1.9\"", form::range};
inline constexpr Form<PortRange> kPorts{"a port or a range like \"8000-8010\", within 1 to 65535", form::ports};
inline constexpr Form<Protocol> kProtocol{"\"any\", \"icmp\", \"tcp\", \"udp\", \"sctp\" or a number from 0 to 255",
                                          form::protocol, true};
inline constexpr Form<Protocol> kForwardProtocol{"\"tcp\", \"udp\" or \"sctp\"", form::forward_protocol};
inline constexpr Form<std::chrono::seconds> kDuration{
    "a duration like \"30s\", \"5m\", \"12h\" or \"1d\", at most 365d", form::duration};
inline constexpr Form<std::uint64_t> kRate{"a rate like \"64kbit\", \"200mbit\" or \"1gbit\"", form::rate};
inline constexpr Form<std::uint64_t> kBurst{"a size like \"80mbit\" or \"64KiB\"", form::burst};
inline constexpr Form<std::uint64_t> kMemory{"a size like \"128MiB\", at least 64MiB", form::memory};
inline constexpr Form<Direction> kDirection{"\"ingress\" or \"egress\"", form::direction};
inline constexpr Form<Family> kFamily{"\"ipv4\" or \"ipv6\"", form::family};
inline constexpr Form<NetworkKind> kNetworkKind{"\"vxlan\", \"vlan\", \"flat\" or \"local\"", form::network_kind};
inline constexpr Form<Datapath> kDatapath{"\"system\" or \"netdev\"", form::datapath};
inline constexpr Form<bool> kAclAction{"\"allow\" or \"deny\"", form::acl_action};

} // namespace weft::topology
