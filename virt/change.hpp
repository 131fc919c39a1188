// Weft's networks in libvirt of a host, made and removed. Every call may block for as long as libvirt likes: worker
// thread only. Internal to virt/*.cpp; Watch says what each does.
//
// Errors: invalid (the XML is not what it must be), refused (libvirt says no, or something of somebody else's is in the
// way), io (the connection is gone). The text of a success is empty where nothing else is said.
#pragma once
#include "virt/libvirt.hpp"

namespace weft::virt {

Result<std::string> define_network(virConnectPtr connection, const std::string& xml);
Result<std::string> remove_network(virConnectPtr connection, const std::string& name);
/// The live XML.
Result<std::string> network_xml(virConnectPtr connection, const std::string& name);

} // namespace weft::virt
