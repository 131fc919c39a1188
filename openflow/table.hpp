// What two sets of flows, groups or meters differ by, and the digest of a flow: the hash of its key (table, priority,
// match) and the hash of the rest (cookie, actions), both over the canonical encoded bytes, so that what goes out by
// FLOW_MOD and what comes back in a dump hash alike.
#pragma once
#include "openflow/flow.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::openflow {

/// 128-bit hash of (table, priority, match): no collision is expected in the life of the universe's fabrics.
struct FlowKey {
    std::uint64_t high = 0, low = 0;
    bool operator==(const FlowKey&) const = default;
};
struct FlowKeyHash {
    std::size_t operator()(const FlowKey& key) const { return key.low; }
};
struct FlowDigest {
    FlowKey key;
    std::uint64_t body = 0; ///< hash of cookie, flags, timeouts, importance, instructions
};

/// The digest of a flow as the switch would report it.
FlowDigest digest(const Flow& flow);

/// What must be sent to turn one set of flows into another. `remove` carries matches: strict deletes need them.
struct FlowDelta {
    std::vector<Flow> add;    ///< new keys
    std::vector<Flow> change; ///< known key, other body: sent as ADD too, which replaces and keeps traffic flowing
    std::vector<Flow> remove;
    bool empty() const { return add.empty() && change.empty() && remove.empty(); }
    std::size_t size() const { return add.size() + change.size() + remove.size(); }
    bool operator==(const FlowDelta&) const = default;
};

/// before → after, by value. Duplicated keys in one list are a broken invariant (assertion).
FlowDelta diff(std::span<const Flow> before, std::span<const Flow> after);

struct GroupDelta {
    std::vector<GroupEntry> add, change;
    std::vector<std::uint32_t> remove;
    bool empty() const { return add.empty() && change.empty() && remove.empty(); }
    bool operator==(const GroupDelta&) const = default;
};
struct MeterDelta {
    std::vector<MeterEntry> add, change;
    std::vector<std::uint32_t> remove;
    bool empty() const { return add.empty() && change.empty() && remove.empty(); }
    bool operator==(const MeterDelta&) const = default;
};
GroupDelta diff(std::span<const GroupEntry> before, std::span<const GroupEntry> after);
MeterDelta diff(std::span<const MeterEntry> before, std::span<const MeterEntry> after);

} // namespace weft::openflow
