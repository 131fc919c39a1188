#include "openflow/classifier.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>

namespace weft::openflow {
namespace {

std::size_t mix(std::size_t hash, Bits value) {
    constexpr std::size_t kOdd = 0x9e37'79b9'7f4a'7c15; // 2^64 / golden ratio
    for (const auto half : {static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(value >> 64)}) {
        hash = (hash ^ half) * kOdd;
        hash ^= hash >> 29;
    }
    return hash;
}

bool is_clause(const Flow& flow) {
    return std::ranges::any_of(flow.actions,
                               [](const Action& action) { return std::holds_alternative<Conjunction>(action.value); });
}

bool higher(const Flow* a, const Flow* b) {
    return a->priority > b->priority;
}

/// The lowest id of which every clause is met by one of the flows.
std::optional<std::uint32_t> met(std::span<const Flow* const> flows) {
    std::map<std::uint32_t, std::uint64_t> clauses; ///< id → bit by clause
    std::map<std::uint32_t, unsigned> wanted;
    for (const auto* flow : flows)
        for (const auto& action : flow->actions)
            if (const auto* part = std::get_if<Conjunction>(&action.value)) {
                clauses[part->id] |= std::uint64_t{1} << (part->clause - 1);
                wanted[part->id] = part->clauses;
            }
    for (const auto& [id, bits] : clauses)
        if (bits == (std::uint64_t{1} << wanted[id]) - 1) return id;
    return std::nullopt;
}

} // namespace

Classifier::Subtable& Classifier::subtable_of(std::vector<Subtable>& subtables, const Flow& flow) {
    std::vector<std::pair<Field, Bits>> masks;
    masks.reserve(flow.match.fields().size());
    for (const auto& field : flow.match.fields())
        masks.emplace_back(field.field, field.mask);
    auto& place = by_masks_[{&subtables == &conjunctive_, masks}];
    if (place == 0) {
        subtables.push_back({.masks = std::move(masks), .flows = {}, .max_priority = 0});
        place = subtables.size();
    }
    return subtables[place - 1];
}

void Classifier::add(const Flow& flow) {
    auto& subtable = subtable_of(is_clause(flow) ? conjunctive_ : hard_, flow);
    std::size_t hash = 0;
    for (const auto& field : flow.match.fields())
        hash = mix(hash, field.value);
    subtable.flows[hash].push_back(&flow);
    subtable.max_priority = std::max(subtable.max_priority, flow.priority);
}

void Classifier::finish() {
    by_masks_.clear();
    for (auto* subtables : {&hard_, &conjunctive_}) {
        std::ranges::sort(*subtables, std::greater{}, &Subtable::max_priority);
        for (auto& subtable : *subtables)
            for (auto& [_, flows] : subtable.flows)
                std::ranges::sort(flows, higher);
    }
}

void Classifier::each_match(const Subtable& subtable, const Packet& packet, auto found) {
    std::size_t hash = 0;
    for (const auto& [field, mask] : subtable.masks)
        hash = mix(hash, packet.get(field) & mask);
    const auto flows = subtable.flows.find(hash);
    if (flows == subtable.flows.end()) return;
    for (const auto* flow : flows->second)
        if (packet.matches(flow->match) && !found(flow)) return;
}

const Flow* Classifier::find_hard(const Packet& packet) const {
    const Flow* best = nullptr;
    for (const auto& subtable : hard_) {
        if (best != nullptr && subtable.max_priority <= best->priority) break;
        each_match(subtable, packet, [&](const Flow* flow) {
            if (best == nullptr || flow->priority > best->priority) best = flow;
            return false; // the first is the highest
        });
    }
    return best;
}

const Flow* Classifier::find(const Packet& packet) const {
    const auto* hard = find_hard(packet);
    if (conjunctive_.empty()) return hard;
    std::vector<const Flow*> soft;
    for (const auto& subtable : conjunctive_)
        each_match(subtable, packet, [&](const Flow* flow) {
            if (hard == nullptr || flow->priority > hard->priority) soft.push_back(flow);
            return true;
        });
    std::ranges::sort(soft, higher);
    for (auto first = soft.begin(); first != soft.end();) {
        const auto last = std::find_if(first, soft.end(), [&](const Flow* flow) { return higher(*first, flow); });
        if (const auto id = met({first, last})) {
            auto with_id = packet;
            with_id.set(Field::conj_id, *id);
            if (const auto* flow = find_hard(with_id)) return flow;
        }
        first = last;
    }
    return hard;
}

} // namespace weft::openflow
