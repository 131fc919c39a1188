#include "fabric/outcome.hpp"

namespace weft::fabric {
namespace {

using Verdict = Outcome::Verdict;

/// How well an end answers; 0: not at all.
struct Rank {
    int place = 0;
    Verdict verdict = Verdict::dropped;
    bool answered = false;
};

Rank rank(const End& end, const Probe& probe) {
    switch (end.kind) {
    case End::Kind::port: {
        const bool asked = !probe.to.port.empty() && end.object == probe.to.port;
        const bool back = end.object == probe.from.port && end.host == probe.entrance.host;
        if (asked && !back) return {9, Verdict::delivered, false};
        // A floating IP or a forward leads to a port that was not named.
        if (probe.to.port.empty() && !back) return {8, Verdict::delivered, false};
        if (back) return {6, Verdict::delivered, true};
        return {1, Verdict::dropped, false}; // a flood's copy
    }
    case End::Kind::wire:
        if (probe.to.port.empty()) return {7, Verdict::delivered, false};
        return {3, Verdict::dropped, false};
    case End::Kind::punt:
        return {5, Verdict::punted, false};
    case End::Kind::unknown:
        return {5, Verdict::unknown, false};
    case End::Kind::drop:
        return {end.reason == pipeline::Reason::none ? 1 : 4, Verdict::dropped, false};
    case End::Kind::standby:
        return {2, Verdict::dropped, false};
    }
    return {};
}

} // namespace

Outcome outcome(const Walk& walk, const Probe& probe) {
    Outcome best;
    int place = 0;
    for (const auto& end : walk.ends) {
        const auto ranked = rank(end, probe);
        // Of two alike the one further on: passages and steps are in the order of execution.
        if (ranked.place < place) continue;
        place = ranked.place;
        best = {ranked.verdict, &end, ranked.answered};
    }
    return best;
}

} // namespace weft::fabric
