// Starts and restarts a lab's daemons and writes down which processes they are. Used by up and by fault.
#pragma once
#include "base/result.hpp"
#include "lab/ovs.hpp"
#include "lab/record.hpp"

#include <string>
#include <vector>

namespace weft::lab {

/// Databases made anew, ovsdb-servers up.
Result<void> start_ovsdb(const std::vector<Ovs>& all, Record& record);
/// ovs-vswitchds up, with all that their database asks for in place.
Result<void> start_vswitchd(const std::vector<Ovs>& all, Record& record);
/// weftd up and its API answering.
Result<void> start_weftd(const LabPlan& plan, Record& record);

/// The name in Record::processes.
std::string daemon_name(const Ovs& ovs, const std::string& daemon);
std::string api_of(const std::string& lab); ///< "unix:/run/weft-lab/NAME/api.sock"
/// The last lines of a log, indented, under its path; empty when there is none.
std::string log_tail(const std::string& path, std::size_t lines = 15);

} // namespace weft::lab
