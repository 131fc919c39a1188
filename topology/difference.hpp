// What changed between two topologies, object by object: what `weftctl plan` lists and what decides which networks
// are compiled again.
#pragma once
#include "base/ids.hpp"
#include "topology/model.hpp"

#include <string>
#include <vector>

namespace weft::topology {

enum class Op { add, change, remove };

struct Change {
    Op op = Op::add;
    Kind kind = Kind::network;
    std::string name;
    auto operator<=>(const Change&) const = default;
};

/// Ordered by kind, then name. Empty when the two are equal but for comments, order and place.
/// lab_endpoints and lab_vms never count: they belong to weft-lab.
std::vector<Change> difference(const Topology& before, const Topology& after);

} // namespace weft::topology
