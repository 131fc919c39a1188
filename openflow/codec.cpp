// Flows: fields and matches ↔ struct match, whole flows ↔ FLOW_MOD bytes and ovs-ofctl text, digests, checks.
#include "openflow/libopenvswitch.hpp"

#include <array>
#include <cassert>
#include <fmt/format.h>
#include <xxhash.h>

namespace weft::openflow {

namespace ovs {

namespace {
// In the order of Field. in_port is the 32-bit OXM field; ip_dscp the 6-bit one.
constexpr std::array<mf_field_id, kFieldCount> kIds{
    MFF_IN_PORT_OXM,
    MFF_METADATA,
    MFF_TUN_ID,
    MFF_TUN_SRC,
    MFF_TUN_DST,
    MFF_TUN_IPV6_SRC,
    MFF_TUN_IPV6_DST,
    MFF_PKT_MARK,
    MFF_CT_STATE,
    MFF_CT_ZONE,
    MFF_CT_MARK,
    MFF_CT_LABEL,
    MFF_CT_NW_SRC,
    MFF_CT_NW_DST,
    MFF_CT_NW_PROTO,
    MFF_CT_IPV6_SRC,
    MFF_CT_IPV6_DST,
    MFF_CT_TP_SRC,
    MFF_CT_TP_DST,
    MFF_REG0,
    MFF_REG1,
    MFF_REG2,
    MFF_REG3,
    MFF_REG4,
    MFF_REG5,
    MFF_REG6,
    MFF_REG7,
    MFF_REG8,
    MFF_REG9,
    MFF_REG10,
    MFF_REG11,
    MFF_REG12,
    MFF_REG13,
    MFF_REG14,
    MFF_REG15,
    MFF_XREG0,
    MFF_XREG1,
    MFF_XREG2,
    MFF_XREG3,
    MFF_XREG4,
    MFF_XREG5,
    MFF_XREG6,
    MFF_XREG7,
    MFF_XXREG0,
    MFF_XXREG1,
    MFF_XXREG2,
    MFF_XXREG3,
    MFF_CONJ_ID,
    MFF_ETH_DST,
    MFF_ETH_SRC,
    MFF_ETH_TYPE,
    MFF_VLAN_TCI,
    MFF_VLAN_VID,
    MFF_VLAN_PCP,
    MFF_IPV4_SRC,
    MFF_IPV4_DST,
    MFF_IPV6_SRC,
    MFF_IPV6_DST,
    MFF_IPV6_LABEL,
    MFF_IP_PROTO,
    MFF_IP_DSCP_SHIFTED,
    MFF_IP_ECN,
    MFF_IP_TTL,
    MFF_IP_FRAG,
    MFF_ARP_OP,
    MFF_ARP_SPA,
    MFF_ARP_TPA,
    MFF_ARP_SHA,
    MFF_ARP_THA,
    MFF_TCP_SRC,
    MFF_TCP_DST,
    MFF_TCP_FLAGS,
    MFF_UDP_SRC,
    MFF_UDP_DST,
    MFF_SCTP_SRC,
    MFF_SCTP_DST,
    MFF_ICMPV4_TYPE,
    MFF_ICMPV4_CODE,
    MFF_ICMPV6_TYPE,
    MFF_ICMPV6_CODE,
    MFF_ND_TARGET,
    MFF_ND_SLL,
    MFF_ND_TLL,
    MFF_ND_RESERVED,
    MFF_ND_OPTIONS_TYPE,
};

constexpr auto kFields = [] {
    std::array<std::uint8_t, MFF_N_IDS> fields{};
    fields.fill(0xff);
    for (std::size_t i = 0; i < kFieldCount; ++i)
        fields[kIds[i]] = static_cast<std::uint8_t>(i);
    return fields;
}();

/// Views of fields that struct match keeps under other names (Match::set folds them too).
constexpr bool is_view(Field field) {
    return (field >= Field::xreg0 && field <= Field::xxreg3) || field == Field::vlan_vid || field == Field::vlan_pcp;
}

std::string_view prerequisite(mf_prereqs kind) {
    switch (kind) {
    case MFP_NONE:
        return "nothing";
    case MFP_ETHERNET:
        return "an Ethernet packet";
    case MFP_ARP:
        return "eth_type=0x0806";
    case MFP_VLAN_VID:
        return "a VLAN tag";
    case MFP_IPV4:
        return "eth_type=0x0800";
    case MFP_IPV6:
        return "eth_type=0x86dd";
    case MFP_IP_ANY:
        return "eth_type=0x0800 or 0x86dd";
    case MFP_NSH:
        return "eth_type=0x894f";
    case MFP_MPLS:
        return "eth_type=0x8847 or 0x8848";
    case MFP_TCP:
        return "an IP eth_type, ip_proto=6 and no later fragment";
    case MFP_UDP:
        return "an IP eth_type, ip_proto=17 and no later fragment";
    case MFP_SCTP:
        return "an IP eth_type, ip_proto=132 and no later fragment";
    case MFP_ICMPV4:
        return "eth_type=0x0800 and ip_proto=1";
    case MFP_ICMPV6:
        return "eth_type=0x86dd and ip_proto=58";
    case MFP_CT_VALID:
        return "+trk-inv or one of +new, +est, +rel, +rpl, +snat, +dnat in ct_state (and an IP eth_type)";
    case MFP_ND:
        return "eth_type=0x86dd, ip_proto=58, icmpv6_type=135 or 136 and icmpv6_code=0";
    case MFP_ND_SOLICIT:
        return "eth_type=0x86dd, ip_proto=58, icmpv6_type=135 and icmpv6_code=0";
    case MFP_ND_ADVERT:
        return "eth_type=0x86dd, ip_proto=58, icmpv6_type=136 and icmpv6_code=0";
    }
    return "?";
}

/// What put_match() would build; the problem instead where the library takes a field differently than it is written.
Result<void> try_match(const Match& match, ::match* out) {
    match_init_catchall(out);
    for (const FieldMatch& f : match.fields()) {
        const mf_field* field = field_of(f.field);
        mf_value value, mask;
        store(field, f.value, &value);
        store_mask(f.field, field, f.mask, &mask);
        char* error = nullptr;
        if (!mf_is_mask_valid(field, &mask))
            return fail(ErrorKind::invalid, fmt::format("{} takes no mask", name_of(f.field)));
        if (!mf_is_value_valid(field, &value))
            return fail(ErrorKind::invalid, fmt::format("{}: no such value", name_of(f.field)));
        const std::uint32_t usable = mf_set(field, &value, &mask, out, &error);
        if (const std::string text = take(error); !text.empty()) return fail(ErrorKind::invalid, text);
        if (!(usable & OFPUTIL_P_OF15_OXM))
            return fail(ErrorKind::invalid, fmt::format("{} takes no such mask", name_of(f.field)));
        match_add_ethernet_prereq(out, field); // as the library does when it reads a match back
    }
    return {};
}

/// The library drops a field without its prerequisites silently, which makes the match wider.
bool survives_encoding(const ::match& match) {
    Buffer bytes;
    ofputil_put_ofp11_match(bytes, &match, OFPUTIL_P_OF15_OXM);
    ofpbuf view;
    ofpbuf_use_const(&view, bytes->data, bytes->size);
    ::match back;
    return !ofputil_pull_ofp11_match(&view, nullptr, nullptr, &back, nullptr) && match_equal(&match, &back);
}
} // namespace

const mf_field* field_of(Field field) {
    return mf_from_id(kIds[static_cast<std::size_t>(field)]);
}

std::optional<Field> field_from(const mf_field* field) {
    const std::uint8_t index = kFields[field->id];
    return index == 0xff ? std::nullopt : std::optional(static_cast<Field>(index));
}

void store(const mf_field* field, Bits value, mf_value* out) {
    for (unsigned i = field->n_bytes; i-- > 0; value >>= 8)
        out->b[i] = static_cast<std::uint8_t>(value);
}

void store_mask(Field field, const mf_field* mf, Bits mask, mf_value* out) {
    store(mf, mask == full_mask(field) ? ~Bits{0} : mask, out);
}

Bits load(const mf_field* field, const mf_value* value) {
    Bits bits = 0;
    for (unsigned i = 0; i < field->n_bytes; ++i)
        bits = bits << 8 | value->b[i];
    return bits;
}

void put_match(const Match& match, ::match* out) {
    require(try_match(match, out).has_value(), "a value outside its field: check() tells which");
    for (const FieldMatch& f : match.fields())
        require(mf_are_match_prereqs_ok(field_of(f.field), out), "a prerequisite is missing: check() tells which");
    assert(survives_encoding(*out) && "something is missing that is no prerequisite");
}

bool get_match(const ::match& match, Match* out) {
    for (std::size_t i = 0; i < kFieldCount; ++i) {
        const Field name = static_cast<Field>(i);
        if (is_view(name)) continue;
        const mf_field* field = field_of(name);
        if (mf_is_all_wild(field, &match.wc) || !mf_are_match_prereqs_ok(field, &match)) continue;
        mf_value value, mask;
        mf_get(field, &match, &value, &mask);
        // The library keeps ARP's opcode in eight bits and says so in the mask of the sixteen.
        out->set(name, load(field, &value), name == Field::arp_op ? full_mask(name) : load(field, &mask));
    }
    ::match again;
    if (!try_match(*out, &again)) return false;
    return match_equal(&match, &again);
}

Flow flow_from(const Entry& entry) {
    Flow flow{.table = entry.table, .priority = entry.priority, .cookie = entry.cookie, .match = {}, .actions = {}};
    const bool ours = get_match(*entry.match, &flow.match);
    const bool plain = !entry.idle_timeout && !entry.hard_timeout && !entry.importance && !entry.flags;
    if (get_actions(entry.actions, entry.actions_size, &flow.actions) && ours && plain) return flow;

    std::string text = fmt::format("table={},priority={},cookie=0x{:x}", entry.table, entry.priority, entry.cookie);
    if (entry.idle_timeout) text += fmt::format(",idle_timeout={}", entry.idle_timeout);
    if (entry.hard_timeout) text += fmt::format(",hard_timeout={}", entry.hard_timeout);
    if (entry.importance) text += fmt::format(",importance={}", entry.importance);
    if (entry.flags & OFPUTIL_FF_SEND_FLOW_REM) text += ",send_flow_rem";
    if (entry.flags & OFPUTIL_FF_NO_PKT_COUNTS) text += ",no_packet_counts";
    if (entry.flags & OFPUTIL_FF_NO_BYT_COUNTS) text += ",no_byte_counts";
    if (entry.flags & OFPUTIL_FF_CHECK_OVERLAP) text += ",check_overlap";
    if (entry.flags & OFPUTIL_FF_RESET_COUNTS) text += ",reset_counts";
    if (const std::string match = take(match_to_string(entry.match, nullptr, OFP_DEFAULT_PRIORITY)); !match.empty()) {
        text += "," + match;
    }
    flow.foreign = text + " actions=" + text_of(entry.actions, entry.actions_size);
    flow.actions.clear();
    return flow;
}

} // namespace ovs

namespace {
using ovs::Buffer;

constexpr std::uint8_t kTables = 254; // 254 is Open vSwitch's own, 255 means all

/// A line of ovs-ofctl text as the library parses it; owns what it allocated.
class ParsedFlow {
  public:
    explicit ParsedFlow(const std::string& text) {
        ofputil_protocol usable{};
        error_ = ovs::take(parse_ofp_flow_mod_str(&mod_, text.c_str(), nullptr, nullptr, OFPFC_ADD, &usable));
        owns_ = error_.empty();
        if (owns_ && !(usable & OFPUTIL_P_OF15_OXM)) error_ = "OpenFlow 1.5 has no such flow";
    }
    ~ParsedFlow() {
        if (!owns_) return;
        std::free(mod_.ofpacts);
        minimatch_destroy(&mod_.match);
    }
    ParsedFlow(const ParsedFlow&) = delete;
    ParsedFlow& operator=(const ParsedFlow&) = delete;

    const std::string& error() const { return error_; } ///< empty: parsed
    const ofputil_flow_mod& mod() const { return mod_; }

  private:
    ofputil_flow_mod mod_{};
    std::string error_;
    bool owns_ = false;
};

/// The match of any flow; of a foreign one by its text, which says all of it.
void put_match_of(const Flow& flow, ::match* out) {
    if (!flow.foreign.empty()) {
        if (const ParsedFlow parsed(flow.foreign); parsed.error().empty())
            return minimatch_expand(&parsed.mod().match, out);
    }
    ovs::put_match(flow.match, out);
}

/// A complete FLOW_MOD, into an empty buffer.
void put_flow_mod(ofpbuf* out, Version version, std::uint32_t xid, std::uint8_t command, const Flow& flow) {
    ::match match;
    put_match_of(flow, &match);
    ofpraw_put_xid(OFPRAW_OFPT11_FLOW_MOD, ovs::wire(version), htonl(xid), out);
    auto* head = static_cast<ofp11_flow_mod*>(ofpbuf_put_zeros(out, sizeof(ofp11_flow_mod)));
    head->table_id = flow.table;
    head->command = command;
    head->priority = htons(flow.priority);
    head->buffer_id = htonl(UINT32_MAX);
    head->out_port = ofputil_port_to_ofp11(OFPP_ANY);
    head->out_group = htonl(OFPG_ANY);
    if (command == OFPFC_ADD) head->cookie = htobe64(flow.cookie);
    ofputil_put_ofp11_match(out, &match, ovs::protocol(version));
    if (command == OFPFC_ADD) {
        Buffer actions;
        ovs::put_actions(flow.actions, actions);
        ofpacts_put_openflow_instructions(actions.actions(), actions.size(), out, ovs::wire(version));
    }
}

/// The library's word on a list of actions behind a match, as the switch itself would give it.
ofperr verdict(std::uint8_t table, const ::match& match, std::span<const Action> actions) {
    Buffer bytes;
    ovs::put_actions(Actions(actions.begin(), actions.end()), bytes);
    ::match scratch = match; // the check walks the actions' effects on it
    ofpact_check_params params{};
    params.match = &scratch;
    params.max_ports = OFPP_MAX;
    params.table_id = table;
    params.n_tables = kTables;
    return ofpacts_check_consistency(bytes.actions(), bytes.size(), OFPUTIL_P_OF15_OXM, &params);
}

Result<void> check_actions(std::uint8_t table, const ::match& match, std::span<const Action> actions) {
    if (const std::string problem = problem_of(actions); !problem.empty()) return fail(ErrorKind::invalid, problem);
    if (!verdict(table, match, actions)) return {};
    for (std::size_t count = 1;; ++count) { // the shortest wrong beginning of the list ends in the culprit
        if (const ofperr error = verdict(table, match, actions.first(count))) {
            const Actions culprit{actions[count - 1]};
            return fail(ErrorKind::invalid, fmt::format("{}: {}", to_string(culprit), ofperr_to_string(error)));
        }
    }
}

Flow flow_from(const ofputil_flow_mod& mod) {
    ::match match;
    minimatch_expand(&mod.match, &match);
    return ovs::flow_from({.match = &match,
                           .actions = mod.ofpacts,
                           .actions_size = mod.ofpacts_len,
                           .table = mod.table_id,
                           .priority = static_cast<std::uint16_t>(mod.priority),
                           .cookie = be64toh(mod.new_cookie),
                           .idle_timeout = mod.idle_timeout,
                           .hard_timeout = mod.hard_timeout,
                           .importance = mod.importance,
                           .flags = mod.flags});
}

constexpr std::size_t kLargest = 65'519; // a message, less the 16 bytes of a bundle's wrapper (T2)

} // namespace

Result<void> check(const Flow& flow) {
    if (flow.table >= kTables)
        return fail(ErrorKind::invalid, fmt::format("table {} is not for controllers", flow.table));
    if (flow.cookie == UINT64_MAX) return fail(ErrorKind::invalid, "the cookie of all ones is reserved");
    ::match match;
    if (const auto put = ovs::try_match(flow.match, &match); !put) return put;
    for (const FieldMatch& f : flow.match.fields()) {
        const mf_field* field = ovs::field_of(f.field);
        if (mf_are_match_prereqs_ok(field, &match)) continue;
        return fail(ErrorKind::invalid,
                    fmt::format("{} needs {}", name_of(f.field), ovs::prerequisite(field->prereqs)));
    }
    if (!ovs::survives_encoding(match)) return fail(ErrorKind::invalid, "OpenFlow has no encoding for the match");
    if (const auto fine = check_actions(flow.table, match, flow.actions); !fine) return fine;
    Buffer bytes;
    put_flow_mod(bytes, Version::v15, 0, OFPFC_ADD, flow);
    if (bytes.size() > kLargest) return fail(ErrorKind::invalid, "larger than an OpenFlow message can be");
    return {};
}

Bytes encode(const Flow& flow) {
    Bytes out;
    encode_flow_mod(out, {}, Command::add, flow);
    return out;
}

Result<Flow> decode_flow(std::span<const std::byte> bytes) {
    Buffer frame;
    ofpbuf_put(frame, bytes.data(), bytes.size());
    const auto* header = static_cast<const ofp_header*>(frame->data);
    ofptype type{};
    if (bytes.size() < sizeof *header || ntohs(header->length) != bytes.size() || ofptype_decode(&type, header) ||
        type != OFPTYPE_FLOW_MOD || (header->version != OFP14_VERSION && header->version != OFP15_VERSION)) {
        return fail(ErrorKind::protocol, "not a FLOW_MOD");
    }
    ofputil_flow_mod mod{};
    Buffer actions;
    if (const ofperr error =
            ofputil_decode_flow_mod(&mod, header, ofputil_protocol_from_ofp_version(ofp_version(header->version)),
                                    nullptr, nullptr, actions, OFPP_MAX, 255)) {
        return fail(ErrorKind::protocol, ofperr_to_string(error));
    }
    Flow flow = flow_from(mod);
    minimatch_destroy(&mod.match);
    return flow;
}

void encode_flow_mod(Bytes& out, const Envelope& to, Command command, const Flow& flow) {
    assert((command == Command::remove || flow.foreign.empty()) && "a foreign flow can only be removed");
    Buffer message;
    put_flow_mod(message, to.version, to.xid, command == Command::remove ? OFPFC_DELETE_STRICT : OFPFC_ADD, flow);
    ovs::append(out, to, message);
}

void encode_flows_clear(Bytes& out, const Envelope& to) {
    Buffer message;
    put_flow_mod(message, to.version, to.xid, OFPFC_DELETE, {.table = OFPTT_ALL, .match = {}, .actions = {}});
    ovs::append(out, to, message);
}

FlowDigest digest(const Flow& flow) {
    ::match match;
    put_match_of(flow, &match);
    Buffer key;
    const std::uint8_t place[8] = {flow.table, static_cast<std::uint8_t>(flow.priority >> 8),
                                   static_cast<std::uint8_t>(flow.priority)};
    ofpbuf_put(key, place, sizeof place);
    ofputil_put_ofp11_match(key, &match, OFPUTIL_P_OF15_OXM);

    Buffer body;
    ofpbuf_put(body, &flow.cookie, sizeof flow.cookie);
    Buffer actions;
    ovs::put_actions(flow.actions, actions);
    ofpacts_put_openflow_instructions(actions.actions(), actions.size(), body, OFP15_VERSION);
    ofpbuf_put(body, flow.foreign.data(), flow.foreign.size());

    const XXH128_hash_t hash = XXH3_128bits(key->data, key->size);
    return {.key = {.high = hash.high64, .low = hash.low64}, .body = XXH3_64bits(body->data, body->size)};
}

void initialize_codec() {
    ovs_set_program_name("weft", "1");
    vlog_set_levels(nullptr, VLF_ANY_DESTINATION, VLL_OFF);
    for (std::size_t i = 0; i < kFieldCount; ++i) {
        const Field field = static_cast<Field>(i);
        [[maybe_unused]] const mf_field* theirs = ovs::field_of(field);
        assert(theirs->n_bits == width_of(field));
        assert(field == Field::in_port || mf_from_name(std::string(name_of(field)).c_str()) == theirs);
    }
    for (const char* text :
         {"tcp,tcp_dst=1 actions=ct(commit,zone=1,exec(set_field:1->ct_mark)),resubmit(,1)", "in_port=bad"}) {
        const auto flow = parse_flow(text);
        if (flow) [[maybe_unused]]
            const auto warm = digest(*flow);
    }
}

Result<Flow> parse_flow(std::string_view text) {
    const ParsedFlow parsed{std::string(text)};
    if (!parsed.error().empty()) return fail(ErrorKind::invalid, parsed.error());
    const ofputil_flow_mod& mod = parsed.mod();
    if (mod.table_id == 0xff && text.find("table=") < text.find("actions")) {
        return fail(ErrorKind::invalid, "table 255 is not a table"); // it would be encoded as table 0
    }
    // Through the wire format: the many old spellings of text (mod_dl_dst, load, strip_vlan) become the one of
    // OpenFlow 1.5.
    const ovs::OwnedBuffer message(ofputil_encode_flow_mod(&mod, OFPUTIL_P_OF15_OXM));
    if (message->size > kLargest) return fail(ErrorKind::invalid, "larger than an OpenFlow message can be");
    ofpmsg_update_length(message.get());
    auto flow = decode_flow({static_cast<const std::byte*>(message->data), message->size});
    if (flow && !flow->foreign.empty()) return fail(ErrorKind::invalid, "weft has no value for " + flow->foreign);
    return flow;
}

std::string to_string(const Match& match) {
    ::match built;
    if (const auto put = ovs::try_match(match, &built); !put) return put.error().text;
    return ovs::take(match_to_string(&built, nullptr, OFP_DEFAULT_PRIORITY));
}

std::string to_string(const Flow& flow) {
    if (!flow.foreign.empty()) return flow.foreign;
    const std::string match = to_string(flow.match);
    return fmt::format("table={},priority={},cookie=0x{:x}{}{} actions={}", flow.table, flow.priority, flow.cookie,
                       match.empty() ? "" : ",", match, to_string(flow.actions));
}

} // namespace weft::openflow
