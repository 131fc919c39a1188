// Domain XML (libvirt.org/formatdomain.html, "Network interfaces") as values, and the interface elements that weft
// hands to libvirt. Pure. Fed by virDomainGetXMLDesc (virt/read); feeds Snapshot and virt/change.
//
// Whatever the bytes are, nothing throws and nothing aborts: XML that is none is an Error of kind protocol.
#pragma once
#include "base/address.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weft::virt {

/// One <interface> of a domain. A text is empty where the XML does not say it. In a running domain's XML libvirt
/// writes what it made of a network: `type` is "bridge", and `bridge`, `virtualport`, `interface_id` and `profile_id`
/// are what OVS got.
struct Nic {
    Mac mac;
    std::string type;         ///< "network", "bridge", "direct", "user", …: whatever libvirt knows
    std::string network;      ///< the libvirt network; empty: it is on none
    std::string portgroup;    ///< the network's portgroup as written; empty: the default one
    std::string bridge;       ///< the bridge it is plugged into, or is to be
    std::string virtualport;  ///< "openvswitch", …
    std::string interface_id; ///< a UUID: external_ids:iface-id of the OVS interface
    std::string profile_id;   ///< at most 39 characters: external_ids:port-profile of the OVS interface
    std::string target;       ///< the tap device on the host ("vnet3"): the OVS interface's name; of running domains
    std::string alias;        ///< libvirt's name of the device ("net0"), which device events carry; of running domains

    bool operator==(const Nic&) const = default;
};

/// The interfaces of a <domain> in the order of its XML. One without a MAC is left out: libvirt gives every interface
/// one. Error: not a domain's XML (protocol).
Result<std::vector<Nic>> parse_nics(std::string_view domain_xml);

/// The <interface> with this MAC as XML. Error: not a domain's XML (protocol); no interface with that MAC (refused).
Result<std::string> interface_element(std::string_view domain_xml, const Mac& mac);

/// An <interface> of a configuration (libvirt's XML of the flags INACTIVE or MIGRATABLE), given to another network:
/// what the guest sees of it stays (MAC and PCI address, model, driver, boot order, link state, …), what was between it
/// and the old source goes (tap, virtualport, VLAN, bandwidth, filter, MTU, …). `portgroup` empty: the network's
/// default. Error: not one interface (invalid); a device of the host, which no network takes (refused).
Result<std::string> moved_interface(std::string_view interface_xml, const std::string& network,
                                    const std::string& portgroup);

/// A new virtio interface on a libvirt network, for virDomainAttachDevice. `portgroup` empty: the network's default.
/// The MAC is weft's choice, so that the running domain and its configuration get the same one.
/// Any bytes in the names are escaped; libvirt refuses those it does not like.
std::string render_interface(const std::string& network, const std::string& portgroup, const Mac& mac);

/// An <interface> that stands alone. Error: not one, or without a valid MAC (invalid).
Result<Nic> parse_interface(std::string_view interface_xml);

} // namespace weft::virt
