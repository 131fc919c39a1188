// The physical switches' one duty that OVS does not do by itself: forget the MACs behind a link that goes down (OVS
// keeps what it learned on a port that lost its carrier). A process of the lab, in the switch namespace.
#pragma once
#include "base/result.hpp"
#include "lab/ovs.hpp"

#include <sys/types.h>

namespace weft::lab {

/// Forks the watcher; it lives until it is killed.
Result<pid_t> start_switch_watch(const LabPlan& plan);

} // namespace weft::lab
