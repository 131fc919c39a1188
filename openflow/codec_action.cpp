// Actions ↔ the library's ofpacts; groups and meters, which are made of them.
#include "openflow/libopenvswitch.hpp"

#include <cassert>
#include <deque>
#include <fmt/format.h>

namespace weft::openflow {

namespace ovs {

namespace {

constexpr Bits kTagPresent = 0x1000; // OFPVID_PRESENT: set_field of vlan_vid must carry it (7.2.3.8)

/// A field as SetField writes it. OpenFlow forbids set_field of the 32-bit in_port, Open vSwitch allows its 16-bit one.
const mf_field* field_to_set(Field field) {
    return field == Field::in_port ? mf_from_id(MFF_IN_PORT) : field_of(field);
}

mf_subfield subfield(Field field, unsigned first_bit, unsigned bits) {
    return {field_of(field), first_bit, bits};
}

void put(const Output& output, ofpbuf* out) {
    auto* action = ofpact_put_OUTPUT(out);
    action->port = port_from(output.port);
    action->max_len = output.port == ofport::kController ? UINT16_MAX : 0;
}

void put(const Group& group, ofpbuf* out) {
    ofpact_put_GROUP(out)->group_id = group.id;
}

void put(const SetField& set, ofpbuf* out) {
    const mf_field* field = field_to_set(set.field);
    const bool whole = set.mask == full_mask(set.field);
    Bits bits = set.value;
    Bits mask_bits = whole ? ~Bits{0} : set.mask;
    if (set.field == Field::in_port) bits = port_from(static_cast<std::uint32_t>(set.value));
    if (set.field == Field::vlan_vid) bits |= kTagPresent, mask_bits |= kTagPresent;
    mf_value value, mask;
    store(field, bits, &value);
    store(field, mask_bits, &mask);
    if (whole)
        ofpact_put_set_field(out, field, &value, nullptr);
    else
        ofpact_put_reg_load2(out, field, &value, &mask); // in 1.4 else split into one load per run of bits
}

void put(const Move& move, ofpbuf* out) {
    auto* action = ofpact_put_REG_MOVE(out);
    action->src = subfield(move.source, move.source_bit, move.bits);
    action->dst = subfield(move.target, move.target_bit, move.bits);
}

void put(const PushVlan& push, ofpbuf* out) {
    ofpact_put_PUSH_VLAN(out)->ethertype = htons(push.tpid);
}

void put(const PopVlan&, ofpbuf* out) {
    ofpact_put_STRIP_VLAN(out);
}

void put(const Resubmit& resubmit, ofpbuf* out) {
    auto* action = ofpact_put_RESUBMIT(out);
    action->in_port = OFPP_IN_PORT;
    action->table_id = resubmit.table;
}

void put(const GotoTable& jump, ofpbuf* out) {
    ofpact_put_GOTO_TABLE(out)->table_id = jump.table;
}

void put(const Meter& meter, ofpbuf* out) {
    ofpact_put_METER(out)->meter_id = meter.id;
}

void put(const SetQueue& set, ofpbuf* out) {
    ofpact_put_SET_QUEUE(out)->queue_id = set.id;
}

void put(const DecTtl&, ofpbuf* out) {
    ofpact_put_DEC_TTL(out)->n_controllers = 1;
    const std::uint16_t controller = 0;
    ofpbuf_put(out, &controller, sizeof controller);
    auto* action = static_cast<ofpact_cnt_ids*>(out->header);
    ofpact_finish_DEC_TTL(out, &action);
}

void put(const CtClear&, ofpbuf* out) {
    ofpact_put_CT_CLEAR(out);
}

void put(const Nat& nat, ofpbuf* out) {
    auto* action = ofpact_put_NAT(out);
    if (nat.kind == Nat::Kind::restore) return;
    action->flags = nat.kind == Nat::Kind::source ? NX_NAT_F_SRC : NX_NAT_F_DST;
    if (!nat.first) return;
    const bool range = nat.last && *nat.last != *nat.first; // a range of one is written as one address
    if (nat.first->is_v4()) {
        action->range_af = AF_INET;
        action->range.addr.ipv4.min = htonl(nat.first->v4());
        if (range) action->range.addr.ipv4.max = htonl(nat.last->v4());
    } else {
        action->range_af = AF_INET6;
        std::memcpy(&action->range.addr.ipv6.min, nat.first->bytes().data(), 16);
        if (range) std::memcpy(&action->range.addr.ipv6.max, nat.last->bytes().data(), 16);
    }
    action->range.proto.min = nat.port_first;
    action->range.proto.max = nat.port_last > nat.port_first ? nat.port_last : 0;
}

void put(const Ct& ct, ofpbuf* out) {
    // Nested actions are put into a buffer that begins at them: pull what stands before, push it back.
    const std::uint32_t start = out->size;
    auto* action = ofpact_put_CT(out);
    action->flags = static_cast<std::uint16_t>((ct.commit ? NX_CT_F_COMMIT : 0) | (ct.force ? NX_CT_F_FORCE : 0));
    if (const auto* number = std::get_if<std::uint16_t>(&ct.zone))
        action->zone_imm = *number;
    else
        action->zone_src = subfield(std::get<Field>(ct.zone), 0, 16);
    action->recirc_table = ct.table.value_or(NX_CT_RECIRC_NONE); // 0 would be table 0
    ofpbuf_pull(out, start + sizeof *action);
    if (ct.nat) put(*ct.nat, out);
    for (const SetField& set : ct.exec)
        put(set, out);
    ofpbuf_push_uninit(out, start + sizeof *action);
    action = reinterpret_cast<ofpact_conntrack*>(static_cast<char*>(out->data) + start);
    out->header = action;
    ofpact_finish_CT(out, &action);
}

void put(const CheckPktLarger& check, ofpbuf* out) {
    auto* action = ofpact_put_CHECK_PKT_LARGER(out);
    action->pkt_len = check.length;
    action->dst = subfield(check.target, check.bit, 1);
}

void put(const Conjunction& conjunction, ofpbuf* out) {
    auto* action = ofpact_put_CONJUNCTION(out);
    action->id = conjunction.id;
    action->clause = static_cast<std::uint8_t>(conjunction.clause - 1);
    action->n_clauses = conjunction.clauses;
}

void put(const Controller& controller, ofpbuf* out) {
    if (controller.userdata.empty() && !controller.meter) return put(Output{ofport::kController}, out);
    auto* action = ofpact_put_CONTROLLER(out);
    action->max_len = UINT16_MAX;
    action->reason = OFPR_ACTION;
    action->meter_id = controller.meter.value_or(NX_CTLR_NO_METER);
    action->userdata_len = static_cast<std::uint16_t>(controller.userdata.size());
    ofpbuf_put(out, controller.userdata.data(), controller.userdata.size());
    action = static_cast<ofpact_controller*>(out->header);
    ofpact_finish_CONTROLLER(out, &action);
}

// --- and back; false where weft has no value for it

bool get(const ofpact_set_field& action, SetField* out) {
    const bool in_port = action.field->id == MFF_IN_PORT;
    const auto field = in_port ? Field::in_port : field_from(action.field);
    if (!field || (!in_port && *field == Field::in_port)) return false;
    out->field = *field;
    out->value = load(action.field, action.value);
    out->mask = load(action.field, ofpact_set_field_mask(&action));
    if (in_port) {
        if (out->mask != 0xffff) return false;
        out->value = port_to(static_cast<ofp_port_t>(out->value));
        out->mask = full_mask(Field::in_port);
    }
    out->mask &= full_mask(*field);
    out->value &= out->mask;
    return true;
}

bool get(const ofpact_reg_move& action, Move* out) {
    const auto source = field_from(action.src.field);
    const auto target = field_from(action.dst.field);
    if (!source || !target) return false;
    *out = {*source, static_cast<std::uint16_t>(action.src.ofs), *target, static_cast<std::uint16_t>(action.dst.ofs),
            static_cast<std::uint16_t>(action.src.n_bits)};
    return true;
}

bool get(const ofpact_nat& action, Nat* out) {
    if (action.flags & ~(NX_NAT_F_SRC | NX_NAT_F_DST)) return false;
    if (!action.flags) return true;
    out->kind = action.flags & NX_NAT_F_SRC ? Nat::Kind::source : Nat::Kind::target;
    if (action.range_af == AF_INET) {
        out->first = Ip::v4(ntohl(action.range.addr.ipv4.min));
        if (action.range.addr.ipv4.max) out->last = Ip::v4(ntohl(action.range.addr.ipv4.max));
    } else if (action.range_af == AF_INET6) {
        std::array<std::uint8_t, 16> first, last;
        std::memcpy(first.data(), &action.range.addr.ipv6.min, 16);
        std::memcpy(last.data(), &action.range.addr.ipv6.max, 16);
        out->first = Ip::v6(first);
        if (last != decltype(last){}) out->last = Ip::v6(last);
    }
    if (action.range_af == AF_UNSPEC) return true;
    out->port_first = action.range.proto.min;
    out->port_last = action.range.proto.max ? action.range.proto.max : action.range.proto.min;
    return true;
}

bool get(const ofpact_conntrack& action, Ct* out) {
    out->commit = action.flags & NX_CT_F_COMMIT;
    out->force = action.flags & NX_CT_F_FORCE;
    if (action.recirc_table != NX_CT_RECIRC_NONE) out->table = action.recirc_table;
    if (action.zone_src.field) {
        const auto field = field_from(action.zone_src.field);
        if (!field || action.zone_src.ofs != 0 || action.zone_src.n_bits != 16) return false;
        out->zone = *field;
    } else {
        out->zone = action.zone_imm;
    }
    const ofpact* nested = nullptr;
    OFPACT_FOR_EACH(nested, action.actions, ofpact_ct_get_action_len(&action)) {
        if (nested->type == OFPACT_NAT) {
            if (out->nat || !get(*ofpact_get_NAT(nested), &out->nat.emplace())) return false;
        } else if (nested->type == OFPACT_SET_FIELD) {
            if (!get(*ofpact_get_SET_FIELD(nested), &out->exec.emplace_back())) return false;
        } else {
            return false;
        }
    }
    return action.alg == 0;
}

bool get(const ofpact_controller& action, Controller* out) {
    out->userdata.assign(reinterpret_cast<const char*>(action.userdata), action.userdata_len);
    if (action.meter_id != NX_CTLR_NO_METER) out->meter = action.meter_id;
    return action.max_len == UINT16_MAX && action.controller_id == 0 && raw(action.reason) == OFPR_ACTION &&
           !action.pause;
}

/// Appends one action.
bool get_action(const ofpact* action, Actions* out) {
    switch (action->type) {
    case OFPACT_OUTPUT: {
        const auto* output = ofpact_get_OUTPUT(action);
        if (output->port == OFPP_CONTROLLER)
            out->emplace_back(Controller{});
        else
            out->emplace_back(Output{port_to(output->port)});
        return output->port != OFPP_CONTROLLER || output->max_len == UINT16_MAX;
    }
    case OFPACT_GROUP:
        out->emplace_back(Group{ofpact_get_GROUP(action)->group_id});
        return true;
    case OFPACT_SET_FIELD: {
        SetField set;
        if (!get(*ofpact_get_SET_FIELD(action), &set)) return false;
        out->emplace_back(set);
        return true;
    }
    case OFPACT_REG_MOVE: {
        Move move;
        if (!get(*ofpact_get_REG_MOVE(action), &move)) return false;
        out->emplace_back(move);
        return true;
    }
    case OFPACT_PUSH_VLAN:
        out->emplace_back(PushVlan{ntohs(ofpact_get_PUSH_VLAN(action)->ethertype)});
        return true;
    case OFPACT_STRIP_VLAN:
        out->emplace_back(PopVlan{});
        return true;
    case OFPACT_RESUBMIT: {
        const auto* resubmit = ofpact_get_RESUBMIT(action);
        out->emplace_back(Resubmit{resubmit->table_id});
        return resubmit->in_port == OFPP_IN_PORT && !resubmit->with_ct_orig;
    }
    case OFPACT_GOTO_TABLE:
        out->emplace_back(GotoTable{ofpact_get_GOTO_TABLE(action)->table_id});
        return true;
    case OFPACT_METER:
        out->emplace_back(Meter{ofpact_get_METER(action)->meter_id});
        return true;
    case OFPACT_SET_QUEUE:
        out->emplace_back(SetQueue{ofpact_get_SET_QUEUE(action)->queue_id});
        return true;
    case OFPACT_DEC_TTL: {
        const auto* ids = ofpact_get_DEC_TTL(action);
        out->emplace_back(DecTtl{});
        return ids->n_controllers == 1 && ids->cnt_ids[0] == 0;
    }
    case OFPACT_CT_CLEAR:
        out->emplace_back(CtClear{});
        return true;
    case OFPACT_CT: {
        Ct ct;
        if (!get(*ofpact_get_CT(action), &ct)) return false;
        out->emplace_back(std::move(ct));
        return true;
    }
    case OFPACT_CHECK_PKT_LARGER: {
        const auto* check = ofpact_get_CHECK_PKT_LARGER(action);
        const auto target = field_from(check->dst.field);
        if (!target || check->dst.n_bits != 1) return false;
        out->emplace_back(CheckPktLarger{check->pkt_len, *target, static_cast<std::uint16_t>(check->dst.ofs)});
        return true;
    }
    case OFPACT_CONJUNCTION: {
        const auto* conjunction = ofpact_get_CONJUNCTION(action);
        out->emplace_back(
            Conjunction{conjunction->id, static_cast<std::uint8_t>(conjunction->clause + 1), conjunction->n_clauses});
        return true;
    }
    case OFPACT_CONTROLLER: {
        Controller controller;
        if (!get(*ofpact_get_CONTROLLER(action), &controller)) return false;
        out->emplace_back(std::move(controller));
        return true;
    }
    default:
        return false;
    }
}

} // namespace

ofp_port_t port_from(std::uint32_t port) {
    ofp_port_t converted = OFPP_NONE;
    ofputil_port_from_ofp11(htonl(port), &converted);
    return converted;
}

std::uint32_t port_to(ofp_port_t port) {
    return ntohl(ofputil_port_to_ofp11(port));
}

void put_actions(const Actions& actions, ofpbuf* out) {
    for (const Action& action : actions)
        std::visit([out](const auto& value) { put(value, out); }, action.value);
}

bool get_actions(const ofpact* actions, std::size_t size, Actions* out) {
    const ofpact* action = nullptr;
    OFPACT_FOR_EACH(action, actions, size) {
        if (!get_action(action, out)) return false;
    }
    return true;
}

std::string text_of(const ofpact* actions, std::size_t size) {
    ds text = DS_EMPTY_INITIALIZER;
    ofpact_format_params params{};
    params.s = &text;
    ofpacts_format(actions, size, &params);
    return take(ds_steal_cstr(&text));
}

GroupEntry group_from(const ofputil_group_desc& desc) {
    GroupEntry group{.id = desc.group_id, .type = static_cast<GroupType>(desc.type), .buckets = {}};
    bool ours = desc.props.selection_method[0] == '\0';
    std::string text = fmt::format("group_id={},type={}", desc.group_id, desc.type);
    const ofputil_bucket* from = nullptr;
    LIST_FOR_EACH(from, list_node, &desc.buckets) {
        Bucket bucket;
        ours &= get_actions(from->ofpacts, from->ofpacts_len, &bucket.actions);
        ours &= from->watch_group == OFPG_ANY && (group.type != GroupType::select || from->weight == 1);
        if (from->watch_port != OFPP_ANY) bucket.watch_port = port_to(from->watch_port);
        text += ",bucket=" + text_of(from->ofpacts, from->ofpacts_len);
        group.buckets.push_back(std::move(bucket));
    }
    if (!ours) group.foreign = std::move(text);
    return group;
}

MeterEntry meter_from(const ofputil_meter_config& config) {
    MeterEntry meter{.id = config.meter_id, .packets = (config.flags & OFPMF13_PKTPS) != 0};
    const int unit = meter.packets ? OFPMF13_PKTPS : OFPMF13_KBPS;
    const bool ours = config.n_bands == 1 && config.bands[0].type == OFPMBT13_DROP &&
                      (config.flags & ~(OFPMF13_BURST | OFPMF13_STATS)) == unit;
    if (!ours) {
        meter.foreign = fmt::format("meter={},flags=0x{:x},bands={}", config.meter_id, config.flags, config.n_bands);
        return meter;
    }
    meter.rate = config.bands[0].rate;
    if (config.flags & OFPMF13_BURST) meter.burst = config.bands[0].burst_size;
    return meter;
}

} // namespace ovs

void encode_group_mod(Bytes& out, const Envelope& to, Command command, const GroupEntry& group) {
    using ovs::Buffer;
    assert((command == Command::remove || group.foreign.empty()) && "a foreign group can only be removed");
    std::deque<Buffer> actions;
    std::deque<ofputil_bucket> buckets;
    ofputil_group_mod mod{};
    mod.command = command == Command::remove ? +OFPGC11_DELETE : +OFPGC11_ADD_OR_MOD;
    mod.type = static_cast<std::uint8_t>(group.type);
    mod.group_id = group.id;
    mod.command_bucket_id = OFPG15_BUCKET_ALL;
    ovs_list_init(&mod.buckets);
    for (const Bucket& bucket : group.buckets) {
        if (command == Command::remove) break;
        ovs::put_actions(bucket.actions, actions.emplace_back());
        ofputil_bucket& to_send = buckets.emplace_back();
        to_send.weight = group.type == GroupType::select ? 1 : 0;
        to_send.watch_port = bucket.watch_port ? ovs::port_from(*bucket.watch_port) : OFPP_ANY;
        to_send.watch_group = OFPG_ANY;
        to_send.bucket_id = static_cast<std::uint32_t>(buckets.size() - 1);
        to_send.ofpacts = actions.back().actions();
        to_send.ofpacts_len = actions.back().size();
        ovs_list_push_back(&mod.buckets, &to_send.list_node);
    }
    const ovs::OwnedBuffer message(ofputil_encode_group_mod(ovs::wire(to.version), &mod, nullptr, -1));
    ovs::append(out, to, message.get());
}

void encode_meter_mod(Bytes& out, Version version, std::uint32_t xid, Command command, const MeterEntry& meter) {
    assert((command == Command::remove || meter.foreign.empty()) && "a foreign meter can only be removed");
    ofputil_meter_band band{.type = OFPMBT13_DROP, .prec_level = 0, .rate = meter.rate, .burst_size = meter.burst};
    ofputil_meter_mod mod{};
    mod.command = command == Command::add ? OFPMC13_ADD : command == Command::modify ? OFPMC13_MODIFY : OFPMC13_DELETE;
    mod.meter.meter_id = meter.id;
    if (command != Command::remove) {
        mod.meter.flags = static_cast<std::uint16_t>((meter.packets ? OFPMF13_PKTPS : OFPMF13_KBPS) |
                                                     (meter.burst ? OFPMF13_BURST : 0));
        mod.meter.n_bands = 1;
        mod.meter.bands = &band;
    }
    const ovs::OwnedBuffer message(ofputil_encode_meter_mod(ovs::wire(version), &mod));
    ovs::append(out, {.version = version, .xid = xid, .bundle = {}}, message.get());
}

bool settable(Field field) {
    return ovs::field_to_set(field)->writable;
}

std::string to_string(const Actions& actions) {
    ovs::Buffer built;
    ovs::put_actions(actions, built);
    return ovs::text_of(built.actions(), built.size());
}

} // namespace weft::openflow
