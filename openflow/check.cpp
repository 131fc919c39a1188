// What is wrong with actions, groups and meters by themselves, without a match, and groups and meters as text.
#include "openflow/codec.hpp"

#include <fmt/format.h>

namespace weft::openflow {

namespace {
constexpr std::uint8_t kNoTable = 255; // OFPTT_ALL

struct Problem {
    std::string operator()(const SetField& set) const {
        if (set.mask & ~full_mask(set.field))
            return fmt::format("set_field of {}: the mask is wider than the field", name_of(set.field));
        if (set.value & ~set.mask)
            return fmt::format("set_field of {}: the value is wider than its mask", name_of(set.field));
        if (set.field == Field::in_port && set.mask != full_mask(Field::in_port))
            return "set_field of in_port takes no mask";
        if (!settable(set.field)) return fmt::format("{} cannot be set", name_of(set.field));
        return {};
    }
    std::string operator()(const Ct& ct) const {
        if (!ct.commit && (ct.force || !ct.exec.empty())) return "ct: force and exec need commit";
        if (ct.table == kNoTable) return "ct: table 255 is not a table";
        for (const SetField& set : ct.exec) {
            if (set.field != Field::ct_mark && set.field != Field::ct_label)
                return "ct: exec can set ct_mark and ct_label only";
        }
        if (!ct.nat || ct.nat->kind == Nat::Kind::restore) return {};
        const Nat& nat = *ct.nat;
        if (!ct.commit) return "ct: nat with an address needs commit";
        // A commit with a translation that changes nothing makes ovs-vswitchd 3.1 abort when a closing connection's
        // tuple is used again.
        if (!nat.first || bits(*nat.first) == 0) return "ct: nat needs an address";
        if (nat.last && (nat.last->is_v4() != nat.first->is_v4() || *nat.last < *nat.first))
            return "ct: nat's range is empty";
        if (nat.port_last && nat.port_last < nat.port_first) return "ct: nat's port range is empty";
        return {};
    }
    std::string operator()(const Conjunction& c) const {
        const bool fine = c.clauses >= 2 && c.clauses <= 64 && c.clause >= 1 && c.clause <= c.clauses;
        return fine ? "" : "conjunction: clause must be 1..clauses, and these 2..64";
    }
    std::string operator()(const Controller& c) const {
        return c.userdata.size() > 1024 ? "controller: userdata above 1,024 bytes" : "";
    }
    std::string operator()(const Meter& meter) const { return meter.id == 0 ? "meter 0 is not a meter" : ""; }
    std::string operator()(const Output& output) const {
        return output.port >= 0xff00 && output.port < 0xffff'ff00 ? fmt::format("output: no such port: {}", output.port)
                                                                  : "";
    }
    std::string operator()(const auto&) const { return {}; }
};

} // namespace

std::string problem_of(std::span<const Action> actions) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
        const auto& action = actions[i].value;
        if (std::holds_alternative<GotoTable>(action) && i + 1 != actions.size())
            return "goto_table must be the last action";
        if (std::holds_alternative<Meter>(action) && i != 0)
            return "meter must be the first action, and the only meter";
        if (std::string problem = std::visit(Problem{}, action); !problem.empty()) return problem;
    }
    return {};
}

std::string to_string(const GroupEntry& group) {
    if (!group.foreign.empty()) return group.foreign;
    constexpr std::string_view kTypes[] = {"all", "select", "indirect", "ff"};
    std::string text = fmt::format("group_id={},type={}", group.id, kTypes[static_cast<unsigned>(group.type) & 3]);
    for (const Bucket& bucket : group.buckets) {
        text += ",bucket=";
        if (bucket.watch_port) text += fmt::format("watch_port:{},", *bucket.watch_port);
        text += "actions=" + to_string(bucket.actions);
    }
    return text;
}

std::string to_string(const MeterEntry& meter) {
    if (!meter.foreign.empty()) return meter.foreign;
    return fmt::format("meter={},{}{},band=type=drop,rate={}{}", meter.id, meter.packets ? "pktps" : "kbps",
                       meter.burst ? ",burst" : "", meter.rate,
                       meter.burst ? fmt::format(",burst_size={}", meter.burst) : "");
}

Result<void> check(const GroupEntry& group) {
    for (const Bucket& bucket : group.buckets) {
        if (const std::string problem = problem_of(bucket.actions); !problem.empty())
            return fail(ErrorKind::invalid, problem);
        for (const Action& action : bucket.actions) {
            if (std::holds_alternative<GotoTable>(action.value) || std::holds_alternative<Meter>(action.value)) {
                return fail(ErrorKind::invalid, "a bucket takes no goto_table and no meter");
            }
        }
    }
    if (group.id >= 0xffff'ff00) return fail(ErrorKind::invalid, "group ids end at 0xfffffeff");
    if (group.type == GroupType::fast_failover) {
        for (const Bucket& bucket : group.buckets) {
            if (!bucket.watch_port) return fail(ErrorKind::invalid, "a fast_failover bucket needs a watch_port");
        }
    }
    if (group.type == GroupType::indirect && group.buckets.size() != 1) {
        return fail(ErrorKind::invalid, "an indirect group has one bucket");
    }
    return {};
}

Result<void> check(const MeterEntry& meter) {
    if (meter.id == 0 || meter.id > 0xffff'0000) return fail(ErrorKind::invalid, "meter ids are 1 to 0xffff0000");
    if (meter.rate == 0) return fail(ErrorKind::invalid, "a meter needs a rate");
    return {};
}

} // namespace weft::openflow
