// A transaction on the Open_vSwitch database, ready to be sent (RFC 7047, 4.1.3 and 5.2). The planner makes it, the
// session sends it.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace weft::ovsdb {

/// Operations on rows by what they do. A port that goes counts as a change of its bridge's row: its own rows go when
/// nothing refers to them any more, without an operation.
struct RowCounts {
    std::size_t add = 0;    ///< insert
    std::size_t change = 0; ///< update, mutate
    std::size_t remove = 0; ///< delete
    std::size_t total() const { return add + change + remove; }
    bool operator==(const RowCounts&) const = default;
};

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
    /// Its operations without those of its own account: the comment, and next_cfg.
    RowCounts rows;

    bool empty() const { return operations.empty(); }
    bool operator==(const Transaction&) const = default;
};

} // namespace weft::ovsdb
