// Each semantic of evaluate() by hand-written flows, said here in numbers and checked against the real switch.
#include "openflow/codec.hpp"
#include "tests/trace/agreement.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::openflow {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Bits kNew = ct::kTrk | ct::kNew;

class Evaluate : public testing::Test {
  protected:
    static void SetUpTestSuite() { ovs = new TracedSwitch; }
    static void TearDownTestSuite() {
        delete ovs;
        ovs = nullptr;
    }
    void TearDown() override { ovs->set_dead({}); }

    static void install(std::initializer_list<const char*> flows, std::vector<GroupEntry> groups = {}) {
        TracedSwitch::State state{.flows = {}, .groups = std::move(groups), .meters = {}};
        std::uint64_t cookie = 1;
        for (const auto* text : flows) {
            state.flows.push_back(parse_flow(text).value());
            if (state.flows.back().cookie == 0) state.flows.back().cookie = cookie++;
        }
        ovs->install(std::move(state));
    }

    /// Where evaluate says that the packet goes, as the switch does: "11", "12@100" with a VLAN, "punt", "expired".
    static std::vector<std::string> ways(const Packet& packet, std::vector<Bits> states = {}) {
        Agreement agreement(*ovs);
        const auto difference = agreement.difference({packet, std::move(states), 0});
        EXPECT_TRUE(difference.empty()) << difference;
        std::vector<std::string> out;
        for (const auto& step : agreement.steps()) {
            if (const auto* sent = std::get_if<Sent>(&step.what)) {
                const auto vid = static_cast<unsigned>(step.packet.get(Field::vlan_vid));
                out.push_back(fmt::format("{}{}", sent->port, vid == 0 ? "" : fmt::format("@{}", vid)));
            }
            if (std::holds_alternative<Punted>(step.what)) out.emplace_back("punt");
            if (std::holds_alternative<TtlExpired>(step.what)) out.emplace_back("expired");
            if (std::holds_alternative<TooDeep>(step.what)) out.emplace_back("too deep");
        }
        return out;
    }

    static inline TracedSwitch* ovs = nullptr;
};

Packet tcp(std::uint32_t in_port = 10) {
    Packet packet;
    packet.set(Field::in_port, in_port);
    packet.set(Field::eth_src, 0x5254'0000'0001);
    packet.set(Field::eth_dst, 0x5254'0000'0002);
    packet.set(Field::eth_type, eth_type::kIpv4);
    packet.set(Field::ip_proto, ip_proto::kTcp);
    packet.set(Field::ip_src, 0x0a000001);
    packet.set(Field::ip_dst, 0x0a000002);
    packet.set(Field::ip_ttl, 64);
    packet.set(Field::tcp_src, 40000);
    packet.set(Field::tcp_dst, 80);
    return packet;
}
Packet with(Packet packet, Field field, Bits value) {
    packet.set(field, value);
    return packet;
}

TEST_F(Evaluate, AMissDrops) {
    install({"table=0,priority=1,in_port=10 actions=resubmit(,7),output:11"});
    EXPECT_THAT(ways(tcp(11)), IsEmpty());
    EXPECT_THAT(ways(tcp()), ElementsAre("11"));
}

TEST_F(Evaluate, AConjunctionOfTwoClausesNeedsBoth) {
    install({"priority=10,tcp,nw_src=10.0.0.1 actions=conjunction(5,1/2)",
             "priority=10,tcp,tp_dst=80 actions=conjunction(5,2/2)", "priority=10,conj_id=5 actions=output:11",
             "priority=1 actions=output:12"});
    EXPECT_THAT(ways(tcp()), ElementsAre("11"));
    EXPECT_THAT(ways(with(tcp(), Field::tcp_dst, 81)), ElementsAre("12"));
    EXPECT_THAT(ways(with(tcp(), Field::ip_src, 0x0a000009)), ElementsAre("12"));
}

TEST_F(Evaluate, AConjunctionOfThreeClausesFallsBackToOneOfTwoBelow) {
    install({"priority=20,ip,nw_src=10.0.0.0/24 actions=conjunction(7,1/3)",
             "priority=20,ip,nw_dst=10.0.0.2 actions=conjunction(7,2/3)",
             "priority=20,tcp,tp_dst=80 actions=conjunction(7,3/3)", "priority=20,conj_id=7 actions=output:11",
             "priority=10,ip,nw_src=10.0.0.0/24 actions=conjunction(8,1/2)",
             "priority=10,ip,nw_dst=10.0.0.0/24 actions=conjunction(8,2/2)", "priority=30,conj_id=8 actions=output:12",
             "priority=5 actions=output:13"});
    EXPECT_THAT(ways(tcp()), ElementsAre("11"));
    EXPECT_THAT(ways(with(tcp(), Field::tcp_dst, 81)), ElementsAre("12"));
    EXPECT_THAT(ways(with(tcp(), Field::ip_dst, 0x0b000002)), ElementsAre("13"));
}

TEST_F(Evaluate, AFlowAboveAConjunctionWinsAndOneBetweenItsPrioritiesToo) {
    install({"priority=20,ip,nw_src=10.0.0.1 actions=conjunction(3,1/2)",
             "priority=20,tcp,tp_dst=80 actions=conjunction(3,2/2)", "priority=20,conj_id=3 actions=output:11",
             "priority=30,tcp,tp_src=1 actions=output:12", "priority=15,ip,nw_src=10.0.0.1 actions=output:13",
             "priority=10,ip,nw_src=10.0.0.1 actions=conjunction(4,1/2)",
             "priority=10,tcp,tp_dst=81 actions=conjunction(4,2/2)", "priority=10,conj_id=4 actions=output:14"});
    EXPECT_THAT(ways(with(tcp(), Field::tcp_src, 1)), ElementsAre("12"));
    EXPECT_THAT(ways(tcp()), ElementsAre("11"));
    EXPECT_THAT(ways(with(tcp(), Field::tcp_dst, 81)), ElementsAre("13"));
}

TEST_F(Evaluate, ClausesOfOneFlowMayBelongToSeveralConjunctions) {
    install({"priority=10,ip,nw_src=10.0.0.1 actions=conjunction(1,1/2),conjunction(2,1/2)",
             "priority=10,tcp,tp_dst=80 actions=conjunction(1,2/2)",
             "priority=10,tcp,tp_dst=81 actions=conjunction(2,2/2)", "priority=10,conj_id=1 actions=output:11",
             "priority=10,conj_id=2 actions=output:12"});
    EXPECT_THAT(ways(tcp()), ElementsAre("11"));
    EXPECT_THAT(ways(with(tcp(), Field::tcp_dst, 81)), ElementsAre("12"));
}

TEST_F(Evaluate, AResubmitReturnsWithWhatWasChangedThere) {
    install({"table=0,in_port=10,ip actions=resubmit(,1),resubmit(,2),output:11",
             "table=1,ip actions=set_field:5->reg0,set_field:10.0.0.9->ip_dst",
             "table=2,ip,reg0=5,nw_dst=10.0.0.9 actions=output:12", "table=2,priority=1 actions=output:13"});
    EXPECT_THAT(ways(tcp()), ElementsAre("12", "11"));
}

TEST_F(Evaluate, BucketsOfAllGetCopiesAndWhatFollowsTheGroupTheOriginal) {
    const GroupEntry all{.id = 1,
                         .buckets = {{.actions = {set_field(Field::reg1, 1), Resubmit{1}}, .watch_port = {}},
                                     {.actions = {set_field(Field::eth_dst, 0x1), Output{12}}, .watch_port = {}},
                                     {.actions = {Resubmit{1}}, .watch_port = {}}}};
    install({"table=0 actions=group:1,resubmit(,1)", "table=1,reg1=1,dl_dst=52:54:00:00:00:02 actions=output:11",
             "table=1,reg1=0,dl_dst=52:54:00:00:00:02 actions=output:13"},
            {all});
    EXPECT_THAT(ways(tcp()), ElementsAre("11", "12", "13", "13"));
}

TEST_F(Evaluate, ABucketIsAnActionSetWhoseOutputComesLast) {
    install({"table=0 actions=group:1"},
            {{.id = 1,
              .buckets = {{.actions = {Output{11}, set_field(Field::eth_dst, 0x1)}, .watch_port = {}},
                          {.actions = {set_field(Field::reg1, 1)}, .watch_port = {}},
                          {.actions = {Resubmit{1}, Output{12}}, .watch_port = {}}}}});
    EXPECT_THAT(ways(tcp()), ElementsAre("11", "12"));
}

TEST_F(Evaluate, SelectTakesTheBucketThatTheSwitchTakes) {
    GroupEntry select{.id = 1, .type = GroupType::select, .buckets = {}};
    for (const std::uint32_t port : {11, 12, 13, 14})
        select.buckets.push_back({.actions = {Output{port}}, .watch_port = {}});
    install({"table=0 actions=group:1"}, {select});
    std::set<std::string> seen;
    for (std::uint16_t port = 1; port <= 40; ++port)
        seen.insert(ways(with(tcp(), Field::tcp_src, port)).at(0));
    EXPECT_GT(seen.size(), 2U);
}

TEST_F(Evaluate, FastFailoverTakesTheFirstLiveBucketOrNone) {
    install({"table=0 actions=group:1,output:14"},
            {{.id = 1,
              .type = GroupType::fast_failover,
              .buckets = {{.actions = {Output{11}}, .watch_port = 21}, {.actions = {Output{12}}, .watch_port = 22}}}});
    EXPECT_THAT(ways(tcp()), ElementsAre("11", "14"));
    ovs->set_dead({21});
    EXPECT_THAT(ways(tcp()), ElementsAre("12", "14"));
    ovs->set_dead({21, 22});
    EXPECT_THAT(ways(tcp()), ElementsAre("14"));
}

TEST_F(Evaluate, ACtWithATableGoesOnThereAfterAllThatFollowsIt) {
    install({"table=0,priority=1,ip actions=ct(table=1,zone=7),resubmit(,1),output:12",
             "table=1,priority=2,ct_state=+trk+new,ct_zone=7,ip actions=output:11",
             "table=1,priority=1 actions=output:13"});
    EXPECT_THAT(ways(tcp(), {kNew}), ElementsAre("13", "12", "11"));
    EXPECT_THAT(ways(tcp(), {ct::kTrk | ct::kEst}), ElementsAre("13", "12", "13"));
}

TEST_F(Evaluate, CtsOneAfterTheOtherAndWithinEachOther) {
    install({"table=0,ip actions=ct(table=1,zone=1),ct(table=2,zone=2)",
             "table=1,ip actions=output:11,ct(table=3,zone=NXM_NX_REG0[0..15])", "table=2,ip actions=output:12",
             "table=3,ct_zone=9,ip actions=output:13"});
    auto packet = with(tcp(), Field::reg0, 9);
    EXPECT_THAT(ways(packet, {kNew, kNew, kNew}), ElementsAre("11", "12", "13"));
}

TEST_F(Evaluate, ACommitWithoutATableForgetsTheConnection) {
    install({"table=0,ip actions=ct(table=1)",
             "table=1,ct_state=+trk,ip actions=ct(commit,zone=3,exec(set_field:9->ct_mark)),resubmit(,2)",
             "table=2,priority=2,ct_state=+trk,ip actions=output:11", "table=2,priority=1 actions=output:12"});
    EXPECT_THAT(ways(tcp(), {kNew}), ElementsAre("12"));
}

TEST_F(Evaluate, ACommitsMarkIsSeenBehindIt) {
    install({"table=0,ip actions=ct(commit,table=1,zone=3,exec(set_field:9->ct_mark))",
             "table=1,ct_mark=9,ip actions=ct_clear,resubmit(,2)", "table=2,priority=2,ct_mark=9 actions=output:11",
             "table=2,priority=1,ct_state=-trk,ip actions=output:12"});
    EXPECT_THAT(ways(tcp(), {kNew}), ElementsAre("12"));
}

TEST_F(Evaluate, NatTakesTheFirstOfItsRangesAndRestoreNothing) {
    install({"table=0,priority=3,in_port=10,ip actions=ct(commit,table=1,nat(src=203.0.113.5-203.0.113.9:2000-3000))",
             "table=0,priority=3,in_port=11,ip actions=ct(commit,table=1,nat(dst=10.0.0.7:8080))",
             "table=0,priority=3,in_port=12,ip actions=ct(table=1,nat)",
             "table=1,tcp,nw_src=203.0.113.5,tp_src=2000 actions=output:21",
             "table=1,tcp,nw_dst=10.0.0.7,tp_dst=8080 actions=output:22",
             "table=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_dst=80 actions=output:23"});
    EXPECT_THAT(ways(tcp(10)), ElementsAre("21"));
    EXPECT_THAT(ways(tcp(11)), ElementsAre("22"));
    EXPECT_THAT(ways(tcp(12)), ElementsAre("23"));
}

TEST_F(Evaluate, DecTtlAtOneEndsItsTableOnly) {
    install({"table=0,ip actions=resubmit(,1),output:12", "table=1,ip actions=dec_ttl,output:11"});
    EXPECT_THAT(ways(tcp()), ElementsAre("11", "12"));
    EXPECT_THAT(ways(with(tcp(), Field::ip_ttl, 2)), ElementsAre("11", "12"));
    EXPECT_THAT(ways(with(tcp(), Field::ip_ttl, 1)), ElementsAre("expired", "12"));
    EXPECT_THAT(ways(with(tcp(), Field::ip_ttl, 0)), ElementsAre("expired", "12"));
}

TEST_F(Evaluate, MoveCopiesBitsBetweenFields) {
    install({"table=0,ip actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],move:NXM_OF_IP_SRC[0..7]->NXM_NX_REG3[8..15],"
             "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],resubmit(,1)",
             "table=1,reg3=0x100,ip,dl_dst=52:54:00:00:00:01,nw_dst=10.0.0.1 actions=output:11"});
    EXPECT_THAT(ways(tcp()), ElementsAre("11"));
}

TEST_F(Evaluate, XregsAreTheirRegisters) {
    install({"table=0 actions=set_field:0x100000002->xreg1,set_field:0xa0000000b0000000c0000000d->xxreg1,"
             "set_field:0x7/0xf->xreg4,resubmit(,1)",
             "table=1,reg2=1,reg3=2,reg4=0xa,reg7=0xd,xreg3=0xc0000000d,reg8=0,reg9=0xf7 actions=output:11"});
    EXPECT_THAT(ways(with(tcp(), Field::reg9, 0xf1)), ElementsAre("11"));
}

TEST_F(Evaluate, CheckPktLargerTellsTheLargerFromTheRest) {
    install({"table=0 actions=check_pkt_larger(1400)->NXM_NX_REG11[0],goto_table:1",
             "table=1,reg11=1 actions=output:11", "table=1,reg11=0,ip actions=ct(table=2)",
             "table=2 actions=output:12"});
    auto packet = tcp();
    packet.length = 1400;
    EXPECT_THAT(ways(packet), ElementsAre("12"));
    packet.length = 1401;
    EXPECT_THAT(ways(packet), ElementsAre("11"));
}

TEST_F(Evaluate, CheckPktLargerDecidesTwiceInOneWay) {
    install({"table=0 actions=resubmit(,1)",
             "table=1 actions=check_pkt_larger(1000)->NXM_NX_REG11[0],set_field:1->reg1,goto_table:2",
             "table=2 actions=check_pkt_larger(1400)->NXM_NX_REG11[1],goto_table:3",
             "table=3,reg11=0 actions=output:11", "table=3,reg11=1 actions=output:12",
             "table=3,reg11=3 actions=output:13"});
    auto packet = tcp();
    for (const auto& [length, port] : {std::pair{900U, "11"}, std::pair{1200U, "12"}, std::pair{1500U, "13"}}) {
        packet.length = length;
        EXPECT_THAT(ways(packet), ElementsAre(port));
    }
}

TEST_F(Evaluate, TagsArePushedSetAndPopped) {
    install({"table=0,priority=1,in_port=10,vlan_tci=0 "
             "actions=push_vlan:0x8100,set_field:4196->vlan_vid,output:11,pop_vlan,output:12",
             "table=0,priority=1,in_port=11,dl_vlan=7 actions=pop_vlan,output:12",
             "table=0,priority=1,in_port=12,vlan_tci=0x1000/0x1fff actions=pop_vlan,output:13"});
    EXPECT_THAT(ways(tcp(10)), ElementsAre("11@100", "12"));
    EXPECT_THAT(ways(with(tcp(11), Field::vlan_tci, 0x1007)), ElementsAre("12"));
    EXPECT_THAT(ways(with(tcp(12), Field::vlan_tci, 0x7000)), ElementsAre("13"));
    EXPECT_THAT(ways(with(tcp(12), Field::vlan_tci, 0x1005)), IsEmpty());
}

TEST_F(Evaluate, NothingGoesBackToItsPortUnlessThatIsForgotten) {
    install({"table=0,priority=2,ip,nw_ttl=1 actions=output:10,output:11",
             "table=0,priority=2,ip,nw_ttl=2 actions=set_field:0->in_port,output:10",
             "table=0,priority=2,ip,nw_ttl=3 actions=in_port",
             "table=0,priority=2,ip,nw_ttl=4 actions=set_field:0->in_port,ct(table=1)",
             "table=1,ip actions=output:10"});
    EXPECT_THAT(ways(with(tcp(), Field::ip_ttl, 1)), ElementsAre("11"));
    EXPECT_THAT(ways(with(tcp(), Field::ip_ttl, 2)), ElementsAre("10"));
    EXPECT_THAT(ways(with(tcp(), Field::ip_ttl, 3)), ElementsAre("10"));
    EXPECT_THAT(ways(with(tcp(), Field::ip_ttl, 4)), ElementsAre("10"));
}

TEST_F(Evaluate, ATunnelCarriesItsIdToItsEnd) {
    install({"table=0,priority=1 actions=set_field:5001->tun_id,set_field:192.0.2.12->tun_dst,output:1,"
             "set_field:192.0.2.13->tun_dst,output:1,output:11"});
    EXPECT_THAT(ways(tcp()), ElementsAre("1", "1", "11"));
}

TEST_F(Evaluate, PuntsAndMetersLetTheRestGoOn) {
    ovs->install({.flows = {}, .groups = {}, .meters = {{.id = 1, .packets = true, .rate = 10}}});
    auto state = ovs->state();
    state.flows = {
        parse_flow("table=0,cookie=0x77 actions=meter:1,controller(userdata=05,meter_id=1),output:11").value()};
    ovs->install(state);
    EXPECT_THAT(ways(tcp()), ElementsAre("punt", "11"));
}

TEST_F(Evaluate, ALoopOfResubmitsDropsThePacket) {
    install({"table=0 actions=output:11,resubmit(,0)"});
    EXPECT_EQ(ways(tcp()).back(), "too deep");
}

TEST_F(Evaluate, ResubmitsBackGoSixtyFourDeep) {
    // A bit of xxreg0 is moved one on at each; nothing is left of it once it is beyond the last.
    install({"table=0,priority=2,xxreg0=0 actions=output:11",
             "table=0,priority=1 actions=move:NXM_NX_XXREG0[0..126]->NXM_NX_XXREG0[1..127],set_field:0/1->xxreg0,"
             "resubmit(,0)"});
    for (const int deep : {62, 63, 64, 65, 66}) {
        Packet packet = tcp();
        packet.set(Field::xxreg0, Bits{1} << (128 - deep));
        EXPECT_THAT(ways(packet), ElementsAre(deep < 65 ? "11" : "too deep")) << deep;
    }
}

TEST_F(Evaluate, ResubmitsForwardGoAsDeepAsThereAreTables) {
    TracedSwitch::State state{.flows = {}, .groups = {}, .meters = {}};
    for (int table = 0; table < 70; ++table)
        state.flows.push_back(
            parse_flow(fmt::format("table={},cookie=1 actions=resubmit(,{})", table, table + 1)).value());
    state.flows.push_back(parse_flow("table=70,cookie=1 actions=output:11").value());
    ovs->install(std::move(state));
    EXPECT_THAT(ways(tcp()), ElementsAre("11"));
}

TEST_F(Evaluate, ALoopByWayOfAGroupIsTooDeep) {
    install({"table=0 actions=group:1"}, {{.id = 1, .buckets = {{.actions = {Resubmit{0}}, .watch_port = {}}}}});
    EXPECT_EQ(ways(tcp()).back(), "too deep");
}

TEST_F(Evaluate, FourThousandAndNinetySixResubmitsAreDoneInAll) {
    const auto times = [](int count, int table) {
        std::string actions;
        for (int i = 0; i < count; ++i)
            actions += fmt::format("{}resubmit(,{})", i == 0 ? "" : ",", table);
        return actions;
    };
    for (const int count : {15, 17}) { // 15 + 15² + 15³ < 4096 < 17 + 17² + 17³
        TracedSwitch::State state{.flows = {}, .groups = {}, .meters = {}};
        for (int table = 0; table < 3; ++table)
            state.flows.push_back(
                parse_flow(fmt::format("table={},cookie=1 actions={}", table, times(count, table + 1))).value());
        state.flows.push_back(parse_flow("table=3,cookie=1 actions=drop").value());
        ovs->install(std::move(state));
        EXPECT_EQ(ways(tcp()).size(), count == 15 ? 0U : 1U);
    }
}

TEST_F(Evaluate, EveryResubmitIsDone) {
    install({"table=0 actions=resubmit(,1),resubmit(,1)", "table=1 actions=resubmit(,2),resubmit(,2)",
             "table=2 actions=resubmit(,3),resubmit(,3)", "table=3 actions=output:11"});
    EXPECT_EQ(ways(tcp()).size(), 8U);
}

} // namespace
} // namespace weft::openflow
