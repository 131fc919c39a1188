// The difference between what a host's OVSDB holds and what it should, as one transaction. Pure. It touches rows that
// carry external_ids:weft, its own rows' places in Bridge.ports, Open_vSwitch.bridges, Open_vSwitch.datapaths and
// Port.qos, and keys "weft-…" of other interfaces; nothing else.
#pragma once
#include "base/result.hpp"
#include "ovsdb/desired.hpp"
#include "ovsdb/replica.hpp"
#include "ovsdb/transaction.hpp"

namespace weft::ovsdb {

/// Empty when nothing is to do. Errors: refused, when a bridge or port of a wanted name exists and is not weft's (the
/// text holds the command that hands it over); invalid, when `desired` contradicts itself.
Result<Transaction> plan_rows(const Replica& replica, const DesiredRows& desired);

/// Targets of controllers on weft's bridge that carry weft's mark and that `desired` does not know: another weftd's, or
/// this one's of before.
std::set<std::string> other_controllers(const Replica& replica, const DesiredRows& desired);

/// Takes every row and key of weft's off a host that left the topology. Empty when there is none.
Transaction cleanup_rows(const Replica& replica);

/// Makes ovs-vswitchd go through its configuration again: it does not try anew by itself to make a port that it could
/// not make.
Transaction try_again();

/// The names of the patch ports of an uplink that leads to a bridge: on weft's side and on the other. At most 15
/// characters, so that they look like any device name; `taken` are names the first must not have.
std::pair<std::string, std::string> patch_names(std::string_view physnet,
                                                const std::map<std::string, DesiredPort>& taken);

} // namespace weft::ovsdb
