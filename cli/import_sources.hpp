// What a host says of its libvirt networking, as values: the texts as they were read, and what they mean in libvirt's
// own words (formatnetwork, formatdomain). import_libvirt reads the texts, import_xml and import_forwards give them a
// meaning, import_convert makes a topology of it.
#pragma once
#include "topology/model.hpp"
#include "virt/domain_xml.hpp"
#include "virt/network_xml.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weft::cli {

/// An address that dnsmasq has given, of virNetworkGetDHCPLeases.
struct DhcpLease {
    Mac mac;
    Ip ip;
    bool operator==(const DhcpLease&) const = default;
};

struct NetworkText {
    std::string xml;
    std::vector<DhcpLease> leases;
};

struct DomainText {
    std::string live;       ///< empty: it does not run
    std::string persistent; ///< as it starts the next time; empty: it is transient
};

/// Where port forwards may stand; libvirt itself has none.
struct ForwardText {
    enum class Form { iptables_save, nft, script, hook_json };
    Form form = Form::script;
    std::string name; ///< as shown to the admin: "iptables", "/etc/libvirt/hooks/qemu"
    std::string text;
};

struct HostTexts {
    std::string uri;  ///< as libvirt names the connection
    std::string name; ///< the host's, as libvirt knows it
    std::vector<NetworkText> networks;
    std::vector<DomainText> domains;
    std::vector<ForwardText> forwards;
    std::vector<std::string> unread; ///< what could not be read, a sentence each
};

/// `<host>` of `<dhcp>`.
struct DhcpHost {
    std::optional<Mac> mac;
    std::string name;
    Ip ip;
};

/// `<ip>` of a network: the bridge's address and what dnsmasq serves there.
struct LibvirtSubnet {
    Ip address;
    Prefix prefix;
    bool dhcp = false;
    std::vector<topology::AddressRange> ranges;
    std::optional<std::chrono::seconds> lease; ///< of the first range that has one; 0: for ever
    std::vector<DhcpHost> hosts;
};

/// `<vlan>`: the tags, and which of them is the untagged one.
struct LibvirtVlan {
    bool trunk = false; ///< trunk='yes', or several tags
    std::vector<std::uint16_t> tags;
    std::optional<std::uint16_t> untagged; ///< nativeMode='untagged'
};

/// `<inbound>` or `<outbound>`: `average`, `peak`, `floor` in kilobytes (1000 bytes) a second, `burst` in kibibytes.
struct LibvirtRate {
    std::uint64_t average = 0;
    std::uint64_t burst = 0; ///< 0: not given
    bool peak = false;
    bool floor = false;
    auto operator<=>(const LibvirtRate&) const = default;
};

struct Bandwidth {
    std::optional<LibvirtRate> inbound;  ///< to the guest
    std::optional<LibvirtRate> outbound; ///< from the guest
    auto operator<=>(const Bandwidth&) const = default;
};

/// What a portgroup does to its NICs.
struct Limits {
    LibvirtVlan vlan;
    Bandwidth bandwidth;
};

struct DnsHost {
    Ip ip;
    std::vector<std::string> names;
};

struct LibvirtRoute {
    Prefix prefix;
    Ip via;
};

/// What the daemon reads of a network, and all that makes a topology.
struct LibvirtNetwork : virt::NetworkDefinition {
    std::string device; ///< of `<forward>`: the NIC towards the outside
    std::string domain;
    std::vector<LibvirtSubnet> subnets; ///< in file order
    std::vector<LibvirtRoute> routes;
    std::vector<Ip> forwarders;
    std::vector<DnsHost> dns_hosts;
    std::map<std::string, Limits> limits; ///< by portgroup
    LibvirtVlan vlan;
    std::optional<topology::AddressRange> nat_addresses;
    std::optional<std::uint32_t> mtu;
    std::vector<DhcpLease> leases;
    std::vector<std::string> others; ///< what has no counterpart in weft, in words: "tftp"
};

/// `<interface>` of a domain: as for the networks.
struct LibvirtNic : virt::Nic {
    std::string device; ///< of the host, of type direct
    LibvirtVlan vlan;
    Bandwidth bandwidth;
    std::string filter;              ///< of `<filterref>`
    std::vector<std::string> others; ///< what has no counterpart in weft, in words
};

struct LibvirtDomain {
    std::string name;
    std::vector<LibvirtNic> nics;
};

/// A destination translation of the host's kernel.
struct Dnat {
    std::optional<Ip> address;                  ///< asked for; absent: any address of the host
    std::optional<topology::Protocol> protocol; ///< absent: all of them, the address as a whole
    topology::PortRange ports;
    Ip target;
    topology::PortRange target_ports;
    std::string vm;   ///< the domain, where the source names it
    std::string from; ///< where it stands: "iptables:12"
};

struct Dnats {
    std::vector<Dnat> rules;
    std::vector<std::string> unread; ///< rules that are not plain, a sentence each
};

} // namespace weft::cli
