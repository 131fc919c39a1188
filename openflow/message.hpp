// What travels between weft and a switch, as values: decode() makes one Message of each frame, and the encode functions
// append whole messages to an output buffer. OpenFlow 1.5 (or 1.4, section numbers below are of 1.5.1) with Open
// vSwitch's extensions (ovs-actions(7), nicira-ext.h). Fed by openflow/connection, feeds openflow/session; no I/O here.
//
// Bytes come from peers: decode() answers an Error (protocol) for whatever is not allowed, and never aborts.
// Values come from weft: encoding asserts that they are well-formed; check() tells beforehand why one is not.
#pragma once
#include "openflow/codec.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace weft::openflow {

/// HELLO (7.5.1): bit n stands for wire version n. Without a version bitmap: every version up to the header's.
struct Hello {
    std::uint32_t versions = 0;
};
struct EchoRequest {
    Bytes data;
};
struct EchoReply {
    Bytes data;
};
struct BarrierReply {};

/// ERROR (7.5.4). The header's xid is that of the refused message.
struct SwitchError {
    std::string reason; ///< Open vSwitch's name for it: "OFPBAC_BAD_OUT_GROUP"
    bool operator==(const SwitchError&) const = default;
};

/// FEATURES_REPLY (7.3.1).
struct Features {
    std::uint64_t datapath_id = 0;
    std::uint8_t tables = 0;
    bool bundles = false;
    bool operator==(const Features&) const = default;
};

enum class BundleStep : std::uint16_t { open = 0, opened, close, closed, commit, committed, discard, discarded };
/// BUNDLE_CONTROL (7.3.9.2) as reply.
struct BundleReply {
    std::uint32_t bundle = 0;
    BundleStep step = BundleStep::opened;
    bool operator==(const BundleReply&) const = default;
};

/// One flow of a dump. A flow that weft's values cannot say has Flow::foreign set.
struct FlowStats {
    Flow flow;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint32_t duration = 0; ///< seconds since it was installed
    bool operator==(const FlowStats&) const = default;
};
struct GroupStats {
    std::uint32_t id = 0;
    std::uint64_t packets = 0, bytes = 0;
    struct Bucket {
        std::uint64_t packets = 0, bytes = 0;
        bool operator==(const Bucket&) const = default;
    };
    std::vector<Bucket> buckets;
    bool operator==(const GroupStats&) const = default;
};
struct MeterStats {
    std::uint32_t id = 0;
    std::uint32_t flows = 0;
    std::uint64_t packets = 0, bytes = 0;                 ///< seen by the meter
    std::uint64_t dropped_packets = 0, dropped_bytes = 0; ///< of these, by its band
    bool operator==(const MeterStats&) const = default;
};

/// The sums over flows that a filter names.
struct AggregateStats {
    std::uint64_t packets = 0, bytes = 0;
    std::uint32_t flows = 0;
    bool operator==(const AggregateStats&) const = default;
};

struct Port {
    std::uint32_t number = 0;
    std::string name; ///< as OpenFlow carries it: up to 15 bytes
    Mac mac;
    bool enabled = true; ///< not administratively down
    bool link_up = false;
    bool operator==(const Port&) const = default;
};
struct PortStatus {
    enum class Reason : std::uint8_t { added = 0, removed = 1, modified = 2 };
    Reason reason = Reason::modified;
    Port port;
    bool operator==(const PortStatus&) const = default;
};

/// NXT_PACKET_IN2.
struct PacketIn {
    Bytes packet; ///< the Ethernet frame
    std::uint32_t in_port = 0;
    std::uint64_t cookie = 0; ///< of the flow that sent it; all ones: unknown
    std::uint8_t table = 0;
    std::string userdata; ///< raw bytes of the controller action
    Match metadata;       ///< registers, metadata, tunnel fields at that moment
    bool operator==(const PacketIn&) const = default;
};
struct PacketOut {
    Bytes packet;
    std::uint32_t in_port = ofport::kController;
    Actions actions;
    bool operator==(const PacketOut&) const = default;
};

/// One event of a flow monitor (7.4.9).
struct FlowUpdate {
    enum class Event : std::uint8_t {
        initial,
        added,
        removed,
        modified,
        abbreviated, ///< a change of this connection's own; no flow, the header of the change is `xid`
        paused,
        resumed ///< the switch held events back; afterwards own changes may come in full
    };
    Event event = Event::added;
    std::uint32_t xid = 0;
    std::uint8_t table = 0;
    std::uint16_t priority = 0;
    std::uint64_t cookie = 0;
    Match match;
    bool operator==(const FlowUpdate&) const = default;
};
/// REQUESTFORWARD (7.4.7): another controller changed a group or a meter.
struct ForeignRequest {
    std::string text; ///< "group_mod", "meter_mod"
    bool operator==(const ForeignRequest&) const = default;
};
/// A well-formed message that weft has no use for.
struct OtherMessage {
    std::string name;
    bool operator==(const OtherMessage&) const = default;
};

struct Message {
    std::uint32_t xid = 0;
    bool more = false; ///< a multipart reply that is continued
    std::variant<Hello, EchoRequest, EchoReply, BarrierReply, SwitchError, Features, BundleReply,
                 std::vector<FlowStats>, std::vector<GroupEntry>, std::vector<GroupStats>, std::vector<MeterEntry>,
                 std::vector<MeterStats>, std::vector<Port>, PortStatus, PacketIn, std::vector<FlowUpdate>,
                 ForeignRequest, AggregateStats, OtherMessage>
        body;
};

/// One whole frame (the length in its header is its size). Any alignment.
Result<Message> decode(std::span<const std::byte> frame);

// --- encoding: each appends one message to `out`

/// Where a flow or group message goes: alone, or wrapped into a bundle (atomic and ordered).
struct Envelope {
    Version version = Version::v15;
    std::uint32_t xid = 0;
    std::optional<std::uint32_t> bundle;
};

/// OpenFlow's word for what a FLOW_MOD, GROUP_MOD or METER_MOD does.
enum class Command { add, modify, remove };

/// FLOW_MOD: add replaces a flow of the same key, remove is strict by key. `modify` is the same as add.
void encode_flow_mod(Bytes& out, const Envelope& to, Command command, const Flow& flow);
/// Every flow of every table.
void encode_flows_clear(Bytes& out, const Envelope& to);
/// GROUP_MOD: add and modify both put the group as given, whether it existed or not. remove asks for the id only.
void encode_group_mod(Bytes& out, const Envelope& to, Command command, const GroupEntry& group);
/// METER_MOD; cannot go into a bundle. remove asks for the id only.
void encode_meter_mod(Bytes& out, Version version, std::uint32_t xid, Command command, const MeterEntry& meter);

void encode_hello(Bytes& out, std::uint32_t xid); ///< offers 1.4 and 1.5
void encode_hello_failed(Bytes& out, Version version, std::uint32_t xid, std::string_view text);
void encode_echo_request(Bytes& out, Version version, std::uint32_t xid);
void encode_echo_reply(Bytes& out, Version version, std::uint32_t xid, std::span<const std::byte> data);
void encode_features_request(Bytes& out, Version version, std::uint32_t xid);
/// Fragments nx-match (later fragments match ip_frag, not ports), whole packets to the controller.
void encode_set_config(Bytes& out, Version version, std::uint32_t xid);
void encode_packet_in_format(Bytes& out, Version version, std::uint32_t xid); ///< NXT_PACKET_IN2
/// The defaults and REQUESTFORWARD for groups and meters.
void encode_set_async(Bytes& out, Version version, std::uint32_t xid);
void encode_barrier_request(Bytes& out, Version version, std::uint32_t xid);
void encode_bundle_control(Bytes& out, Version version, std::uint32_t xid, std::uint32_t bundle, BundleStep step);
void encode_packet_out(Bytes& out, Version version, std::uint32_t xid, const PacketOut& packet);
/// Every change of any flow; own ones abbreviated. Nothing of what is there already.
void encode_flow_monitor_request(Bytes& out, Version version, std::uint32_t xid, std::uint32_t monitor);

/// Which flows a dump asks for. The defaults: all.
struct FlowFilter {
    std::optional<std::uint8_t> table;
    std::uint64_t cookie = 0;
    std::uint64_t cookie_mask = 0;
};
void encode_flow_stats_request(Bytes& out, Version version, std::uint32_t xid, const FlowFilter& filter);
/// Their sums instead: one short message, however many they are.
void encode_aggregate_request(Bytes& out, Version version, std::uint32_t xid, const FlowFilter& filter);
/// Multipart requests without parameters: all groups, meters, ports.
enum class Table { group_desc, group_stats, meter_config, meter_stats, ports };
void encode_request(Bytes& out, Version version, std::uint32_t xid, Table table);

} // namespace weft::openflow
