// A plan (docs/api.md) in words: what would change, `+ ~ -`, per object and per host.
#pragma once
#include <boost/json/fwd.hpp>
#include <iosfwd>

namespace weft::cli {

/// Whether applying would change anything: an object, or what is sent to a host. A host of which that is not known
/// counts as unchanged.
bool changes_anything(const boost::json::value& plan);

/// Objects, a table of the hosts for which something changes or may, reachability lost or gained, and the legend.
void print_plan(std::ostream& out, const boost::json::value& plan, bool colours);

} // namespace weft::cli
