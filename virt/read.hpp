// Reads a connection into a Snapshot's values. Every call may block for as long as libvirt likes: worker thread only.
// Internal to virt/*.cpp. Errors are of kind io (the connection is gone) or refused (libvirt will not tell).
#pragma once
#include "virt/libvirt.hpp"
#include "virt/snapshot.hpp"

#include <optional>

namespace weft::virt {

/// Everything. What cannot be read just now (a domain whose monitor is busy) is as it was `before`; what goes while it
/// is being read may be, too, until the event of its going.
Result<Snapshot> read_all(virConnectPtr connection, const Snapshot& before);

/// One of them; nullopt when there is none of that name.
Result<std::optional<Domain>> read_domain(virConnectPtr connection, const std::string& name);
Result<std::optional<Network>> read_network(virConnectPtr connection, const std::string& name);

} // namespace weft::virt
