// A transaction on the Open_vSwitch database, ready to be sent (RFC 7047, 4.1.3 and 5.2). The planner makes it, the
// session sends it.
#pragma once
#include <string>
#include <vector>

namespace weft::ovsdb {

struct Transaction {
    /// The JSON text of each operation, in the order of execution.
    std::vector<std::string> operations;
    /// What it does, a phrase per change, for the log: "create bridge br-int".
    std::vector<std::string> changes;
    /// Whether it raises next_cfg because ovs-vswitchd has something to apply; its last operation then reads the new
    /// value.
    bool reconfigures = false;
    /// Of the changes, those that take away what nothing refers to any more: no hand's work is undone by them.
    std::size_t tidied = 0;

    bool empty() const { return operations.empty(); }
    bool operator==(const Transaction&) const = default;
};

} // namespace weft::ovsdb
