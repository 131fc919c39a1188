// Classifier: which flow of one table a packet meets. Tuple space search as in Open vSwitch (lib/classifier.c),
// conjunctive matches included (ovs-fields(7), "Conjunctive Match Fields"), so that millions of lookups for
// reachability cost seconds.
#pragma once
#include "openflow/flow.hpp"
#include "openflow/packet.hpp"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace weft::openflow {

class Classifier {
  public:
    /// Refers to the flow, which must outlive the classifier.
    void add(const Flow& flow);
    /// After the last add(), before the first find().
    void finish();

    /// The flow of highest priority that matches; null: a miss. Of two of one priority that both match, either.
    const Flow* find(const Packet& packet) const;

  private:
    struct Subtable {
        std::vector<std::pair<Field, Bits>> masks;                       ///< by field
        std::unordered_map<std::size_t, std::vector<const Flow*>> flows; ///< by hash of the masked values
        std::uint16_t max_priority = 0;
    };
    const Flow* find(const Packet& packet, std::span<const Subtable> subtables) const;
    Subtable& subtable_of(std::vector<Subtable>& subtables, const Flow& flow);

    std::vector<Subtable> hard_;        ///< flows that do something; by falling max_priority
    std::vector<Subtable> conjunctive_; ///< flows that are clauses of conjunctions
};

} // namespace weft::openflow
