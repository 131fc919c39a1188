// The QoS and Queue rows of a host, and which ports have them: what is there against what should be. Part of plan_rows.
// Neither kind of row goes away by itself when nothing refers to it, so weft takes its own away.
#pragma once
#include "ovsdb/operations.hpp"

namespace weft::ovsdb {

/// Changes rows in place: what a shaper lets pass goes on meanwhile, and other ports' are not touched. With no shapers
/// wanted, all of weft's go.
void plan_shapers(const Replica& replica, const DesiredRows& desired, Operations& operations);

/// What shapes what goes to an interface: the QoS row of its port.
enum class Shaper { none, weft, foreign };
Shaper shaper_of(const Replica& replica, std::string_view interface);

} // namespace weft::ovsdb
