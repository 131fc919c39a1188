// A VM's guest agent, reached through the socket of its QEMU on whatever host that runs: libvirt has no part in it.
// QEMU serves one connection at a time, so each is short and all of a VM's take turns.
#pragma once
#include "lab/agent_protocol.hpp"
#include "lab/plan.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace weft::lab {

/// The host on which the VM's QEMU runs (of two, while it migrates, the one it leaves); empty: nowhere.
std::string running_on(const LabPlan& plan, const VmPlan& vm);

/// One question. Within `patience` the agent of a guest that boots, or migrates, is waited for.
Result<boost::json::value> ask_agent(const LabPlan& plan, const VmPlan& vm, std::string_view command,
                                     const boost::json::object& arguments, std::chrono::milliseconds patience);

/// Runs a command in the guest to its end, however long that takes.
Result<Executed> run_in_guest(const LabPlan& plan, const VmPlan& vm, const std::vector<std::string>& argv,
                              const std::string& input);

} // namespace weft::lab
