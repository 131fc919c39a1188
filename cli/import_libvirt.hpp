// Reads a host's libvirt networking: the only part of the import that touches anything. libvirt is only read, and of
// the host itself, if libvirt is on this one, hook scripts and the rules of the kernel's NAT table.
#pragma once
#include "base/result.hpp"
#include "cli/import_sources.hpp"

namespace weft::cli {

/// All networks with their leases, all domains, live and persistent, and what may forward ports. `io`: libvirt cannot
/// be reached; what is wrong with one network or domain is in `unread`.
Result<HostTexts> read_libvirt_host(const std::string& uri);

/// libvirt runs on this machine, so that its rules and hooks are this machine's: no host in the URI, no transport but a
/// UNIX socket, and not libvirt's test driver.
bool is_local(const std::string& uri);

} // namespace weft::cli
