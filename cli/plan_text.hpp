// A plan (docs/api.md) in words: what would change, `+ ~ -`, per object and per host.
#pragma once
#include <boost/json/fwd.hpp>
#include <iosfwd>
#include <string>

namespace weft::cli {

/// Whether applying would change anything: an object, or a host's flows, groups, meters or rows.
bool changes_anything(const boost::json::value& plan);

/// "flows +12 ~3 -1, groups +1, rows +2" of one host's entry; empty when nothing changes there.
std::string host_changes(const boost::json::value& host);

/// Objects, hosts, reachability lost or gained, and the legend.
void print_plan(std::ostream& out, const boost::json::value& plan, bool colours);

} // namespace weft::cli
