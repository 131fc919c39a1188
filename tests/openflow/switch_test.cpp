// The session against a real ovs-vswitchd.
#include "openflow/session.hpp"
#include "tests/openflow/generate.hpp"
#include "tests/openflow/real_switch.hpp"
#include "tests/openflow/run.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <unordered_map>

namespace weft::openflow {
namespace {

using testing::HasSubstr;

class Switch : public testing::Test {
  protected:
    static void SetUpTestSuite() { ovs = new RealSwitch; }
    static void TearDownTestSuite() {
        delete ovs;
        ovs = nullptr;
    }

    void SetUp() override {
        auto bound = listen(io, *Endpoint::parse("tcp:127.0.0.1:0"), nullptr);
        ASSERT_TRUE(bound) << bound.error().text;
        listener = std::move(*bound);
    }
    void TearDown() override {
        session.reset();
        run_for(io, Milliseconds(20));
        if (!bridge.empty()) ovs->remove_bridge(bridge);
    }

    void connect(SessionOptions options = {}, const std::string& protocols = "[OpenFlow14,OpenFlow15]") {
        static int count = 0;
        bridge = fmt::format("br{}", ++count);
        ovs->add_bridge(bridge, listener->endpoint().port, protocols);
        auto opened = run(io, open(options));
        ASSERT_TRUE(opened) << opened.error().text;
        session = std::move(*opened);
    }
    Task<Result<std::unique_ptr<Session>>> open(SessionOptions options) {
        auto stream = co_await listener->accept();
        if (!stream) co_return std::unexpected(stream.error());
        co_return co_await Session::open(std::move(*stream), options);
    }

    Result<Applied> apply(const Change& change) { return run(io, session->apply(change)); }
    Dump dump() { return run(io, session->dump()).value(); }
    static std::vector<Flow> flows_of(const Dump& dump) {
        std::vector<Flow> flows;
        for (const FlowStats& stats : dump.flows)
            flows.push_back(stats.flow);
        return flows;
    }
    /// Whether foreign_change() is raised within a second; clears it.
    bool foreign_change(Milliseconds within = Milliseconds(1000)) {
        return run(io, session->foreign_change().wait(within));
    }

    static inline RealSwitch* ovs = nullptr;
    asio::io_context io;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Session> session;
    std::string bridge;
};

Flow flow(std::string_view text) {
    return parse_flow(text).value();
}

GroupEntry group(std::uint32_t id, std::vector<std::uint32_t> ports) {
    GroupEntry entry{.id = id, .buckets = {}};
    for (std::uint32_t port : ports)
        entry.buckets.push_back({.actions = {Output{port}}, .watch_port = {}});
    return entry;
}

/// Groups and meters 1 to 3, which generated flows refer to.
Change groups_and_meters() {
    Change change;
    for (std::uint32_t id : {1, 2, 3}) {
        change.groups.add.push_back(group(id, {1, 2}));
        change.meters.add.push_back({.id = id, .rate = 1000 * id, .burst = 100});
    }
    return change;
}

std::vector<Flow> generated(int count) {
    std::vector<Flow> flows;
    const auto some = rc::gen::exec([] { return generate::flow(); });
    rc::Random random(4711);
    for (int i = 0; i < count; ++i) {
        Flow next = some(random.split(), 100).value();
        next.priority = static_cast<std::uint16_t>(i); // keys are unique
        flows.push_back(std::move(next));
    }
    return flows;
}

TEST_F(Switch, AgreesOnOpenFlow15AndKnowsItsPorts) {
    connect();
    EXPECT_EQ(session->version(), Version::v15);
    EXPECT_NE(session->features().datapath_id, 0U);
    EXPECT_TRUE(session->features().bundles);
    EXPECT_EQ(session->features().tables, 254);
    EXPECT_EQ(session->peer_address(), "127.0.0.1");
    ASSERT_TRUE(session->ports().contains(1));
    EXPECT_EQ(session->ports().at(1).name, bridge + "p1");
    EXPECT_TRUE(session->ports().contains(ofport::kLocal));
    EXPECT_EQ(dump().flows.size(), 0U);
}

TEST_F(Switch, FallsBackToOpenFlow14) {
    connect({}, "[OpenFlow10,OpenFlow13,OpenFlow14]");
    EXPECT_EQ(session->version(), Version::v14);
    Change change = groups_and_meters();
    change.flows.add = generated(200);
    const auto applied = apply(change);
    ASSERT_TRUE(applied) << applied.error().text;
    EXPECT_TRUE(diff(flows_of(dump()), change.flows.add).empty());
}

TEST_F(Switch, WithoutACommonVersionThereIsNoSession) {
    bridge = "old";
    ovs->add_bridge(bridge, listener->endpoint().port, "[OpenFlow10,OpenFlow13]");
    const auto opened = run(io, open({}));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::protocol);
    EXPECT_THAT(opened.error().text, HasSubstr("1.5"));
}

TEST_F(Switch, HoldsExactlyWhatWasApplied) {
    connect();
    Change change = groups_and_meters();
    change.flows.add = generated(1000);
    const auto applied = apply(change);
    ASSERT_TRUE(applied) << applied.error().text;
    EXPECT_EQ(*applied, (Applied{.flow_mods = 1000, .group_mods = 3, .meter_mods = 3, .bundles = 1}));

    const Dump held = dump();
    EXPECT_EQ(held.groups, change.groups.add);
    EXPECT_EQ(held.meters, change.meters.add);
    EXPECT_TRUE(diff(flows_of(held), change.flows.add).empty());

    std::unordered_map<FlowKey, std::uint64_t, FlowKeyHash> known;
    for (const Flow& wanted : change.flows.add)
        known[digest(wanted).key] = digest(wanted).body;
    for (const FlowStats& stats : held.flows) {
        const FlowDigest seen = digest(stats.flow);
        ASSERT_TRUE(known.contains(seen.key)) << to_string(stats.flow);
        EXPECT_EQ(known.at(seen.key), seen.body) << to_string(stats.flow);
    }
}

TEST_F(Switch, AnEmptyChangeSendsNothing) {
    connect();
    const auto before = session->counters().bytes_sent;
    EXPECT_EQ(apply({}).value(), Applied{});
    EXPECT_EQ(session->counters().bytes_sent, before);
    EXPECT_EQ(session->counters().flow_mods, 0U);
}

TEST_F(Switch, ChangesAndRemovesByKey) {
    connect();
    const std::vector<Flow> before{flow("table=1,priority=5,cookie=1,in_port=1 actions=output:2"),
                                   flow("table=1,priority=6,cookie=2,in_port=1 actions=output:3"),
                                   flow("table=1,priority=6,cookie=3 actions=drop")};
    const std::vector<Flow> after{flow("table=1,priority=5,cookie=9,in_port=1 actions=output:2"),
                                  flow("table=1,priority=6,cookie=3 actions=drop"),
                                  flow("table=2,priority=6,cookie=4 actions=drop")};
    ASSERT_TRUE(apply({.flows = diff({}, before), .groups = {}, .meters = {}}));
    const FlowDelta delta = diff(flows_of(dump()), after);
    EXPECT_EQ(delta.add.size(), 1U);
    EXPECT_EQ(delta.change.size(), 1U);
    EXPECT_EQ(delta.remove.size(), 1U);
    ASSERT_TRUE(apply({.flows = delta, .groups = {}, .meters = {}}));
    EXPECT_TRUE(diff(flows_of(dump()), after).empty());
}

TEST_F(Switch, ARefusalAtCommitIsNamedAndChangesNothing) {
    connect();
    const std::vector<Flow> before{flow("table=1,cookie=1,in_port=1 actions=output:2")};
    ASSERT_TRUE(apply({.flows = diff({}, before), .groups = {}, .meters = {}}));
    Change change = groups_and_meters();
    change.flows.add = {flow("table=3,priority=1,cookie=5 actions=output:1"),
                        flow("table=3,priority=2,cookie=6 actions=group:77"), // no such group
                        flow("table=3,priority=3,cookie=7 actions=output:1")};
    change.flows.remove = before;
    const auto applied = apply(change);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind, ErrorKind::refused);
    EXPECT_THAT(applied.error().text, HasSubstr("table=3,priority=2,cookie=0x6 actions=group:77"));
    EXPECT_THAT(applied.error().text, HasSubstr("OFPBAC_BAD_OUT_GROUP"));
    const Dump held = dump();
    EXPECT_TRUE(diff(flows_of(held), before).empty());
    EXPECT_TRUE(held.groups.empty());
    EXPECT_TRUE(held.meters.empty());
    EXPECT_FALSE(session->ended());
}

// T4: the switch answers an ADD it cannot decode at once, and would commit the rest of the bundle.
TEST_F(Switch, ARefusalBeforeCommitIsNamedAndChangesNothing) {
    connect();
    Change change;
    change.flows.add = {flow("table=3,priority=1,cookie=5 actions=output:1"),
                        flow("table=3,priority=2,cookie=6 actions=output:1"),
                        flow("table=3,priority=3,cookie=7 actions=output:1")};
    change.flows.add[1].actions = {Output{0xfefff}}; // no port number of OpenFlow's (T20)
    ASSERT_FALSE(check(change.flows.add[1]));
    const auto applied = apply(change);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind, ErrorKind::refused);
    EXPECT_THAT(applied.error().text, HasSubstr("table=3,priority=2,cookie=0x6"));
    EXPECT_TRUE(dump().flows.empty());
    change.flows.add.erase(change.flows.add.begin() + 1);
    EXPECT_TRUE(apply(change));
}

TEST_F(Switch, ARefusedMeterIsNamedAndNothingIsSent) {
    connect();
    Change change = groups_and_meters();
    ASSERT_TRUE(apply(change));
    change.flows.add = {flow("cookie=5 actions=drop")};
    const auto applied = apply(change); // the meters are there already
    ASSERT_FALSE(applied);
    EXPECT_THAT(applied.error().text, HasSubstr("meter=1,kbps"));
    EXPECT_TRUE(dump().flows.empty());
}

TEST_F(Switch, LargeChangesGoInPortions) {
    connect({.portion = 100});
    Change change = groups_and_meters();
    change.flows.add = generated(450);
    auto applied = apply(change);
    ASSERT_TRUE(applied) << applied.error().text;
    EXPECT_EQ(applied->bundles, 5U); // 3 groups, 450 flows
    EXPECT_TRUE(diff(flows_of(dump()), change.flows.add).empty());

    Change away{.flows = diff(change.flows.add, {}), .groups = {}, .meters = {}};
    away.groups.remove = away.meters.remove = {1, 2, 3};
    applied = apply(away);
    ASSERT_TRUE(applied) << applied.error().text;
    const Dump held = dump();
    EXPECT_TRUE(held.flows.empty());
    EXPECT_TRUE(held.groups.empty());
    EXPECT_TRUE(held.meters.empty());
}

TEST_F(Switch, GroupsAndMetersHaveTheirLives) {
    connect();
    const std::vector<GroupEntry> groups{
        group(1, {1, 2}),
        {.id = 2,
         .type = GroupType::fast_failover,
         .buckets = {{.actions = {set_field(Field::reg1, 7), Output{1}}, .watch_port = 1},
                     {.actions = {}, .watch_port = 2}}},
        {.id = 3, .type = GroupType::select, .buckets = {{.actions = {Output{3}}, .watch_port = {}}}},
        {.id = 4, .type = GroupType::indirect, .buckets = {{.actions = {Resubmit{9}}, .watch_port = {}}}},
        {.id = 5, .buckets = {}}};
    const std::vector<MeterEntry> meters{{.id = 1, .rate = 1000},
                                         {.id = 2, .rate = 2000, .burst = 500},
                                         {.id = 3, .packets = true, .rate = 50, .burst = 10}};
    for (const auto& entry : groups)
        EXPECT_TRUE(check(entry)) << to_string(entry);
    ASSERT_TRUE(apply({.flows = {}, .groups = diff({}, groups), .meters = diff({}, meters)}));
    Dump held = dump();
    EXPECT_TRUE(diff(held.groups, groups).empty()) << ovs->ofctl("dump-groups", bridge);
    EXPECT_TRUE(diff(held.meters, meters).empty()) << ovs->ofctl("dump-meters", bridge);

    auto other_groups = groups;
    other_groups[0] = group(1, {3});
    other_groups.pop_back();
    auto other_meters = meters;
    other_meters[1].rate = 3000;
    other_meters.pop_back();
    ASSERT_TRUE(
        apply({.flows = {}, .groups = diff(held.groups, other_groups), .meters = diff(held.meters, other_meters)}));
    held = dump();
    EXPECT_TRUE(diff(held.groups, other_groups).empty());
    EXPECT_TRUE(diff(held.meters, other_meters).empty());

    const auto group_stats = run(io, session->group_stats()).value();
    EXPECT_EQ(group_stats.size(), other_groups.size());
    const auto meter_stats = run(io, session->meter_stats()).value();
    EXPECT_EQ(meter_stats.size(), other_meters.size());
}

TEST_F(Switch, AFloodOfSixHundredBucketsIsOneGroup) {
    connect();
    std::vector<std::uint32_t> ports(600);
    for (std::uint32_t i = 0; i < ports.size(); ++i)
        ports[i] = i + 1;
    const std::vector<GroupEntry> groups{group(1, ports)};
    const auto applied = apply({.flows = {}, .groups = diff({}, groups), .meters = {}});
    ASSERT_TRUE(applied) << applied.error().text;
    EXPECT_EQ(dump().groups, groups);
}

TEST_F(Switch, ForeignFlowsAreSeenForWhatTheyAreAndCanBeRemoved) {
    connect();
    for (const char* text : {"'table=1,priority=5,idle_timeout=60,in_port=1,actions=output:2'",
                             "'table=1,priority=6,mpls,mpls_label=5,actions=drop'",
                             "'table=1,priority=7,actions=learn(table=2,NXM_OF_ETH_SRC[])'",
                             "'table=1,priority=8,importance=5,actions=write_metadata:5'"}) {
        ovs->ofctl("add-flow", bridge, text);
    }
    ovs->ofctl("add-group", bridge,
               "'group_id=9,type=select,selection_method=dp_hash,bucket=weight:5,actions=output:1'");
    const Dump held = dump();
    ASSERT_EQ(held.flows.size(), 4U);
    for (const FlowStats& stats : held.flows)
        EXPECT_NE(stats.flow.foreign, "") << to_string(stats.flow);
    ASSERT_EQ(held.groups.size(), 1U);
    EXPECT_NE(held.groups[0].foreign, "");

    // One of ours under the key of a foreign one: the foreign one goes first.
    const std::vector<Flow> wanted{flow("table=1,priority=5,cookie=7,in_port=1 actions=output:2")};
    const auto applied = apply({.flows = diff(flows_of(held), wanted), .groups = diff(held.groups, {}), .meters = {}});
    ASSERT_TRUE(applied) << applied.error().text;
    EXPECT_TRUE(diff(flows_of(dump()), wanted).empty());
    EXPECT_TRUE(dump().groups.empty());
}

TEST_F(Switch, AFilterDumpsATableOrACookie) {
    connect();
    Change change;
    change.flows.add = {flow("table=1,cookie=0x11 actions=drop"), flow("table=2,cookie=0x12 actions=drop"),
                        flow("table=2,cookie=0x21,priority=1 actions=drop")};
    ASSERT_TRUE(apply(change));
    EXPECT_EQ(run(io, session->dump(FlowFilter{.table = 2}))->flows.size(), 2U);
    EXPECT_EQ(run(io, session->dump(FlowFilter{.cookie = 0x10, .cookie_mask = 0xf0}))->flows.size(), 2U);
}

TEST_F(Switch, SumsAreOfTheFlowsThatEachFilterNames) {
    for (const auto* protocol : {"[OpenFlow14]", "[OpenFlow15]"}) {
        connect({}, protocol);
        Change change;
        change.flows.add = {flow("table=0,cookie=0x11,in_port=1 actions=drop"),
                            flow("table=0,cookie=0x12,in_port=2 actions=drop"),
                            flow("table=2,cookie=0x21,priority=1 actions=drop")};
        ASSERT_TRUE(apply(change));
        const std::string frame = "'in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x1234)'";
        ovs->appctl("netdev-dummy/receive " + bridge + "p1 " + frame);
        const std::vector<FlowFilter> filters{{.cookie = 0x10, .cookie_mask = 0xf0},
                                              {.cookie = 0x12, .cookie_mask = ~0ULL},
                                              {.cookie = 0x50, .cookie_mask = 0xf0},
                                              {.table = 2}};
        std::vector<AggregateStats> sums;
        for (int tries = 0; tries < 100 && (sums.empty() || sums[0].packets == 0); ++tries) {
            run_for(io, Milliseconds(20));
            sums = run(io, session->aggregate(filters)).value();
        }
        ASSERT_EQ(sums.size(), filters.size());
        EXPECT_EQ(sums[0].packets, 1U);
        EXPECT_GE(sums[0].bytes, 14U);
        EXPECT_EQ(sums[0].flows, 2U);
        EXPECT_EQ(sums[1], (AggregateStats{.flows = 1}));
        EXPECT_EQ(sums[2], AggregateStats{});
        EXPECT_EQ(sums[3], (AggregateStats{.flows = 1}));
        EXPECT_TRUE(run(io, session->aggregate({}))->empty());
        TearDown();
    }
    bridge.clear();
}

TEST_F(Switch, SomebodyElsesChangesAreToldAndOwnOnesAreNot) {
    connect();
    ASSERT_TRUE(run(io, session->watch()));
    Change change = groups_and_meters();
    change.flows.add = generated(100);
    ASSERT_TRUE(apply(change));
    EXPECT_FALSE(foreign_change(Milliseconds(300)));
    ovs->ofctl("add-flow", bridge, "'table=9,actions=drop'");
    EXPECT_TRUE(foreign_change());
    ovs->ofctl("del-flows", bridge, "table=9");
    EXPECT_TRUE(foreign_change());
    ovs->ofctl("add-group", bridge, "'group_id=9,type=all,bucket=actions=output:1'");
    EXPECT_TRUE(foreign_change());
    ovs->ofctl("add-meter", bridge, "'meter=9,kbps,band=type=drop,rate=1000'");
    EXPECT_TRUE(foreign_change());
    change.flows.remove = std::exchange(change.flows.add, {});
    change.groups = {}, change.meters = {};
    ASSERT_TRUE(apply(change));
    EXPECT_FALSE(foreign_change(Milliseconds(300)));
}

TEST_F(Switch, PacketsComeWithUserdataAndGoOut) {
    connect();
    Change change;
    change.flows.add = {
        {.table = 0,
         .priority = 1,
         .cookie = 0xabc,
         .match = Match{}.in_port(1),
         .actions = {set_field(Field::reg3, 77), Controller{.userdata = std::string("\0weft", 5), .meter = {}}}},
        flow("table=0,priority=2,cookie=5,in_port=2 actions=output:3")};
    ASSERT_TRUE(apply(change));
    ovs->appctl(fmt::format(
        "netdev-dummy/receive {}p1 'in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x1234)'",
        bridge));
    const auto packet = run(io, session->packet_in());
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->userdata, std::string("\0weft", 5));
    EXPECT_EQ(packet->in_port, 1U);
    EXPECT_EQ(packet->cookie, 0xabcU);
    EXPECT_GE(packet->packet.size(), 14U);
    ASSERT_NE(packet->metadata.find(Field::reg3), nullptr);
    EXPECT_TRUE(packet->metadata.find(Field::reg3)->value == 77);

    ASSERT_TRUE(session->packet_out({.packet = packet->packet, .in_port = 2, .actions = {Resubmit{0}}}));
    ASSERT_TRUE(session->packet_out({.packet = {}, .in_port = 2, .actions = {Output{0xfefff}}})); // refused
    for (int i = 0; i < 50 && dump().flows[0].packets + dump().flows[1].packets < 2; ++i)
        run_for(io, Milliseconds(20));
    std::map<std::uint64_t, std::uint64_t> packets;
    for (const FlowStats& stats : dump().flows)
        packets[stats.flow.cookie] = stats.packets;
    EXPECT_EQ(packets[5], 1U);
    EXPECT_EQ(session->counters().refused, 1U);
}

TEST_F(Switch, PortsComeAndGo) {
    connect();
    ovs->vsctl(fmt::format("add-port {0} {0}p9 -- set Interface {0}p9 type=dummy ofport_request=9", bridge));
    EXPECT_TRUE(run(io, session->ports_changed().wait(std::chrono::seconds(5))));
    run_for(io, Milliseconds(50));
    EXPECT_TRUE(session->ports().contains(9));
    ovs->vsctl(fmt::format("del-port {0}p9", bridge));
    run_for(io, Milliseconds(100));
    EXPECT_FALSE(session->ports().contains(9));
}

TEST_F(Switch, TenThousandFlows) {
    connect();
    Change change;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        Flow next{.table = 10, .priority = 100, .cookie = i + 1, .match = {}, .actions = {}};
        next.match.ip_dst(Ip::v4(0x0a00'0000 + i)).metadata(5);
        next.actions = {set_field(Field::reg6, i), DecTtl{}, Resubmit{11}};
        change.flows.add.push_back(next);
    }
    ASSERT_TRUE(apply(change));
    const Dump held = dump();
    EXPECT_TRUE(diff(flows_of(held), change.flows.add).empty());
    EXPECT_EQ(session->counters().flow_mods, 10'000U);
}

TEST_F(Switch, AKilledSwitchEndsTheSessionAndItsOperations) {
    RealSwitch mine;
    mine.add_bridge("dying", listener->endpoint().port);
    auto opened = run(io, open({}));
    ASSERT_TRUE(opened) << opened.error().text;
    Change change;
    change.flows.add = generated(3000);
    mine.signal(SIGSTOP);
    std::optional<Result<Applied>> result;
    asio::co_spawn(io, (*opened)->apply(change),
                   [&result](std::exception_ptr, Result<Applied> value) { result = std::move(value); });
    run_for(io, Milliseconds(100));
    EXPECT_FALSE(result);
    mine.signal(SIGKILL);
    const Error error = run(io, (*opened)->closed());
    EXPECT_EQ(error.kind, ErrorKind::io);
    run_for(io, Milliseconds(20));
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->has_value());
    EXPECT_TRUE((*opened)->ended());
}

TEST_F(Switch, ASilentSwitchIsDeadAtTheDeadline) {
    RealSwitch mine;
    mine.add_bridge("silent", listener->endpoint().port);
    auto opened = run(io, open({.idle = Milliseconds(200), .dead = Milliseconds(2000)}));
    ASSERT_TRUE(opened) << opened.error().text;
    run_for(io, Milliseconds(2500));
    EXPECT_FALSE((*opened)->ended()) << "its echo replies keep it alive";
    mine.signal(SIGSTOP);
    const Error error = run(io, (*opened)->closed(), std::chrono::seconds(5));
    EXPECT_EQ(error.kind, ErrorKind::timeout);
}

} // namespace
} // namespace weft::openflow
