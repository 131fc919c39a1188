// Captures what a real switch says, as seeds for the fuzzer and for robustness_test: run with WEFT_CAPTURE=DIRECTORY.
#include "openflow/framer.hpp"
#include "openflow/session.hpp"
#include "tests/openflow/real_switch.hpp"
#include "tests/openflow/run.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <map>

namespace weft::openflow {
namespace {

/// A Stream that keeps a copy of what is read.
class Recorder final : public Stream {
  public:
    Recorder(std::unique_ptr<Stream> stream, Bytes& record) : stream_(std::move(stream)), record_(record) {}
    Task<Result<std::size_t>> read_some(std::span<std::byte> buffer) override {
        const auto count = co_await stream_->read_some(buffer);
        if (count) record_.insert(record_.end(), buffer.begin(), buffer.begin() + static_cast<long>(*count));
        co_return count;
    }
    Task<Result<void>> write(std::span<const std::byte> bytes) override { return stream_->write(bytes); }
    void close() override { stream_->close(); }
    std::string peer_address() const override { return stream_->peer_address(); }
    std::string peer_common_name() const override { return stream_->peer_common_name(); }

  private:
    std::unique_ptr<Stream> stream_;
    Bytes& record_;
};

Task<Result<std::unique_ptr<Session>>> open_recorded(Listener& listener, Bytes& record) {
    auto stream = co_await listener.accept();
    if (!stream) co_return std::unexpected(stream.error());
    co_return co_await Session::open(std::make_unique<Recorder>(std::move(*stream), record));
}

void talk(RealSwitch& ovs, asio::io_context& io, Session& session, const std::string& bridge) {
    ASSERT_TRUE(run(io, session.watch()));
    Change change;
    for (const char* text :
         {"table=1,cookie=1,in_port=1,vlan_tci=0x1005/0x1fff actions=pop_vlan,output:2",
          "table=1,cookie=2,udp,tp_dst=53 actions=meter:1,controller(userdata=01.02,meter_id=1)",
          "table=1,cookie=3,ct_state=+trk+est-inv,ip,ct_nw_src=10.0.0.1,reg0=5/7 "
          "actions=ct(commit,zone=NXM_NX_REG6[0..15],nat(src=10.0.0.1-10.0.0.2:1-9),exec(set_field:1->ct_mark),table="
          "3)",
          "table=1,cookie=4,arp,arp_op=1 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:0->NXM_OF_IN_PORT[]",
          "table=2,cookie=8,ip,nw_src=10.0.0.1 actions=conjunction(1,1/2)",
          "table=1,cookie=5,icmp6,icmp_type=135,icmp_code=0,nd_target=fd00::1 actions=group:1",
          "table=1,cookie=6,ip,nw_src=10.0.0.0/8 "
          "actions=dec_ttl,check_pkt_larger(1500)->NXM_NX_REG0[1],ct_clear,goto_table:7",
          "table=0,cookie=7,in_port=1 actions=controller(userdata=aa.bb)"}) {
        const auto flow = parse_flow(text);
        ASSERT_TRUE(flow) << text << ": " << flow.error().text;
        change.flows.add.push_back(*flow);
    }
    change.groups.add = {
        {.id = 1,
         .buckets = {{.actions = {Output{1}}, .watch_port = {}},
                     {.actions = {set_field(Field::reg1, 3)}, .watch_port = {}}}},
        {.id = 2, .type = GroupType::fast_failover, .buckets = {{.actions = {Output{1}}, .watch_port = 1}}}};
    change.meters.add = {{.id = 1, .rate = 1000, .burst = 50}, {.id = 2, .packets = true, .rate = 5}};
    ASSERT_TRUE(run(io, session.apply(change)));
    ovs.ofctl("add-flow", bridge, "'table=9,priority=3,idle_timeout=7,mpls,actions=learn(table=2,NXM_OF_ETH_SRC[])'");
    ovs.ofctl("add-group", bridge,
              "'group_id=9,type=select,selection_method=hash,fields(ip_src),bucket=weight:5,actions=output:1'");
    ovs.ofctl("add-meter", bridge, "'meter=9,kbps,stats,band=type=drop,rate=1000'");
    ASSERT_TRUE(run(io, session.dump()));
    ASSERT_TRUE(run(io, session.aggregate({FlowFilter{}})));
    ASSERT_TRUE(run(io, session.group_stats()));
    ASSERT_TRUE(run(io, session.meter_stats()));
    ovs.appctl(fmt::format(
        "netdev-dummy/receive {}p1 'in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x1234)'",
        bridge));
    ASSERT_TRUE(run(io, session.packet_in()));
    ovs.vsctl(fmt::format("add-port {0} {0}p9 -- set Interface {0}p9 type=dummy", bridge));
    ovs.vsctl(fmt::format("del-port {0}p9", bridge));
    ovs.ofctl("del-flows", bridge, "table=1");
    change = {};
    change.flows.add = {parse_flow("actions=group:77").value()};
    ASSERT_FALSE(run(io, session.apply(change)));
    session.packet_out({.packet = {}, .actions = {Output{0xfefff}}});
    run_for(io, Milliseconds(6000)); // an echo request of its own, too
}

TEST(Capture, OfARealSwitch) {
    const char* directory = std::getenv("WEFT_CAPTURE");
    if (!directory) GTEST_SKIP() << "WEFT_CAPTURE names no directory";
    std::filesystem::create_directories(directory);
    RealSwitch ovs;
    asio::io_context io;
    auto listener = listen(io, *Endpoint::parse("tcp:127.0.0.1:0"), nullptr).value();
    const auto save = [directory](const std::string& name, std::span<const std::byte> frame) {
        std::ofstream(fmt::format("{}/{}", directory, name), std::ios::binary)
            .write(reinterpret_cast<const char*>(frame.data()), static_cast<long>(frame.size()));
    };
    Bytes echo; // which the switch would send after a minute
    encode_echo_request(echo, Version::v15, 7);
    save("v15_2_1", echo);
    for (const auto& [bridge, protocol] :
         std::map<std::string, std::string>{{"v14", "OpenFlow14"}, {"v15", "OpenFlow15"}}) {
        Bytes record;
        ovs.add_bridge(bridge, listener->endpoint().port, protocol);
        {
            auto session = run(io, open_recorded(*listener, record));
            ASSERT_TRUE(session) << session.error().text;
            talk(ovs, io, **session, bridge);
        }
        run_for(io, Milliseconds(50));
        ovs.remove_bridge(bridge);
        Framer framer;
        std::map<std::string, int> seen;
        for (std::size_t at = 0; at < record.size();) {
            const auto space = framer.space();
            const std::size_t count = std::min(space.size(), record.size() - at);
            std::copy_n(record.begin() + static_cast<long>(at), count, space.begin());
            framer.filled(count);
            at += count;
            for (auto frame = framer.next().value(); frame; frame = framer.next().value()) {
                const auto byte = [&](std::size_t i) { return static_cast<int>(std::to_integer<int>((*frame)[i])); };
                const std::string kind =
                    byte(1) == 19 ? fmt::format("19_{}", byte(8) << 8 | byte(9)) : fmt::format("{}", byte(1));
                if (++seen[kind] > 6) continue;
                save(fmt::format("{}_{}_{}", bridge, kind, seen[kind]), *frame);
            }
        }
    }
}

} // namespace
} // namespace weft::openflow
