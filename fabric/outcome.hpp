// Outcome: which of the ends of a walk answers the question that it was made for. Pure.
#pragma once
#include "fabric/probe.hpp"

namespace weft::fabric {

struct Outcome {
    enum class Verdict { delivered, dropped, punted, unknown };
    Verdict verdict = Verdict::dropped;
    const End* end = nullptr; ///< of the walk that it is of; null: the walk has none
    bool answered = false;    ///< delivered: the switch itself answered, and the packet is the answer, back at `from`
};

/// Delivered: to the port asked for; for an address outside, to a physical network, or to the port that a gateway
/// forwards it to. Else the end that was got furthest to: a punt, a drop with a reason, a host whose switch is not
/// known.
Outcome outcome(const Walk& walk, const Probe& probe);

} // namespace weft::fabric
