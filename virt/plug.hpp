// Interfaces of domains, plugged in and out by libvirt. Every call may block for as long as libvirt likes: worker
// thread only, and none of them waits for a guest. Internal to virt/*.cpp; Watch joins them to jobs and says what each
// does.
//
// A running guest lets go of a device when it likes, so what takes one away has two halves with the wait between them:
// unplug_interface asks for it, and changes nothing that would have to be put back if the guest does not let go; then
// forget_interface or replug_interface sees what came of it, and changes the configuration.
//
// Errors: refused (libvirt says no, or it makes no sense), timeout (the guest has not let go), io (the connection is
// gone), invalid (the XML is not what it must be). A step that fails has undone those before it, or says so.
#pragma once
#include "virt/libvirt.hpp"

#include "base/address.hpp"

namespace weft::virt {

/// The text is empty.
Result<std::string> attach_interface(virConnectPtr connection, const std::string& domain, const std::string& xml);

/// Asks the running guest to let go of it. The text is the interface as it can be plugged in again (XML); empty: it is
/// not in a running domain, and there is nothing to wait for. Asked twice is asked once.
Result<std::string> unplug_interface(virConnectPtr connection, const std::string& domain, const Mac& mac);

/// Whether the interface can be moved there: the network and portgroup are ready, and it is not on them already. The
/// text is empty.
Result<std::string> check_move(virConnectPtr connection, const std::string& domain, const Mac& mac,
                               const std::string& network, const std::string& portgroup);

/// Ends a detach: removes it from the configuration. `was` is the text of unplug_interface. The text is empty.
Result<std::string> forget_interface(virConnectPtr connection, const std::string& domain, const Mac& mac,
                                     const std::string& was);

/// Ends a move: gives it to the network in the configuration, and plugs it in there. `was` as above; if that is empty
/// and the domain runs, the configured interface is plugged in. The text is empty.
Result<std::string> replug_interface(virConnectPtr connection, const std::string& domain, const Mac& mac,
                                     const std::string& was, const std::string& network, const std::string& portgroup);

/// The live XML.
Result<std::string> domain_xml(virConnectPtr connection, const std::string& name);

} // namespace weft::virt
