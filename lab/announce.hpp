// Gratuitous ARP and unsolicited neighbour advertisements: what a hypervisor sends for a VM that has just arrived.
#pragma once
#include "lab/plan.hpp"

namespace weft::lab {

/// Once for every address of every interface (RFC 5227 section 3; RFC 4861 section 4.4 with the override flag).
void announce(const EndpointPlan& endpoint);

} // namespace weft::lab
