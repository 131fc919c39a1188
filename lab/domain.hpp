// VmPlan → the XML of its libvirt domain. Pure.
#pragma once
#include "lab/plan.hpp"

#include <string>

namespace weft::lab {

/// What scripts/guest makes, as absolute paths.
struct GuestFiles {
    std::string kernel;
    std::string initrd;
};

std::string domain_xml(const VmPlan& vm, const GuestFiles& guest);

/// Without weftd the lab has the networks of its VMs itself: the bare bridge.
std::string network_xml(const LabPlan& plan, const std::string& network, const std::string& bridge);

/// Where libvirtd and QEMU of every host see a VM's files: the same path on each, of which a host has its own.
std::string console_path(const std::string& vm); ///< what the guest says
std::string agent_path(const std::string& vm);   ///< the socket of its guest agent

} // namespace weft::lab
