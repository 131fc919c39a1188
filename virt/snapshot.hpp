// Snapshot: what libvirt of one host has, as far as weft looks. An immutable value. Made by virt/read, handed out by
// Watch.
#pragma once
#include "virt/domain_xml.hpp"
#include "virt/network_xml.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weft::virt {

/// virDomainState and its reason, as far as they decide who has a port.
enum class DomainState {
    off,          ///< not running here; also one that has migrated away
    running,      ///< also one that is shutting down, blocked, or runs while its memory still follows (post-copy)
    paused,       ///< stands still here: by an admin, on an I/O error, or at the end of its migration to elsewhere
    migrating_in, ///< made here for a guest that still runs on another host: its tap exists, its guest does not speak
};

/// "running", "migrating in".
std::string_view name_of(DomainState state);

struct Domain {
    std::string uuid;
    DomainState state = DomainState::off;
    std::vector<Nic> nics; ///< of the running domain; of its configuration if it is off
    bool operator==(const Domain&) const = default;
};

struct Network {
    NetworkDefinition live;       ///< what NICs get; as `configured` if it is not active
    NetworkDefinition configured; ///< what it will be once it is started anew; as `live` if it has no configuration
    bool active = false;
    bool autostart = false;
    bool operator==(const Network&) const = default;
};

struct Snapshot {
    std::map<std::string, Domain> domains;   ///< by name
    std::map<std::string, Network> networks; ///< by name
    /// Why the networks cannot be read while the domains can (a host without libvirt's network driver); else empty.
    std::string no_networks;
    bool operator==(const Snapshot&) const = default;
};

} // namespace weft::virt
