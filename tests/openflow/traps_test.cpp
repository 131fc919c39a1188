// The traps of libopenvswitch that concern encoding, by the numbers under which the notes on it name them. T3 is in
// robustness_test, T4, T6, T9, T13 and T20 are in switch_test (refusals, replaced cookies, the flow monitor).
#include "openflow/message.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>

namespace weft::openflow {
namespace {

using testing::HasSubstr;

std::size_t length_field(const Bytes& message, std::size_t at = 0) {
    return std::to_integer<std::size_t>(message[at + 2]) << 8 | std::to_integer<std::size_t>(message[at + 3]);
}
std::uint32_t xid_field(const Bytes& message, std::size_t at = 0) {
    std::uint32_t xid = 0;
    for (std::size_t i = 4; i < 8; ++i)
        xid = xid << 8 | std::to_integer<std::uint32_t>(message[at + i]);
    return xid;
}
std::string problem(const Flow& flow) {
    const auto verdict = check(flow);
    return verdict ? "" : verdict.error().text;
}

// T1: the library leaves the length of many messages stale.
TEST(Trap1, EveryMessageCarriesItsLengthAndItsTransactionId) {
    for (const Version v : {Version::v14, Version::v15}) {
        const GroupEntry group{.id = 1, .buckets = {{.actions = {Output{1}}, .watch_port = {}}}};
        const auto messages = [&](Bytes& out, int which) {
            switch (which) {
            case 0:
                return encode_features_request(out, v, 7);
            case 1:
                return encode_set_config(out, v, 7);
            case 2:
                return encode_packet_in_format(out, v, 7);
            case 3:
                return encode_set_async(out, v, 7);
            case 4:
                return encode_barrier_request(out, v, 7);
            case 5:
                return encode_bundle_control(out, v, 7, 1, BundleStep::commit);
            case 6:
                return encode_packet_out(out, v, 7, {.packet = Bytes(60), .actions = {Output{1}}});
            case 7:
                return encode_flow_monitor_request(out, v, 7, 1);
            case 8:
                return encode_flow_stats_request(out, v, 7, {});
            case 9:
                return encode_request(out, v, 7, Table::group_desc);
            case 10:
                return encode_request(out, v, 7, Table::group_stats);
            case 11:
                return encode_request(out, v, 7, Table::meter_config);
            case 12:
                return encode_request(out, v, 7, Table::meter_stats);
            case 13:
                return encode_request(out, v, 7, Table::ports);
            case 14:
                return encode_group_mod(out, {v, 7, 5}, Command::add, group);
            case 15:
                return encode_meter_mod(out, v, 7, Command::add, {.id = 1, .rate = 5});
            case 16:
                return encode_echo_request(out, v, 7);
            case 17:
                return encode_echo_reply(out, v, 7, Bytes(5));
            case 18:
                return encode_hello_failed(out, v, 7, "no");
            case 19:
                return encode_flows_clear(out, {v, 7, {}});
            default:
                return encode_flow_mod(out, {v, 7, 5}, Command::remove, {.match = {}, .actions = {}});
            }
        };
        for (int which = 0; which <= 20; ++which) {
            Bytes out;
            messages(out, which);
            EXPECT_EQ(length_field(out), out.size()) << which;
            EXPECT_EQ(xid_field(out), 7U) << which;
            EXPECT_EQ(std::to_integer<int>(out[0]), static_cast<int>(v)) << which;
        }
    }
}

// T2: above 64 KiB the length wraps, silently.
TEST(Trap2, AFlowAboveTheLargestMessageIsCaught) {
    Flow flow{.match = {}, .actions = Actions(6000, Output{1})};
    EXPECT_THAT(problem(flow), HasSubstr("larger than"));
    flow.actions.resize(4000, Output{1});
    EXPECT_EQ(problem(flow), "");
}

/// A release stops too: the switch would take what follows for something else.
TEST(Trap2, AFlowAboveTheLargestMessageIsNeverSent) {
    Bytes out;
    EXPECT_DEATH(encode_flow_mod(out, {}, Command::add, {.match = {}, .actions = Actions(6000, Output{1})}),
                 "broken invariant.*larger than an OpenFlow message");
}

// T5: the envelope's transaction id and version are the message's.
TEST(Trap5, ABundledMessageRepeatsItsEnvelopesTransactionId) {
    Bytes out;
    encode_flow_mod(out, {Version::v14, 0x01020304, 9}, Command::add, {.match = {}, .actions = {}});
    EXPECT_EQ(xid_field(out), 0x01020304U);
    EXPECT_EQ(xid_field(out, 16), 0x01020304U);
    EXPECT_EQ(out[16], out[0]);
    EXPECT_EQ(length_field(out, 16) + 16, length_field(out));
}

// T6: the cookie of all ones means "keep".
TEST(Trap6, TheReservedCookieIsCaught) {
    EXPECT_THAT(problem({.cookie = UINT64_MAX, .match = {}, .actions = {}}), HasSubstr("cookie"));
}

// T7: table 255 would be encoded as table 0; table 254 is the switch's own.
TEST(Trap7, TablesThatAreNotTablesAreCaught) {
    EXPECT_THAT(problem({.table = 255, .match = {}, .actions = {}}), HasSubstr("table 255"));
    EXPECT_THAT(problem({.table = 254, .match = {}, .actions = {}}), HasSubstr("table 254"));
    EXPECT_FALSE(parse_flow("table=255 actions=drop"));
    EXPECT_EQ(parse_flow("actions=drop")->table, 0);
}

// T8: a field without its prerequisites is dropped silently: the flow would match more than written.
TEST(Trap8, AMissingPrerequisiteIsNamed) {
    const auto with = [](Match match) { return problem({.match = std::move(match), .actions = {}}); };
    EXPECT_EQ(with(Match{}.set(Field::ip_src, 1)), "ip_src needs eth_type=0x0800");
    EXPECT_EQ(with(Match{}.set(Field::ipv6_dst, 1)), "ipv6_dst needs eth_type=0x86dd");
    EXPECT_EQ(with(Match{}.set(Field::arp_tpa, 1)), "arp_tpa needs eth_type=0x0806");
    EXPECT_THAT(with(Match{}.ipv4().set(Field::tcp_dst, 80)), HasSubstr("tcp_dst needs an IP eth_type, ip_proto=6"));
    EXPECT_THAT(with(Match{}.udp()), HasSubstr("ip_proto needs eth_type"));
    EXPECT_THAT(with(Match{}.ipv6().set(Field::nd_target, 1)), HasSubstr("icmpv6_type=135 or 136"));
    EXPECT_THAT(with(Match{}.ipv4().set(Field::ct_nw_src, 1)), HasSubstr("ct_nw_src needs +trk-inv"));
    EXPECT_THAT(with(Match{}.ipv4().udp().set(Field::udp_dst, 53).set(Field::ip_frag, 3)),
                HasSubstr("no later fragment"));
    EXPECT_EQ(with(Match{}.icmpv6(135).set(Field::nd_target, 1)), "");
}

TEST(Trap8, AMatchWithoutItsPrerequisitesIsNeverSent) {
    Bytes out;
    EXPECT_DEATH(encode_flow_mod(out, {}, Command::add, {.match = Match{}.set(Field::ip_src, 1), .actions = {}}),
                 "broken invariant.*prerequisite");
    EXPECT_DEATH(encode_flow_mod(out, {}, Command::add, {.match = Match{}.set(Field::in_port, 1, 1), .actions = {}}),
                 "broken invariant.*outside its field");
}

TEST(Trap8, AMaskThatOpenFlowCannotSayIsCaught) {
    EXPECT_THAT(problem({.match = Match{}.set(Field::in_port, 1, 0xff), .actions = {}}),
                HasSubstr("in_port takes no mask"));
    EXPECT_THAT(problem({.match = Match{}.ipv4().set(Field::ip_ttl, 1, 1), .actions = {}}), HasSubstr("mask"));
    EXPECT_THAT(problem({.match = Match{}.set(Field::vlan_tci, 0x2000, 0x2000), .actions = {}}),
                HasSubstr("no encoding"));
}

TEST(Trap8, AnActionWithoutItsPrerequisitesIsNamed) {
    const Match any;
    EXPECT_THAT(problem({.match = any, .actions = {Output{1}, set_field(Field::udp_dst, 53)}}),
                HasSubstr("set_field:53->udp_dst"));
    EXPECT_THAT(problem({.match = any, .actions = {DecTtl{}}}), HasSubstr("dec_ttl"));
    EXPECT_THAT(problem({.match = any, .actions = {Ct{}}}), HasSubstr("ct("));
    EXPECT_EQ(problem({.match = Match{}.ipv4(), .actions = {DecTtl{}, Ct{}}}), "");
}

// T10 is about fields that weft has not; T17: values are integers in host order everywhere, the wire has its own.
TEST(Trap17, ValuesAreInHostOrder) {
    EXPECT_EQ(to_string(Match{}.set(Field::reg1, 0x01020304)), "reg1=0x1020304");
    EXPECT_EQ(to_string(Match{}.ip_dst(*Ip::parse("10.0.0.1"))), "ip,nw_dst=10.0.0.1");
    EXPECT_EQ(to_string(Actions{set_field(Field::reg1, 0x01020304),
                                set_field(Field::eth_dst, *Mac::parse("02:00:00:00:00:01"))}),
              "set_field:0x1020304->reg1,set_field:02:00:00:00:00:01->eth_dst");
    EXPECT_EQ(to_string(Match{}.in_port(ofport::kLocal)), "in_port=LOCAL");
}

// T18: a counter of all ones is one that the switch does not keep.
TEST(Trap18, CountersThatAreNotKeptAreZero) {
    const auto decoded = [](const std::string& name) {
        std::ifstream in(WEFT_SOURCE_DIR "/tests/fuzz/corpus/openflow/" + name, std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(in), {}};
        // Packets and bytes of the first entry (OpenFlow 1.5, 7.3.5.9 and 7.3.5.13).
        std::fill_n(text.begin() + 32, 16, '\xff');
        return decode(std::as_bytes(std::span(text)));
    };
    const auto groups = decoded("v15_19_6_1");
    ASSERT_TRUE(groups) << groups.error().text;
    const auto& group = std::get<std::vector<GroupStats>>(groups->body).at(0);
    EXPECT_EQ(group.packets, 0U);
    EXPECT_EQ(group.bytes, 0U);
    const auto meters = decoded("v15_19_9_1");
    ASSERT_TRUE(meters) << meters.error().text;
    const auto& meter = std::get<std::vector<MeterStats>>(meters->body).at(0);
    EXPECT_EQ(meter.packets, 0U);
    EXPECT_EQ(meter.bytes, 0U);
}

// T20: ports end at 0xff00.
TEST(Trap20, APortNumberThatIsNoneIsCaught) {
    EXPECT_THAT(problem({.match = {}, .actions = {Output{70'000}}}), HasSubstr("no such port"));
    EXPECT_FALSE(parse_flow("in_port=70000 actions=drop"));
    EXPECT_EQ(problem({.match = {}, .actions = {Output{0xfeff}}}), "");
}

// ct without a table must not recirculate to table 0; found by its default value in the library's struct.
TEST(TrapOfCt, NoTableMeansNoTable) {
    EXPECT_EQ(to_string(Actions{Ct{.commit = true, .zone = std::uint16_t{5}}}), "ct(commit,zone=5)");
}

// A no-op translation makes ovs-vswitchd 3.1 abort.
TEST(TrapOfNat, ATranslationToNothingIsCaught) {
    const Match ip = Match{}.ipv4();
    EXPECT_THAT(problem({.match = ip, .actions = {Ct{.commit = true, .nat = Nat{.kind = Nat::Kind::source}}}}),
                HasSubstr("needs an address"));
    EXPECT_THAT(problem({.match = ip,
                         .actions = {Ct{.commit = true, .nat = Nat{.kind = Nat::Kind::source, .first = Ip::v4(0)}}}}),
                HasSubstr("needs an address"));
    EXPECT_EQ(problem({.match = ip, .actions = {Ct{.nat = Nat{}}}}), "");
}

TEST(TrapOfInstructions, MeterIsFirstAndGotoTableLast) {
    EXPECT_THAT(problem({.match = {}, .actions = {Output{1}, Meter{1}}}), HasSubstr("meter must be the first"));
    EXPECT_THAT(problem({.match = {}, .actions = {GotoTable{1}, Output{1}}}), HasSubstr("goto_table must be the last"));
    EXPECT_THAT(problem({.table = 5, .match = {}, .actions = {GotoTable{3}}}), HasSubstr("goto_table:3"));
    EXPECT_EQ(problem({.match = {}, .actions = {Meter{1}, Output{1}, GotoTable{1}}}), "");
}

} // namespace
} // namespace weft::openflow
