// When a lab is ready: weftd knows every port where the lab plugged it in, and then says that every host is synced.
// The order matters: a host that is synced before weftd has seen a port is synced without it.
#pragma once
#include "base/result.hpp"
#include "lab/plan.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace weft::lab {

/// Pure: the lab's ports that `weftctl ports -o json` does not show as up on their host.
Result<std::vector<std::string>> ports_missing(const LabPlan& plan, const std::string& ports_json);

Result<void> converge(const LabPlan& plan, std::chrono::seconds timeout);

} // namespace weft::lab
