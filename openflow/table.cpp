#include "openflow/table.hpp"

#include <cassert>
#include <unordered_map>

namespace weft::openflow {

namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    const auto product = static_cast<Bits>(hash ^ value) * 0x9e37'79b9'7f4a'7c15U;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

struct KeyHash {
    std::size_t operator()(const Flow* flow) const {
        std::uint64_t hash = mix(0x2545'f491'4f6c'dd1dU, std::uint64_t{flow->table} << 16 | flow->priority);
        for (const FieldMatch& f : flow->match.fields()) {
            hash = mix(hash, static_cast<std::uint64_t>(f.field) + 1);
            hash = mix(hash, static_cast<std::uint64_t>(f.value));
            hash = mix(hash, static_cast<std::uint64_t>(f.value >> 64));
            hash = mix(hash, static_cast<std::uint64_t>(f.mask));
        }
        return hash;
    }
};
struct KeyEqual {
    bool operator()(const Flow* a, const Flow* b) const {
        return a->table == b->table && a->priority == b->priority && a->match == b->match;
    }
};

/// Groups and meters alike: entries with an id.
template <class Delta, class Entry>
Delta diff_by_id(std::span<const Entry> before, std::span<const Entry> after) {
    std::unordered_map<std::uint32_t, const Entry*> old;
    for (const Entry& entry : before) {
        [[maybe_unused]] const bool fresh = old.emplace(entry.id, &entry).second;
        assert(fresh);
    }
    Delta delta;
    for (const Entry& entry : after) {
        const auto known = old.find(entry.id);
        if (known == old.end()) {
            delta.add.push_back(entry);
            continue;
        }
        assert(known->second && "two entries of one id");
        if (*known->second != entry) delta.change.push_back(entry);
        known->second = nullptr;
    }
    for (const Entry& entry : before) {
        if (old[entry.id]) delta.remove.push_back(entry.id);
    }
    return delta;
}

} // namespace

FlowDelta diff(std::span<const Flow> before, std::span<const Flow> after) {
    FlowDelta delta;
    std::unordered_map<const Flow*, bool, KeyHash, KeyEqual> old; // → still wanted
    old.reserve(before.size());
    for (const Flow& flow : before) {
        if (!flow.foreign.empty()) continue; // its match may say less than the switch's: never taken for one of ours
        [[maybe_unused]] const bool fresh = old.emplace(&flow, false).second;
        assert(fresh && "two flows of one key");
    }
    for (const Flow& flow : after) {
        const auto known = old.find(&flow);
        if (known == old.end()) {
            delta.add.push_back(flow);
            continue;
        }
        assert(!known->second && "two flows of one key");
        known->second = true;
        if (known->first->cookie != flow.cookie || known->first->actions != flow.actions) delta.change.push_back(flow);
    }
    for (const Flow& flow : before) {
        if (!flow.foreign.empty() || !old[&flow]) delta.remove.push_back(flow);
    }
    return delta;
}

GroupDelta diff(std::span<const GroupEntry> before, std::span<const GroupEntry> after) {
    return diff_by_id<GroupDelta>(before, after);
}

MeterDelta diff(std::span<const MeterEntry> before, std::span<const MeterEntry> after) {
    return diff_by_id<MeterDelta>(before, after);
}

} // namespace weft::openflow
