// Messages: requests to bytes, frames to Message.
//
// Decoding goes by two rules. ofptype_decode() comes before any decoder of a type: those abort on what it would have
// refused. And frames are copied to an aligned place first: in a byte stream they stand anywhere.
#include "openflow/libopenvswitch.hpp"

#include <cstdio>
#include <fmt/format.h>

namespace weft::openflow {

namespace ovs {

void append(Bytes& out, const Envelope& to, ofpbuf* message) {
    constexpr std::size_t kWrapper = sizeof(ofp_header) + sizeof(ofp14_bundle_ctrl_msg);
    require(message->size + (to.bundle ? kWrapper : 0) <= UINT16_MAX, "larger than an OpenFlow message can be");
    ofpmsg_update_length(message);
    static_cast<ofp_header*>(message->data)->xid = htonl(to.xid);
    if (to.bundle) {
        const ofp_header head{static_cast<std::uint8_t>(to.version), 34 /* OFPT_BUNDLE_ADD_MESSAGE, 7.3.9.6 */,
                              htons(static_cast<std::uint16_t>(message->size + kWrapper)), htonl(to.xid)};
        const ofp14_bundle_ctrl_msg bundle{htonl(*to.bundle), 0, htons(OFPBF_ATOMIC | OFPBF_ORDERED)};
        const auto* first = reinterpret_cast<const std::byte*>(&head);
        const auto* second = reinterpret_cast<const std::byte*>(&bundle);
        out.insert(out.end(), first, first + sizeof head);
        out.insert(out.end(), second, second + sizeof bundle);
    }
    const auto* data = static_cast<const std::byte*>(message->data);
    out.insert(out.end(), data, data + message->size);
}

} // namespace ovs

namespace {

using ovs::Buffer;
using ovs::OwnedBuffer;

void append(Bytes& out, Version version, std::uint32_t xid, ofpbuf* message) {
    ovs::append(out, {.version = version, .xid = xid, .bundle = {}}, message);
}

void append_raw(Bytes& out, Version version, std::uint32_t xid, ofpraw raw, std::span<const std::byte> data = {}) {
    Buffer message;
    ofpraw_put_xid(raw, ovs::wire(version), htonl(xid), message);
    ofpbuf_put(message, data.data(), data.size());
    append(out, version, xid, message);
}

Error malformed(int error) {
    // The multipart decoders answer with an ofperr, or with an errno where nobody else could be told.
    const std::string why =
        ofperr_is_valid(static_cast<ofperr>(error)) ? ofperr_to_string(static_cast<ofperr>(error)) : "bad length";
    return {ErrorKind::protocol, "malformed OpenFlow message: " + why};
}

/// A counter that the switch does not keep is all ones.
std::uint64_t known(std::uint64_t counter) {
    return counter == UINT64_MAX ? 0 : counter;
}

/// Every entry of a multipart reply: `next` returns 0 and has appended one, EOF at the end, else an error.
template <class Entry, class Next>
Result<std::vector<Entry>> entries(const ofp_header* header, Next next) {
    std::vector<Entry> all;
    ofpbuf message;
    ofpbuf_use_const(&message, header, ntohs(header->length));
    Buffer scratch;
    for (;;) {
        if (const int error = next(&message, static_cast<ofpbuf*>(scratch), all)) {
            if (error == EOF) return all;
            return std::unexpected(malformed(error));
        }
    }
}

int next_flow(ofpbuf* message, ofpbuf* actions, std::vector<FlowStats>& all) {
    ofputil_flow_stats stats;
    if (const int error = ofputil_decode_flow_stats_reply(&stats, message, true, actions)) return error;
    all.push_back({.flow = ovs::flow_from({.match = &stats.match,
                                           .actions = stats.ofpacts,
                                           .actions_size = stats.ofpacts_len,
                                           .table = stats.table_id,
                                           .priority = stats.priority,
                                           .cookie = be64toh(stats.cookie),
                                           .idle_timeout = stats.idle_timeout,
                                           .hard_timeout = stats.hard_timeout,
                                           .importance = stats.importance,
                                           .flags = stats.flags}),
                   .packets = known(stats.packet_count),
                   .bytes = known(stats.byte_count),
                   .duration = stats.duration_sec});
    return 0;
}

int next_group(ofpbuf* message, ofpbuf*, std::vector<GroupEntry>& all) {
    const auto version = static_cast<ofp_version>(
        static_cast<const ofp_header*>(message->header ? message->header : message->data)->version);
    ofputil_group_desc desc{};
    if (const int error = ofputil_decode_group_desc_reply(&desc, message, version)) return error;
    all.push_back(ovs::group_from(desc));
    ofputil_uninit_group_desc(&desc);
    return 0;
}

int next_group_stats(ofpbuf* message, ofpbuf*, std::vector<GroupStats>& all) {
    ofputil_group_stats stats{};
    const int error = ofputil_decode_group_stats_reply(message, &stats);
    if (!error) {
        GroupStats& group =
            all.emplace_back(GroupStats{stats.group_id, known(stats.packet_count), known(stats.byte_count), {}});
        for (const bucket_counter& bucket : std::span(stats.bucket_stats, stats.n_buckets)) {
            group.buckets.push_back({known(bucket.packet_count), known(bucket.byte_count)});
        }
    }
    std::free(stats.bucket_stats);
    return error;
}

int next_meter(ofpbuf* message, ofpbuf* bands, std::vector<MeterEntry>& all) {
    ofputil_meter_config config{};
    if (const int error = ofputil_decode_meter_config(message, &config, bands)) return error;
    all.push_back(ovs::meter_from(config));
    return 0;
}

int next_meter_stats(ofpbuf* message, ofpbuf* bands, std::vector<MeterStats>& all) {
    ofputil_meter_stats stats{};
    if (const int error = ofputil_decode_meter_stats(message, &stats, bands)) return error;
    MeterStats& meter = all.emplace_back(MeterStats{.id = stats.meter_id,
                                                    .flows = stats.flow_count,
                                                    .packets = known(stats.packet_in_count),
                                                    .bytes = known(stats.byte_in_count)});
    if (stats.n_bands > 0) {
        meter.dropped_packets = known(stats.bands[0].packet_count);
        meter.dropped_bytes = known(stats.bands[0].byte_count);
    }
    return 0;
}

Port port_from(const ofputil_phy_port& port) {
    Port result{.number = ovs::port_to(port.port_no),
                .name = std::string(port.name, strnlen(port.name, sizeof port.name)),
                .mac = {}};
    std::memcpy(result.mac.bytes.data(), &port.hw_addr, 6);
    result.enabled = !(ovs::raw(port.config) & OFPUTIL_PC_PORT_DOWN);
    result.link_up = !(ovs::raw(port.state) & OFPUTIL_PS_LINK_DOWN);
    return result;
}

int next_port(ofpbuf* message, ofpbuf*, std::vector<Port>& all) {
    if (!message->header) ofpraw_pull_assert(message);
    const auto version = static_cast<ofp_version>(static_cast<const ofp_header*>(message->header)->version);
    ofputil_phy_port port;
    if (const int error = ofputil_pull_phy_port(version, message, &port)) return error;
    all.push_back(port_from(port));
    return 0;
}

int next_update(ofpbuf* message, ofpbuf* actions, std::vector<FlowUpdate>& all) {
    ofputil_flow_update update{};
    if (const int error = ofputil_decode_flow_update(&update, message, actions)) return error;
    FlowUpdate& result = all.emplace_back();
    switch (ovs::raw(update.event)) {
    case OFPFME_INITIAL:
        result.event = FlowUpdate::Event::initial;
        break;
    case OFPFME_ADDED:
        result.event = FlowUpdate::Event::added;
        break;
    case OFPFME_REMOVED:
        result.event = FlowUpdate::Event::removed;
        break;
    case OFPFME_MODIFIED:
        result.event = FlowUpdate::Event::modified;
        break;
    case OFPFME_ABBREV:
        result.event = FlowUpdate::Event::abbreviated;
        result.xid = ntohl(update.xid);
        return 0;
    case OFPFME_PAUSED:
        result.event = FlowUpdate::Event::paused;
        return 0;
    case OFPFME_RESUMED:
        result.event = FlowUpdate::Event::resumed;
        return 0;
    default:
        return OFPERR_NXBRC_FM_BAD_EVENT;
    }
    result.table = update.table_id;
    result.priority = update.priority;
    result.cookie = be64toh(update.cookie);
    ovs::get_match(update.match, &result.match);
    return 0;
}

Result<PacketIn> packet_in_from(const ofp_header* header) {
    ofputil_packet_in from;
    if (const ofperr error =
            ofputil_decode_packet_in(header, true, nullptr, nullptr, &from, nullptr, nullptr, nullptr)) {
        return std::unexpected(malformed(error));
    }
    PacketIn result;
    const auto* packet = static_cast<const std::byte*>(from.packet);
    result.packet.assign(packet, packet + from.packet_len);
    result.in_port = ovs::port_to(from.flow_metadata.flow.in_port.ofp_port);
    result.cookie = be64toh(from.cookie);
    result.table = from.table_id;
    result.userdata.assign(reinterpret_cast<const char*>(from.userdata), from.userdata_len);
    ovs::get_match(from.flow_metadata, &result.metadata);
    return result;
}

Result<Features> features_from(const ofp_header* header) {
    ofpbuf message;
    ofpbuf_use_const(&message, header, ntohs(header->length));
    ofputil_switch_features features;
    if (const ofperr error = ofputil_pull_switch_features(&message, &features))
        return std::unexpected(malformed(error));
    return Features{features.datapath_id, features.n_tables,
                    (ovs::raw(features.capabilities) & OFPUTIL_C_BUNDLES) != 0};
}

std::span<const std::byte> body_of(const ofp_header* header) {
    return {reinterpret_cast<const std::byte*>(header + 1), ntohs(header->length) - sizeof *header};
}

template <class T>
Result<Message> whole(const ofp_header* header, Result<T> body) {
    if (!body) return std::unexpected(body.error());
    return Message{ntohl(header->xid), ofpmsg_is_stat_reply(header) && ofpmp_more(header), std::move(*body)};
}

Result<AggregateStats> aggregate_from(const ofp_header* header) {
    ofputil_aggregate_stats stats;
    if (const ofperr error = ofputil_decode_aggregate_stats_reply(&stats, header))
        return std::unexpected(malformed(error));
    return AggregateStats{known(stats.packet_count), known(stats.byte_count), stats.flow_count};
}

void request_stats(Bytes& out, Version version, std::uint32_t xid, const FlowFilter& filter, bool aggregate) {
    ofputil_flow_stats_request request{};
    request.aggregate = aggregate;
    match_init_catchall(&request.match);
    request.cookie = htobe64(filter.cookie);
    request.cookie_mask = htobe64(filter.cookie_mask);
    request.out_port = OFPP_ANY;
    request.out_group = OFPG_ANY;
    request.table_id = filter.table.value_or(OFPTT_ALL);
    const OwnedBuffer message(ofputil_encode_flow_stats_request(&request, ovs::protocol(version)));
    append(out, version, xid, message.get());
}

Result<Message> decode_aligned(const ofp_header* header) {
    ofptype type{};
    if (const ofperr error = ofptype_decode(&type, header)) return std::unexpected(malformed(error));
    const auto as = [header](auto body) { return whole(header, Result<decltype(body)>(std::move(body))); };
    switch (type) {
    case OFPTYPE_HELLO: {
        Hello hello;
        ofputil_decode_hello(header, &hello.versions);
        return as(hello);
    }
    case OFPTYPE_ERROR: {
        ofpbuf payload;
        const ofperr error = ofperr_decode_msg(header, &payload);
        if (!error) return as(SwitchError{"an error unknown to this version of Open vSwitch"});
        ofpbuf_uninit(&payload);
        return as(SwitchError{ofperr_to_string(error)});
    }
    case OFPTYPE_ECHO_REQUEST:
        return as(EchoRequest{Bytes(body_of(header).begin(), body_of(header).end())});
    case OFPTYPE_ECHO_REPLY:
        return as(EchoReply{Bytes(body_of(header).begin(), body_of(header).end())});
    case OFPTYPE_BARRIER_REPLY:
        return as(BarrierReply{});
    case OFPTYPE_FEATURES_REPLY:
        return whole(header, features_from(header));
    case OFPTYPE_BUNDLE_CONTROL: {
        ofputil_bundle_ctrl_msg control;
        if (const ofperr error = ofputil_decode_bundle_ctrl(header, &control)) return std::unexpected(malformed(error));
        return as(BundleReply{control.bundle_id, static_cast<BundleStep>(control.type)});
    }
    case OFPTYPE_FLOW_STATS_REPLY:
        return whole(header, entries<FlowStats>(header, next_flow));
    case OFPTYPE_AGGREGATE_STATS_REPLY:
        return whole(header, aggregate_from(header));
    case OFPTYPE_GROUP_DESC_STATS_REPLY:
        return whole(header, entries<GroupEntry>(header, next_group));
    case OFPTYPE_GROUP_STATS_REPLY:
        return whole(header, entries<GroupStats>(header, next_group_stats));
    case OFPTYPE_METER_CONFIG_STATS_REPLY:
        return whole(header, entries<MeterEntry>(header, next_meter));
    case OFPTYPE_METER_STATS_REPLY:
        return whole(header, entries<MeterStats>(header, next_meter_stats));
    case OFPTYPE_PORT_DESC_STATS_REPLY:
        return whole(header, entries<Port>(header, next_port));
    case OFPTYPE_FLOW_MONITOR_STATS_REPLY:
        return whole(header, entries<FlowUpdate>(header, next_update));
    case OFPTYPE_PORT_STATUS: {
        ofputil_port_status status;
        if (const ofperr error = ofputil_decode_port_status(header, &status)) return std::unexpected(malformed(error));
        return as(PortStatus{static_cast<PortStatus::Reason>(ovs::raw(status.reason)), port_from(status.desc)});
    }
    case OFPTYPE_PACKET_IN:
        return whole(header, packet_in_from(header));
    case OFPTYPE_REQUESTFORWARD: { // the body is the forwarded message, of which the type is enough
        const auto inner = static_cast<std::uint8_t>(body_of(header)[1]);
        return as(ForeignRequest{inner == 15   ? "group_mod"
                                 : inner == 29 ? "meter_mod"
                                               : fmt::format("message {}", inner)});
    }
    default:
        return as(OtherMessage{ofptype_get_name(type)});
    }
}

} // namespace

Result<Message> decode(std::span<const std::byte> frame) {
    alignas(8) thread_local std::byte aligned[UINT16_MAX + 1];
    const auto* header = reinterpret_cast<const ofp_header*>(aligned);
    if (frame.size() < sizeof *header || frame.size() > UINT16_MAX)
        return std::unexpected(malformed(OFPERR_OFPBRC_BAD_LEN));
    std::memcpy(aligned, frame.data(), frame.size());
    if (ntohs(header->length) != frame.size()) return std::unexpected(malformed(OFPERR_OFPBRC_BAD_LEN));
    const bool ours = header->version == OFP14_VERSION || header->version == OFP15_VERSION;
    const bool any_version = header->type == 0 || header->type == 1; // HELLO and ERROR precede the choice of one
    if (!ours && !any_version) return std::unexpected(malformed(OFPERR_OFPBRC_BAD_VERSION));
    return decode_aligned(header);
}

void encode_hello(Bytes& out, std::uint32_t xid) {
    const OwnedBuffer message(ofputil_encode_hello(1U << OFP14_VERSION | 1U << OFP15_VERSION));
    append(out, Version::v15, xid, message.get());
}

void encode_hello_failed(Bytes& out, Version version, std::uint32_t xid, std::string_view text) {
    const OwnedBuffer message(
        ofperr_encode_hello(OFPERR_OFPHFC_INCOMPATIBLE, ovs::wire(version), std::string(text).c_str()));
    append(out, version, xid, message.get());
}

void encode_echo_request(Bytes& out, Version version, std::uint32_t xid) {
    append_raw(out, version, xid, OFPRAW_OFPT_ECHO_REQUEST);
}

void encode_echo_reply(Bytes& out, Version version, std::uint32_t xid, std::span<const std::byte> data) {
    append_raw(out, version, xid, OFPRAW_OFPT_ECHO_REPLY, data);
}

void encode_features_request(Bytes& out, Version version, std::uint32_t xid) {
    append_raw(out, version, xid, OFPRAW_OFPT_FEATURES_REQUEST);
}

void encode_set_config(Bytes& out, Version version, std::uint32_t xid) {
    const ofputil_switch_config config{
        .frag = OFPUTIL_FRAG_NX_MATCH, .invalid_ttl_to_controller = -1, .miss_send_len = UINT16_MAX};
    const OwnedBuffer message(ofputil_encode_set_config(&config, ovs::wire(version)));
    append(out, version, xid, message.get());
}

void encode_packet_in_format(Bytes& out, Version version, std::uint32_t xid) {
    const OwnedBuffer message(ofputil_encode_set_packet_in_format(ovs::wire(version), OFPUTIL_PACKET_IN_NXT2));
    append(out, version, xid, message.get());
}

void encode_set_async(Bytes& out, Version version, std::uint32_t xid) {
    ofputil_async_cfg config = ofputil_async_cfg_default(ovs::wire(version));
    config.primary[OAM_REQUESTFORWARD] = 1U << OFPRFR_GROUP_MOD | 1U << OFPRFR_METER_MOD;
    const OwnedBuffer message(ofputil_encode_set_async_config(&config, (1U << OAM_N_TYPES) - 1, ovs::wire(version)));
    append(out, version, xid, message.get());
}

void encode_barrier_request(Bytes& out, Version version, std::uint32_t xid) {
    append_raw(out, version, xid, OFPRAW_OFPT11_BARRIER_REQUEST);
}

void encode_bundle_control(Bytes& out, Version version, std::uint32_t xid, std::uint32_t bundle, BundleStep step) {
    ofputil_bundle_ctrl_msg control{bundle, static_cast<std::uint16_t>(step), OFPBF_ATOMIC | OFPBF_ORDERED};
    const OwnedBuffer message(ofputil_encode_bundle_ctrl_request(ovs::wire(version), &control));
    append(out, version, xid, message.get());
}

void encode_packet_out(Bytes& out, Version version, std::uint32_t xid, const PacketOut& packet) {
    Buffer actions;
    ovs::put_actions(packet.actions, actions);
    ofputil_packet_out from{};
    from.packet = packet.packet.data();
    from.packet_len = packet.packet.size();
    from.buffer_id = UINT32_MAX;
    match_init_catchall(&from.flow_metadata);
    match_set_in_port(&from.flow_metadata, ovs::port_from(packet.in_port));
    from.ofpacts = actions.actions();
    from.ofpacts_len = actions.size();
    const OwnedBuffer message(ofputil_encode_packet_out(&from, ovs::protocol(version)));
    append(out, version, xid, message.get());
}

void encode_flow_monitor_request(Bytes& out, Version version, std::uint32_t xid, std::uint32_t monitor) {
    ofputil_flow_monitor_request request{};
    request.id = monitor;
    request.command = OFPFMC_ADD;
    request.flags = static_cast<ofp14_flow_monitor_flags>(OFPFMF_ADD | OFPFMF_REMOVED | OFPFMF_MODIFY);
    request.out_port = OFPP_ANY;
    request.out_group = OFPG_ANY;
    request.table_id = OFPTT_ALL;
    match_init_catchall(&request.match);
    const OwnedBuffer message(ofpbuf_new(0));
    ofputil_append_flow_monitor_request(&request, message.get(), ovs::protocol(version)); // one a message (T9)
    append(out, version, xid, message.get());
}

void encode_flow_stats_request(Bytes& out, Version version, std::uint32_t xid, const FlowFilter& filter) {
    request_stats(out, version, xid, filter, false);
}

void encode_aggregate_request(Bytes& out, Version version, std::uint32_t xid, const FlowFilter& filter) {
    request_stats(out, version, xid, filter, true);
}

void encode_request(Bytes& out, Version version, std::uint32_t xid, Table table) {
    const auto message = [version = ovs::wire(version), table]() -> OwnedBuffer {
        switch (table) {
        case Table::group_desc:
            return OwnedBuffer(ofputil_encode_group_desc_request(version, OFPG_ALL));
        case Table::group_stats:
            return OwnedBuffer(ofputil_encode_group_stats_request(version, OFPG_ALL));
        case Table::meter_config:
            return OwnedBuffer(ofputil_encode_meter_request(version, OFPUTIL_METER_CONFIG, OFPM13_ALL));
        case Table::meter_stats:
            return OwnedBuffer(ofputil_encode_meter_request(version, OFPUTIL_METER_STATS, OFPM13_ALL));
        case Table::ports:
            return OwnedBuffer(ofputil_encode_port_desc_stats_request(version, OFPP_ANY));
        }
        std::abort();
    }();
    append(out, version, xid, message.get());
}

} // namespace weft::openflow
