#include "openflow/codec.hpp"
#include "openflow/message.hpp"

#include <gtest/gtest.h>

namespace weft::openflow {
namespace {

class Text : public testing::TestWithParam<const char*> {};

TEST_P(Text, SurvivesParseEncodeDecodeAndPrint) {
    const auto flow = parse_flow(GetParam());
    ASSERT_TRUE(flow) << flow.error().text;
    EXPECT_TRUE(check(*flow)) << check(*flow).error().text;
    const auto back = decode_flow(encode(*flow));
    ASSERT_TRUE(back) << back.error().text;
    EXPECT_EQ(*back, *flow) << to_string(*back);
    const auto again = parse_flow(to_string(*flow));
    ASSERT_TRUE(again) << again.error().text << ": " << to_string(*flow);
    EXPECT_EQ(*again, *flow) << to_string(*flow);
    EXPECT_EQ(encode(*again), encode(*flow));
}

INSTANTIATE_TEST_SUITE_P(
    Flows, Text,
    testing::Values(
        "actions=drop", "table=3,priority=0,cookie=0x5 actions=drop", "priority=65535,in_port=1 actions=output:2",
        "in_port=LOCAL actions=LOCAL", "ip,nw_src=10.0.0.0/8,nw_dst=10.1.2.3 actions=dec_ttl,group:7",
        "tcp,tcp_dst=0x1000/0xf000,tcp_flags=+syn-ack actions=resubmit(,4)",
        "udp6,ipv6_src=fd00::/64,udp_src=53,nw_ttl=64,ipv6_label=5 actions=goto_table:9",
        "vlan_tci=0x0000 actions=push_vlan:0x8100,set_field:4196->vlan_vid,output:1",
        "dl_vlan=100 actions=pop_vlan,output:1", "dl_vlan=100,dl_vlan_pcp=3 actions=strip_vlan,output:1",
        "vlan_tci=0x1000/0x1000 actions=output:1",
        "arp,arp_op=1,arp_tpa=10.0.0.1,arp_spa=10.0.0.0/24 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
        "load:0x2->NXM_OF_ARP_OP[],move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],load:0->NXM_OF_IN_PORT[],output:1",
        "ct_state=+trk+est-rel,ct_mark=0x5/0xff,ct_zone=7,ip actions=resubmit(,5)",
        "ct_state=+trk+est,ip,ct_nw_src=10.0.0.1,ct_nw_proto=6,ct_tp_dst=80 actions=drop",
        "ct_state=+trk-inv,ipv6,ct_ipv6_src=fd00::1,ct_nw_proto=17,ct_tp_src=53 actions=drop",
        "ct_label=0x1/0xff00000000000000000000000000000f actions=drop",
        "ip actions=ct(table=4,zone=NXM_NX_REG6[0..15],nat)",
        "ip "
        "actions=ct(commit,force,zone=5,nat(src=10.0.0.1-10.0.0.9:1000-2000),exec(set_field:0x7->ct_mark,set_field:1->"
        "ct_label))",
        "ipv6 actions=ct(commit,table=9,zone=3,nat(dst=[fd00::7]:80))", "actions=ct_clear,output:1",
        "ip actions=check_pkt_larger(1500)->NXM_NX_REG0[3],resubmit(,2)",
        "ip,nw_src=10.0.0.1 actions=conjunction(17,1/3),conjunction(18,2/2)", "conj_id=17,ip actions=drop",
        "ip actions=meter:7,controller(userdata=01.02.ff,meter_id=9,max_len=65535)", "actions=CONTROLLER:65535",
        "reg0=0x1/0xf,xreg1=0x500000007,xxreg1=0x0123456789abcdef0123456789abcdef,metadata=9 "
        "actions=set_field:0x1/0x3->reg5",
        "tun_id=0x64,tun_src=10.0.0.1,tun_dst=10.0.0.2 "
        "actions=set_field:7->tun_id,set_field:10.0.0.3->tun_dst,output:1",
        "tun_ipv6_src=fd00::1 actions=set_field:fd00::2->tun_ipv6_dst,output:1",
        "icmp6,icmp_type=135,icmp_code=0,nd_target=fd00::1,nd_sll=02:00:00:00:00:01 "
        "actions=set_field:136->icmpv6_type,set_field:2->nd_options_type,set_field:0x60000000->nd_reserved,output:1",
        "icmp,icmp_type=8,icmp_code=0 actions=set_field:0->icmp_type,output:in_port", "ip,ip_frag=later actions=drop",
        "ip,ip_dscp=10,nw_ecn=1 actions=set_field:46->ip_dscp,set_field:9->nw_ttl,output:3",
        "sctp,sctp_src=5,sctp_dst=6 actions=drop", "pkt_mark=5 actions=set_field:6->pkt_mark,output:1",
        "dl_src=01:00:00:00:00:00/01:00:00:00:00:00 actions=mod_dl_dst:02:00:00:00:00:01,output:1"));

} // namespace
} // namespace weft::openflow
