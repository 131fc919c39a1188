#include "openflow/script.hpp"

namespace weft::openflow {

Script::Script(const Change& change) {
    steps_.reserve(change.flows.size() + change.groups.add.size() + change.groups.change.size() +
                   change.groups.remove.size());
    for (const Flow& flow : change.flows.remove) {
        if (!flow.foreign.empty()) steps_.push_back({Command::remove, &flow, nullptr, 0});
    }
    for (const auto* groups : {&change.groups.add, &change.groups.change}) {
        for (const GroupEntry& group : *groups)
            steps_.push_back({Command::add, nullptr, &group, group.id});
    }
    for (const auto* flows : {&change.flows.add, &change.flows.change}) {
        for (const Flow& flow : *flows)
            steps_.push_back({Command::add, &flow, nullptr, 0});
    }
    for (const Flow& flow : change.flows.remove) {
        if (flow.foreign.empty()) steps_.push_back({Command::remove, &flow, nullptr, 0});
    }
    for (std::uint32_t id : change.groups.remove)
        steps_.push_back({Command::remove, nullptr, nullptr, id});
}

void Script::encode(std::size_t step, const Envelope& to, Bytes& out) const {
    const Step& s = steps_[step];
    if (s.flow)
        encode_flow_mod(out, to, s.command, *s.flow);
    else if (s.group)
        encode_group_mod(out, to, s.command, *s.group);
    else
        encode_group_mod(out, to, s.command, {.id = s.group_id, .buckets = {}});
}

std::string Script::describe(std::size_t step) const {
    const Step& s = steps_[step];
    if (s.flow) return "flow " + to_string(*s.flow);
    return "group " + (s.group ? to_string(*s.group) : std::to_string(s.group_id));
}

} // namespace weft::openflow
