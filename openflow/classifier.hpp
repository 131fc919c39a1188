// Classifier: which flow of one table a packet meets. Tuple space search as in Open vSwitch (lib/classifier.c),
// conjunctive matches included (ovs-fields(7), "Conjunctive Match Fields"), so that millions of lookups for
// reachability cost seconds.
#pragma once
#include "openflow/flow.hpp"
#include "openflow/packet.hpp"

#include <cstdint>
#include <map>
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
    using Masks = std::vector<std::pair<Field, Bits>>;
    /// The flows that look at the same bits of the same fields.
    struct Subtable {
        Masks masks;
        std::unordered_map<std::size_t, std::vector<const Flow*>> flows; ///< by hash of the values, highest first
        std::uint16_t max_priority = 0;
    };

    Subtable& subtable_of(std::vector<Subtable>& subtables, const Flow& flow);
    /// Calls `found` for each flow that matches, until it returns false.
    static void each_match(const Subtable& subtable, const Packet& packet, auto found);
    /// Among flows that are no clauses.
    const Flow* find_hard(const Packet& packet) const;

    std::vector<Subtable> hard_;                             ///< flows that do something; by falling max_priority
    std::vector<Subtable> conjunctive_;                      ///< flows that are clauses of conjunctions
    std::map<std::pair<bool, Masks>, std::size_t> by_masks_; ///< conjunctive?, masks → place + 1; until finish()
};

} // namespace weft::openflow
