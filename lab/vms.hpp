// The lab's VMs: made of their plan through each host's libvirtd, awaited by their agents, migrated.
#pragma once
#include "base/result.hpp"
#include "lab/domain.hpp"
#include "lab/record.hpp"

#include <chrono>
#include <string>

namespace weft::lab {

/// What VMs boot: of $WEFT_GUEST, else of build/guest, which is two above weft-lab; the error says how to make it.
Result<GuestFiles> find_guest();

/// Defines and starts every VM. With weftd once it offers the libvirt networks, without it on networks of the lab's
/// own.
Result<void> start_vms(const LabPlan& plan, const GuestFiles& guest, const Record& record,
                       std::chrono::steady_clock::time_point deadline);

/// Until every agent answers, and names an IPv4 address where the network gives one.
Result<void> wait_for_vms(const LabPlan& plan, std::chrono::steady_clock::time_point deadline);

/// Live, with the definition; the memory goes over the control network.
Result<void> migrate(const LabPlan& plan, const VmPlan& vm, const HostPlan& to);

} // namespace weft::lab
