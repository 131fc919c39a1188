// Whether evaluate() says of a packet what Open vSwitch says: the flows and buckets it meets, the packet behind each
// recirculation, and every frame that leaves, field by field.
#pragma once
#include "openflow/evaluate.hpp"
#include "tests/trace/traced_switch.hpp"

#include <set>
#include <span>
#include <string>

namespace weft::openflow {

/// Flows that packets met, for a test that wants to know what it has seen.
using Met = std::set<const Flow*>;

struct Question {
    Packet packet;
    std::vector<Bits> states; ///< ct_state at each recirculation
    /// Other than 0: enters there, with registers as they are; followed up to its first recirculation.
    std::uint8_t table = 0;
};

class Agreement {
  public:
    /// Of what is installed now.
    explicit Agreement(TracedSwitch& ovs) : ovs_(ovs), tables_(ovs.state().flows, ovs.state().groups) {}

    /// Empty, or the packet, what each says from the first difference on, and the trace.
    std::string difference(const Question& question);
    /// Of the last question.
    const Steps& steps() const { return steps_; }
    const Trace& trace() const { return trace_; }
    const Met& met() const { return met_; }
    /// Pairs of flows of one priority that a packet from table 0 on met both, and that do different things.
    const std::set<std::string>& ambiguous() const { return ambiguous_; }

  private:
    /// What one of the two says, of all passes.
    struct Said {
        std::vector<Event> events;
        std::vector<const Step*> at; ///< by event; evaluate's only
        std::vector<Out> outputs;
        std::vector<Packet> resumed; ///< the packet behind each recirculation
        bool failed = false;
    };
    Said by_evaluate();
    Said by_switch(bool whole) const;
    Event event_of(const Visited& visited);
    const Flow* taken_instead(const Event& theirs, const Step& ours);
    std::string compare(bool whole);
    const std::string& text_of(const Match& match);

    TracedSwitch& ovs_;
    Tables tables_;
    Steps steps_;
    Trace trace_;
    Met met_;
    std::set<std::string> ambiguous_;
    std::map<const Match*, std::string> texts_;
};

} // namespace weft::openflow
