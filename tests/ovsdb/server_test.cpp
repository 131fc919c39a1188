// Plans and sessions against a real ovsdb-server and ovs-vswitchd: what a plan says is what the host then holds, and a
// second plan finds nothing to do.
#include "ovsdb/plan_rows.hpp"
#include "ovsdb/session.hpp"

#include "ovs_host.hpp"
#include "run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

namespace weft::ovsdb {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::OvsHost;
using test::run;
using testing::Contains;
using testing::HasSubstr;

DesiredRows desired() {
    DesiredRows rows;
    rows.owner_mark = "h1";
    rows.bridge = {"br-int", "netdev", "00000000000000a1", {"tcp:127.0.0.1:1"}, {"OpenFlow14", "OpenFlow15"}};
    rows.ports["weft-vxlan"] = {"weft-vxlan",
                                "vxlan",
                                {{"key", "flow"}, {"remote_ip", "flow"}, {"local_ip", "192.0.2.1"}},
                                {},
                                {{std::string(kRoleKey), "vxlan"}}};
    return rows;
}

class Server : public testing::Test {
  protected:
    Server() { connect_session(); }
    ~Server() override {
        session_.reset();
        EXPECT_EQ(host_.complaints(), "");
        io_.restart();
        io_.run_for(100ms);
    }

    void connect_session() {
        auto stream = run(io_, connect(*Endpoint::parse(host_.remote()), nullptr, 5s));
        ASSERT_TRUE(stream) << stream.error().text;
        auto opened = run(io_, Session::open(std::move(*stream)));
        ASSERT_TRUE(opened) << opened.error().text;
        session_.emplace(std::move(*opened));
    }

    const Replica& replica() const { return session_->replica(); }

    /// Plans, applies, waits for ovs-vswitchd; afterwards nothing is left to do. What was done.
    std::vector<std::string> converge(const DesiredRows& want) {
        const auto plan = plan_rows(replica(), want);
        EXPECT_TRUE(plan) << plan.error().text;
        if (!plan) return {};
        apply(*plan);
        expect_nothing_to_do(want);
        return plan->changes;
    }

    void apply(const Transaction& plan) {
        const auto applied = run(io_, session_->transact(plan));
        ASSERT_TRUE(applied) << applied.error().text << " in\n" << fmt::format("{}", fmt::join(plan.operations, "\n"));
        if (!plan.reconfigures) return;
        EXPECT_GT(applied->next_cfg, 0);
        const auto configured = run(io_, session_->wait_configured(applied->next_cfg, 10s));
        EXPECT_TRUE(configured) << configured.error().text;
    }

    void expect_nothing_to_do(const DesiredRows& want) {
        const auto again = plan_rows(replica(), want);
        ASSERT_TRUE(again) << again.error().text;
        EXPECT_EQ(*again, Transaction{});
    }

    bool becomes(const std::function<bool()>& done) { return eventually(io_, done, 10s); }

    asio::io_context io_;
    OvsHost host_;
    std::optional<Session> session_;
};

TEST_F(Server, MakesABridgeThatVswitchdTakesUp) {
    auto want = desired();
    want.uplinks = {{"physnet1", "eth1"}};
    converge(want);
    const auto* bridge = replica().named<Bridge>("br-int");
    ASSERT_TRUE(bridge);
    EXPECT_EQ(bridge->datapath_id, "00000000000000a1");
    EXPECT_EQ(bridge->fail_mode, "secure");
    EXPECT_EQ(bridge->controller.size(), 1U);
    ASSERT_TRUE(replica().named<Interface>("weft-vxlan"));
    EXPECT_GT(replica().named<Interface>("weft-vxlan")->ofport.value_or(0), 0);
    EXPECT_EQ(replica().named<Interface>("eth1")->external_ids,
              (StringMap{{"weft", "h1"}, {"weft-uplink", "physnet1"}}));
    EXPECT_EQ(replica().named<Interface>("br-int")->ofport, 65534);
    ASSERT_TRUE(replica().datapath("netdev"));
    EXPECT_EQ(replica().datapath("netdev")->capabilities.at("nd_ext"), "true");
    EXPECT_THAT(host_.vsctl("show"), HasSubstr("fail_mode: secure"));
    EXPECT_EQ(session_->counters().transactions, 1U);
}

TEST_F(Server, EveryRowItMakesIsMarked) {
    auto want = desired();
    want.uplinks = {{"physnet1", "eth1"}};
    converge(want);
    EXPECT_EQ(replica().marked<Bridge>().size(), replica().rows<Bridge>().size());
    EXPECT_EQ(replica().marked<Port>().size(), replica().rows<Port>().size());
    EXPECT_EQ(replica().marked<Interface>().size(), replica().rows<Interface>().size());
    EXPECT_EQ(replica().marked<Controller>().size(), replica().rows<Controller>().size());
    EXPECT_EQ(replica().marked<Datapath>().size(), replica().rows<Datapath>().size());
}

TEST_F(Server, RepairsWhatWasChangedByHand) {
    const auto want = desired();
    converge(want);
    for (const std::string words :
         {"set bridge br-int fail_mode=standalone", "set bridge br-int protocols=OpenFlow13",
          "set bridge br-int other_config:datapath-id=00000000000000ff", "clear bridge br-int other_config",
          "set bridge br-int external_ids:weft=somebody", "set-controller br-int tcp:127.0.0.1:2",
          "set-controller br-int tcp:127.0.0.1:1 tcp:127.0.0.1:2", "del-controller br-int", "del-port weft-vxlan",
          "set interface weft-vxlan type=gre options={remote_ip=192.0.2.2}", "set port weft-vxlan tag=7",
          "remove interface weft-vxlan external_ids weft-role", "remove interface weft-vxlan external_ids weft",
          "remove port weft-vxlan external_ids weft", "set interface weft-vxlan bfd:enable=true",
          "clear open . datapaths"}) {
        const Replica before = replica();
        host_.vsctl(words);
        ASSERT_TRUE(becomes([&] { return !(replica() == before); })) << words;
        ASSERT_TRUE(becomes([&] { return !plan_rows(replica(), want)->empty(); })) << words;
        EXPECT_FALSE(converge(want).empty()) << words;
    }
    EXPECT_EQ(replica().datapath("netdev")->capabilities.at("nd_ext"), "true");
}

TEST_F(Server, LeavesRowsOfOthersAlone) {
    host_.vsctl("add-br br-other -- set bridge br-other datapath_type=netdev -- set bridge br-other "
                "external_ids:owner=admin -- add-port br-other eth9 -- set interface eth9 external_ids:iface-id=x");
    ASSERT_TRUE(
        becomes([&] { return replica().named<Interface>("eth9") && replica().named<Interface>("eth9")->ofport; }));
    const Bridge other = *replica().named<Bridge>("br-other");
    const Port port = *replica().named<Port>("eth9");
    const Interface interface = *replica().named<Interface>("eth9");
    converge(desired());
    apply(cleanup_rows(replica()));
    EXPECT_EQ(*replica().named<Bridge>("br-other"), other);
    EXPECT_EQ(*replica().named<Port>("eth9"), port);
    EXPECT_EQ(*replica().named<Interface>("eth9"), interface);
}

TEST_F(Server, RefusesAForeignBridgeUntilItIsHandedOver) {
    host_.vsctl("add-br br-int -- set bridge br-int datapath_type=netdev -- add-port br-int vnet0");
    ASSERT_TRUE(becomes([&] { return replica().named<Bridge>("br-int"); }));
    const auto refused = plan_rows(replica(), desired());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::refused);
    const auto command = refused.error().text.find("ovs-vsctl ");
    ASSERT_NE(command, std::string::npos) << refused.error().text;
    host_.vsctl(refused.error().text.substr(command + std::string("ovs-vsctl ").size()));
    ASSERT_TRUE(becomes([&] { return !replica().marked<Bridge>().empty(); }));
    converge(desired());
    EXPECT_TRUE(replica().named<Port>("vnet0"));
}

TEST_F(Server, JoinsAnExistingBridgeByAPatchPair) {
    host_.vsctl("add-br br-ex -- set bridge br-ex datapath_type=netdev");
    ASSERT_TRUE(becomes([&] { return replica().named<Bridge>("br-ex"); }));
    auto want = desired();
    want.uplinks = {{"physnet1", "br-ex"}};
    converge(want);
    const auto* near = replica().named<Interface>("weft-physnet1");
    const auto* far = replica().named<Interface>("weft-physnet1-p");
    ASSERT_TRUE(near && far);
    EXPECT_GT(near->ofport.value_or(-1), 0);
    EXPECT_GT(far->ofport.value_or(-1), 0);
    EXPECT_EQ(near->external_ids.at("weft-uplink"), "physnet1");
    EXPECT_EQ(replica().bridge_of(*replica().named<Port>("weft-physnet1-p"))->name, "br-ex");

    want.uplinks = {{"physnet1", "eth1"}};
    converge(want);
    EXPECT_FALSE(replica().named<Port>("weft-physnet1-p"));
    EXPECT_EQ(replica().named<Bridge>("br-ex")->ports.size(), 1U);
}

TEST_F(Server, CleansAHostThatLeft) {
    host_.vsctl("add-br br-ex -- set bridge br-ex datapath_type=netdev -- add-port br-ex vnet0 -- set interface vnet0 "
                "external_ids:iface-id=web1");
    ASSERT_TRUE(becomes([&] { return replica().named<Interface>("vnet0"); }));
    auto want = desired();
    want.uplinks = {{"physnet1", "br-ex"}};
    want.interface_keys = {{"vnet0", {{"weft-ready", "yes"}}}};
    converge(want);
    EXPECT_EQ(replica().named<Interface>("vnet0")->external_ids,
              (StringMap{{"iface-id", "web1"}, {"weft-ready", "yes"}}));
    apply(cleanup_rows(replica()));
    EXPECT_EQ(cleanup_rows(replica()), Transaction{});
    EXPECT_EQ(replica().named<Interface>("vnet0")->external_ids, (StringMap{{"iface-id", "web1"}}));
    EXPECT_EQ(host_.vsctl("list-br"), "br-ex\n");
    EXPECT_EQ(host_.vsctl("list-ports br-ex"), "vnet0\n");
    for (const std::string table : {"bridge", "port", "interface", "controller", "datapath"}) {
        EXPECT_EQ(host_.vsctl("--bare --columns=_uuid find " + table + " 'external_ids:weft!=\"\"'"), "") << table;
    }
}

TEST_F(Server, MovesToAnotherBridgeNameDatapathTypeAndControllers) {
    converge(desired());
    auto want = desired();
    want.bridge.name = "br-weft";
    converge(want);
    EXPECT_EQ(host_.vsctl("list-br"), "br-weft\n");
    want.bridge.datapath_type = "system";
    want.bridge.controllers = {"tcp:127.0.0.1:3", "tcp:127.0.0.1:4"};
    converge(want);
    EXPECT_FALSE(replica().datapath("netdev"));
    ASSERT_TRUE(replica().datapath("system"));
    EXPECT_TRUE(becomes([&] { return replica().datapath("system")->capabilities.contains("nd_ext"); }));
}

/// Any state of weft's rows leads to any other in one transaction, whatever strangers' rows stand beside.
TEST_F(Server, AnyPlanIsWholeAfterOneTransaction) {
    host_.vsctl(
        "add-br br-ex -- set bridge br-ex datapath_type=netdev -- add-port br-ex vnet0 -- add-port br-ex vnet1");
    ASSERT_TRUE(becomes([&] { return replica().named<Interface>("vnet1"); }));
    std::mt19937 random(7); // NOLINT(bugprone-random-generator-seed): the same sequence at every run
    const auto pick = [&random](int choices) { return static_cast<int>(random() % static_cast<unsigned>(choices)); };
    for (int round = 0; round < 60 && !HasFailure(); ++round) {
        DesiredRows want;
        want.owner_mark = pick(5) == 0 ? "h2" : "h1";
        want.bridge = {pick(4) == 0 ? "br-two" : "br-int", "netdev", fmt::format("{:016x}", pick(3) + 1), {}, {}};
        for (int i = pick(3); i >= 0; --i)
            want.bridge.controllers.push_back(fmt::format("tcp:127.0.0.1:{}", pick(3) + 1));
        want.bridge.protocols = pick(2) == 0 ? std::set<std::string>{"OpenFlow15"} : desired().bridge.protocols;
        for (int i = pick(4); i > 0; --i) {
            const std::string name = fmt::format("weft-t{}", pick(4));
            want.ports[name] = {
                name,
                pick(2) == 0 ? "vxlan" : "geneve",
                {{"remote_ip", fmt::format("192.0.2.{}", pick(3) + 1)}, {"key", std::to_string(pick(9))}},
                pick(2) == 0 ? StringMap{} : StringMap{{"enable", "true"}},
                {{"weft-role", std::to_string(pick(3))}}};
        }
        if (pick(2) == 0) want.uplinks["physnet1"] = pick(2) == 0 ? "br-ex" : "eth1";
        if (pick(2) == 0) want.interface_keys["vnet0"]["weft-ready"] = std::to_string(pick(3));
        if (pick(2) == 0) want.interface_keys["vnet1"]["weft-state"] = "x";
        converge(want);
    }
    EXPECT_EQ(replica().named<Bridge>("br-ex")->external_ids, StringMap{});
}

TEST_F(Server, ReportsWhatTheDatabaseRefuses) {
    const auto outcome = [&](std::string operation) {
        return run(io_, session_->transact({{std::move(operation)}, {}, false}));
    };
    const auto unknown = outcome(R"({"op":"insert","table":"Nonsense","row":{}})");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().kind, ErrorKind::refused);
    const auto dangling = outcome(fmt::format(
        R"({{"op":"mutate","table":"Open_vSwitch","where":[],"mutations":[["bridges","insert",["uuid","{}"]]]}})",
        Uuid{}.to_string()));
    ASSERT_FALSE(dangling);
    EXPECT_EQ(dangling.error().kind, ErrorKind::refused);
    EXPECT_THAT(dangling.error().text, HasSubstr("referential integrity"));
    EXPECT_FALSE(session_->ended());
}

TEST_F(Server, ReadsStatisticsOnDemand) {
    converge(desired());
    ASSERT_TRUE(becomes([&] {
        const auto statistics = run(io_, session_->interface_statistics());
        return statistics && statistics->contains("br-int") && statistics->at("br-int").contains("rx_packets");
    }));
}

TEST_F(Server, SaysWhenVswitchdDoesNotApply) {
    host_.kill_vswitchd();
    const auto plan = plan_rows(replica(), desired());
    const auto applied = run(io_, session_->transact(*plan));
    ASSERT_TRUE(applied);
    const auto configured = run(io_, session_->wait_configured(applied->next_cfg, 200ms));
    ASSERT_FALSE(configured);
    EXPECT_EQ(configured.error().kind, ErrorKind::timeout);
    expect_nothing_to_do(desired());
    host_.start_vswitchd();
    EXPECT_TRUE(run(io_, session_->wait_configured(applied->next_cfg, 10s)));
}

TEST_F(Server, EndsWithTheServerAndFindsEverythingAgainAfterwards) {
    converge(desired());
    host_.kill_server();
    EXPECT_EQ(run(io_, session_->closed()).kind, ErrorKind::io);
    EXPECT_EQ(*plan_rows(replica(), desired()), Transaction{});
    session_.reset();
    host_.start_server();
    connect_session();
    expect_nothing_to_do(desired());
}

std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                       ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(fd);
    return bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

TEST(ServerOverTls, IsASessionLikeAnyOther) {
    std::string directory = "/tmp/weft-tls-XXXXXX";
    ASSERT_TRUE(::mkdtemp(directory.data()));
    test::shell(
        fmt::format("cd {} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
                    "/CN=h1 -keyout key.pem -out cert.pem",
                    directory));
    const TlsFiles files{directory + "/key.pem", directory + "/cert.pem", directory + "/cert.pem"};
    const auto port = free_port();
    {
        const OvsHost host({fmt::format("--remote=pssl:{}:127.0.0.1", port), "--private-key=" + files.key,
                            "--certificate=" + files.certificate, "--ca-cert=" + files.ca});
        asio::io_context io;
        auto stream =
            run(io, connect(*Endpoint::parse(fmt::format("ssl:127.0.0.1:{}", port)), *tls_context(files), 5s));
        ASSERT_TRUE(stream) << stream.error().text;
        EXPECT_EQ((*stream)->peer_common_name(), "h1");
        auto session = run(io, Session::open(std::move(*stream)));
        ASSERT_TRUE(session) << session.error().text;
        const auto applied = run(io, session->transact(*plan_rows(session->replica(), desired())));
        ASSERT_TRUE(applied) << applied.error().text;
        EXPECT_TRUE(run(io, session->wait_configured(applied->next_cfg, 10s)));
        session->close();
        io.restart();
        io.run_for(100ms);
    }
    test::shell("rm -r " + directory);
}

} // namespace
} // namespace weft::ovsdb
