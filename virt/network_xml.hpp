// Network XML (libvirt.org/formatnetwork.html) as values, the definition by which one of weft's networks is offered to
// libvirt, and the comparison of the two. Pure. Fed by virNetworkGetXMLDesc (virt/read) and by whoever decides which
// networks a host offers; feeds Snapshot and virt/change.
//
// A network of weft's is a bridge network: libvirt plugs NICs into weft's bridge and does nothing else for them. Its
// portgroups tell weft what a NIC is to be, by a profile id that libvirt writes to external_ids:port-profile of the OVS
// interface. The network itself has none: libvirt refuses a NIC whose network and portgroup name different ones.
#pragma once
#include "base/result.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weft::virt {

/// Weft's mark is <metadata><weft:network xmlns:weft="https://weft/libvirt/network/1" name="NETWORK"/></metadata>:
/// only networks that carry it are changed or removed.
inline constexpr const char* kMarkNamespace = "https://weft/libvirt/network/1";

/// The type of a <virtualport> on Open vSwitch.
inline constexpr const char* kOpenVSwitch = "openvswitch";

/// What libvirt carries of a profile id: LIBVIRT's VIR_NETDEV port profiles hold 40 bytes with the final NUL.
inline constexpr std::size_t kLongestProfileId = 39;

struct Portgroup {
    std::string virtualport; ///< "openvswitch"
    std::string profile_id;  ///< empty: none
    bool is_default = false; ///< taken by NICs that name no portgroup; at most one in a network
    bool restricted = false; ///< it has a <vlan> or <bandwidth> of its own: never weft's doing
    bool operator==(const Portgroup&) const = default;
};

/// A libvirt network as far as it decides how a NIC is plugged. A text is empty where the XML does not say it.
struct NetworkDefinition {
    std::string name;
    std::string uuid; ///< libvirt's choice
    std::string bridge;
    std::string forward; ///< "bridge", "nat", "route", …; empty: an isolated network
    std::string virtualport;
    std::string profile_id;          ///< of the network itself; never weft's doing
    bool restricted = false;         ///< as Portgroup's
    std::optional<std::string> mark; ///< weft's mark: the name of the network in the topology
    std::map<std::string, Portgroup> portgroups;
    bool operator==(const NetworkDefinition&) const = default;
};

/// What a portgroup of a network is called in external_ids:port-profile: "NETWORK/PORTGROUP" where that fits into
/// kLongestProfileId, else its first 22 characters, '~' and 16 hexadecimal digits of its content_hash. Names of the
/// topology have neither '/' nor '~', so a short form is no other's long form. The same for ever.
std::string profile_id(std::string_view network, std::string_view portgroup);

/// The definition that weft wants for the topology's network `network` on a host: a libvirt network of the same name.
/// `portgroups`: their names, each with whether it is the default one. All names have the topology's form.
NetworkDefinition wanted_network(const std::string& network, const std::string& bridge,
                                 const std::map<std::string, bool>& portgroups);

/// For virNetworkDefineXML. The uuid is left out if it is empty. `restricted` has no XML.
std::string render(const NetworkDefinition& definition);

/// One <portgroup>, for virNetworkUpdate.
std::string render_portgroup(const std::string& name, const Portgroup& portgroup);

/// Any network's XML, weft's or not. Of two portgroups of one name the first counts.
/// Error: not a network's XML (protocol).
Result<NetworkDefinition> parse_network(std::string_view network_xml);

/// Whether libvirt has what is wanted. The uuid is libvirt's own, and what libvirt adds or other people note (title,
/// description, others' metadata) is not in the values.
bool same(const NetworkDefinition& have, const NetworkDefinition& wanted);

} // namespace weft::virt
