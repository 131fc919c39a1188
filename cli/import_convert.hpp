// What a host has of libvirt as a topology. Pure: decides what becomes what, and names what does not carry over.
//   <forward mode='nat'>           vxlan network, a router of its own, a gateway with SNAT (by hand)
//   <forward mode='route'|'open'>  vxlan network in a router that all of these share, a gateway without SNAT (by hand)
//   no <forward>                   local network
//   bridges, Linux or OVS          flat network on a physnet with the bridge's name; a tag of OVS: vlan network
//   <interface>                    port; several tags: trunk
#pragma once
#include "cli/import_draft.hpp"
#include "cli/import_sources.hpp"

namespace weft::cli {

/// The draft is valid whatever the texts are: what topology::parse would refuse is left out and named.
Draft import_host(const HostTexts& texts);

} // namespace weft::cli
