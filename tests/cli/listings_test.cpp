#include "tests/cli/scripted_daemon.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::cli {
namespace {

using test::ScriptedDaemon;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kStatus = R"({"revision":7,"converged":false,"hosts":[
  {"name":"kvm1","state":"synced","revision":7,"flows":812,"lag_ms":3,"reason":"","sent":{"flow_mods":12,"group_mods":1,"meter_mods":0,"ovsdb_ops":4}},
  {"name":"kvm2","state":"down","revision":6,"flows":0,"lag_ms":null,"reason":"connection refused","sent":{"flow_mods":0,"group_mods":0,"meter_mods":0,"ovsdb_ops":0}}]})";

TEST(Status, ShowsHostsAndAlwaysSucceeds) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/status", kStatus);
    const auto ran = daemon.weftctl({"status"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(
        ran.out,
        "revision 7, not converged\n"
        "\n"
        "HOST  STATE   REVISION  FLOWS  LAG MS  FLOW MODS  GROUP MODS  METER MODS  OVSDB OPS  REASON\n"
        "kvm1  synced         7    812       3         12           1           0          4  -\n"
        "kvm2  down           6      0       -          0           0           0          0  connection refused\n");
    EXPECT_EQ(ran.err, "");
}

TEST(Wait, GivesTheStatusAsJsonConvergedOrNot) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/status", kStatus); // not converged
    const auto ran = daemon.weftctl({"wait", "--timeout", "1s", "-o", "json"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(boost::json::parse(ran.out), boost::json::parse(kStatus));
}

TEST(Listings, PassJsonThrough) {
    ScriptedDaemon daemon;
    for (const auto* name : {"status", "hosts", "networks", "ports", "routers", "gateways", "groups", "qos", "nat"}) {
        daemon.answer(std::string("/v1/") + name, kStatus);
        for (const auto& arguments : {std::vector<std::string>{name, "-o", "json"}, {"-o", "json", name}}) {
            const auto ran = daemon.weftctl(arguments);
            EXPECT_EQ(ran.code, 0);
            EXPECT_EQ(boost::json::parse(ran.out), boost::json::parse(kStatus));
            // Keys keep their order.
            EXPECT_LT(ran.out.find("\"revision\""), ran.out.find("\"converged\""));
        }
    }
}

TEST(Listings, ColourOnlyOnATerminalAndNotWithNoColor) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/status", kStatus);
    EXPECT_THAT(daemon.weftctl({"status"}).out, Not(HasSubstr("\x1b")));
    daemon.terminal = true;
    EXPECT_THAT(daemon.weftctl({"status"}).out, HasSubstr("\x1b[32msynced\x1b[0m"));
    EXPECT_THAT(daemon.weftctl({"status", "-o", "json"}).out, Not(HasSubstr("\x1b")));
    daemon.variables["NO_COLOR"] = "1";
    daemon.variables["WEFT_API"] = daemon.address();
    EXPECT_THAT(daemon.weftctl({"status"}).out, Not(HasSubstr("\x1b")));
}

TEST(Listings, WatchUntilToldToStop) {
    ScriptedDaemon daemon;
    daemon.pauses = 2;
    daemon.answer("/v1/hosts", R"([{"name":"kvm1","state":"syncing"}])");
    daemon.answer("/v1/hosts", R"({"error":"restarting"})", 503);
    daemon.answer("/v1/hosts", R"([{"name":"kvm1","state":"synced"}])");
    const auto ran = daemon.weftctl({"hosts", "--watch"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, "NAME  STATE\nkvm1  syncing\nweftctl: restarting\nNAME  STATE\nkvm1  synced\n");
    daemon.terminal = true;
    EXPECT_THAT(daemon.weftctl({"hosts", "--watch"}).out, HasSubstr("\x1b[H\x1b[2J"));
}

TEST(Hosts, AreATable) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/hosts",
                  R"([{"name":"kvm1","state":"synced","reason":"","revision":7,"vtep":"192.0.2.11","bridge":"br-int",
                                    "ovsdb":"tcp:192.0.2.11:6640","datapath":"netdev","ports":2,"flows":812}])");
    EXPECT_EQ(daemon.weftctl({"hosts"}).out,
              "NAME  STATE   REVISION  PORTS  FLOWS  VTEP        BRIDGE  DATAPATH  OVSDB\n"
              "kvm1  synced         7      2    812  192.0.2.11  br-int  netdev    tcp:192.0.2.11:6640\n");
    ScriptedDaemon empty;
    empty.answer("/v1/hosts", "[]");
    EXPECT_EQ(empty.weftctl({"hosts"}).out, "no hosts\n");
}

TEST(Networks, AreATable) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/networks",
                  R"([{"name":"private1","kind":"vxlan","vni":5001,"vlan":null,"physnet":"","subnet":"10.0.1.0/24",
                                       "subnet6":"","mtu":1450,"ports":3,"hosts":["kvm1","kvm2"]}])");
    EXPECT_EQ(daemon.weftctl({"networks"}).out, "NAME      KIND    VNI  SUBNET        MTU  PORTS  HOSTS\n"
                                                "private1  vxlan  5001  10.0.1.0/24  1450      3  kvm1,kvm2\n");
}

TEST(Ports, ShowTheirTrunksInACell) {
    ScriptedDaemon daemon;
    daemon.answer(
        "/v1/ports",
        R"([{"name":"web1","network":"private1","host":"kvm1","interface":"vnet0","ofport":3,"mac":"52:54:00:00:01:10",
        "ips":["10.0.1.10","fd00::1"],"trunk":[{"network":"office","vlan":100,"ips":[]},{"network":"lab","vlan":200,"ips":[]}],
        "state":"up","rx_packets":10,"tx_packets":20}])");
    EXPECT_EQ(daemon.weftctl({"ports"}).out, "NAME  NETWORK   STATE  HOST  INTERFACE  OFPORT  MAC                IPS   "
                                             "             TRUNK               RX PACKETS  TX "
                                             "PACKETS\n"
                                             "web1  private1  up     kvm1  vnet0           3  52:54:00:00:01:10  "
                                             "10.0.1.10,fd00::1  office:100,lab:200          10     "
                                             "     20\n");
}

TEST(Routers, ShowTheirNetworksByName) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/routers", R"([
        {"name":"main","networks":[{"name":"private1","addresses":["10.0.1.1","fd00:1::1"]},{"name":"private2","addresses":["10.0.2.1"]}],
         "mac":"06:00:00:00:00:01","gateway":"igw1",
         "routes":[{"prefix":"192.168.50.0/24","via":"10.0.1.254","network":"private1"}],"hosts":["kvm1","kvm2"]},
        {"name":"other","networks":[{"name":"private3","addresses":["10.0.3.1"]}],
         "mac":"06:00:00:00:00:02","gateway":null,"routes":[],"hosts":[]}])");
    EXPECT_EQ(daemon.weftctl({"routers"}).out,
              "NAME   NETWORKS           GATEWAY  ROUTES  MAC                HOSTS\n"
              "main   private1,private2  igw1          1  06:00:00:00:00:01  kvm1,kvm2\n"
              "other  private3           -             0  06:00:00:00:00:02  -\n");
}

TEST(Groups, ShowALineForEachRule) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/groups", R"([
        {"name":"db","ports":[],"hosts":[],"rules":[]},
        {"name":"web","ports":["web1","web2"],"hosts":["kvm1"],
         "rules":[{"rule":"ingress tcp 80","declared":"t.toml:3:5","packets":12,"bytes":900},
                  {"rule":"egress any to group db","declared":"t.toml:4:5","packets":0,"bytes":0}]}])");
    EXPECT_EQ(daemon.weftctl({"groups"}).out, "NAME  PORTS  HOSTS  #  RULE                    PACKETS\n"
                                              "db        0  -      -  -                             -\n"
                                              "web       2  kvm1   1  ingress tcp 80               12\n"
                                              "-         -  -      2  egress any to group db        0\n");
}

TEST(Qos, ShowsALineForEachPartOfAClassAtEachPort) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/qos", R"([
        {"name":"gold","egress":{"rate":200000000,"burst":80000000},"ingress":{"rate":1500000,"burst":600000},"dscp":46,"guarantee":null,
         "ports":[{"port":"web1","host":"kvm1","what":"egress","acts":true,"how":"meter 0x3000a in guard","packets":12,"bytes":900,"dropped":3},
                  {"port":"web1","host":"kvm1","what":"dscp","acts":false,"how":"…","packets":null,"bytes":null,"dropped":null}]},
        {"name":"idle","egress":null,"ingress":null,"dscp":null,"guarantee":null,"ports":[]}])");
    EXPECT_EQ(daemon.weftctl({"qos"}).out,
              "NAME   EGRESS   INGRESS  DSCP  PORT  HOST  WHAT    ACTS  PACKETS  DROPPED\n"
              "gold  200mbit  1500kbit    46  web1  kvm1  egress  yes        12        3\n"
              "-           -         -     -  web1  kvm1  dscp    no          -        -\n"
              "idle        -         -     -  -     -     -       -           -        -\n");
}

TEST(Gateways, ShowTheirCandidatesAndNextHopsInCells) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/gateways", R"([
        {"name":"igw1","network":"public","address":"203.0.113.2","address6":null,"mac":"0e:00:00:00:00:01","active":"kvm2",
         "candidates":[{"host":"kvm1","state":"no uplink"},{"host":"kvm2","state":"active"}],
         "nexthop":{"address":"203.0.113.1","mac":null,"state":"resolving"},"nexthop6":null,
         "snat":["203.0.113.2"],"routers":["main"]},
        {"name":"igw2","network":"public","address":"203.0.113.3","address6":null,"mac":"0e:00:00:00:00:02","active":null,
         "candidates":[{"host":"kvm3","state":"down"}],"nexthop":null,"nexthop6":null,"snat":[],"routers":[]}])");
    EXPECT_EQ(daemon.weftctl({"gateways"}).out,
              "NAME  NETWORK  ADDRESS      ACTIVE  CANDIDATES                  NEXT HOP               ROUTERS\n"
              "igw1  public   203.0.113.2  kvm2    kvm1:no uplink,kvm2:active  203.0.113.1 resolving  main\n"
              "igw2  public   203.0.113.3  -       kvm3:down                   -                      -\n");
}

TEST(Nat, IsATable) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/nat", R"([
        {"gateway":"igw1","kind":"snat","public":"203.0.113.2","private":"10.0.1.0/24","router":"main","host":"kvm1","packets":7,"bytes":700},
        {"gateway":"igw1","kind":"port_forward","public":"203.0.113.2:tcp:2222","private":"web1 10.0.1.10:22","router":null,
         "host":null,"packets":0,"bytes":0}])");
    EXPECT_EQ(daemon.weftctl({"nat"}).out,
              "GATEWAY  KIND          PUBLIC                PRIVATE            ROUTER  HOST  PACKETS  BYTES\n"
              "igw1     snat          203.0.113.2           10.0.1.0/24        main    kvm1        7    700\n"
              "igw1     port_forward  203.0.113.2:tcp:2222  web1 10.0.1.10:22  -       -           0      0\n");
}

constexpr const char* kFlows =
    R"([{"host":"kvm1","table":1,"stage":"guard","priority":100,"match":"in_port=3","actions":"drop",
    "owner":"port/web1","reason":"spoofed_mac","packets":4,"bytes":400}])";

TEST(Flows, SendTheirFiltersEncoded) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/flows?owner=port%2Fweb%201&stage=guard&drops=1&hits=1&host=kvm1", kFlows);
    const auto ran =
        daemon.weftctl({"flows", "--host", "kvm1", "--owner", "port/web 1", "--stage", "guard", "--drops", "--hits"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, "HOST  TABLE  STAGE  PRIORITY  PACKETS  BYTES  OWNER      REASON       MATCH      ACTIONS\n"
                       "kvm1      1  guard       100        4    400  port/web1  spoofed_mac  in_port=3  drop\n");
}

TEST(Flows, AreRawInTheWordsOfOvs) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/flows?raw=1&host=kvm1", kFlows);
    EXPECT_EQ(daemon.weftctl({"flows", "--raw", "--host", "kvm1"}).out,
              "# kvm1\ntable=1, n_packets=4, n_bytes=400, priority=100,in_port=3 actions=drop\n");
}

TEST(Flows, OfAllHostsButThoseThatDoNotAnswer) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/hosts", R"([{"name":"kvm1"},{"name":"kvm2"}])");
    daemon.answer("/v1/flows?host=kvm1", kFlows);
    daemon.answer("/v1/flows?host=kvm2", R"({"error":"kvm2 does not answer: no answer in time"})", 503);
    const auto ran = daemon.weftctl({"flows", "-o", "json"});
    EXPECT_EQ(boost::json::parse(ran.out), boost::json::parse(kFlows));
    EXPECT_EQ(ran.err, "weftctl: kvm2 does not answer: no answer in time\n");
    EXPECT_EQ(ran.code, 1);
    daemon.answer("/v1/flows?host=kvm2", kFlows);
    EXPECT_EQ(daemon.weftctl({"flows"}).code, 1);
    EXPECT_EQ(boost::json::parse(daemon.weftctl({"flows", "-o", "json"}).out).as_array().size(), 2U);
    EXPECT_EQ(daemon.weftctl({"flows"}).code, 0);
}

TEST(Flows, OfWhatIsNotThereAreOneError) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/hosts", R"([{"name":"kvm1"},{"name":"kvm2"}])");
    daemon.answer("/v1/flows?owner=prot%2Fa&host=kvm1", R"({"error":"no object 'prot/a': did you mean 'port/a'?"})",
                  404);
    const auto ran = daemon.weftctl({"flows", "--owner", "prot/a"});
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err, "weftctl: no object 'prot/a': did you mean 'port/a'?\n");
    EXPECT_EQ(ran.code, 1);
}

TEST(Show, PrintsEverythingAboutAnObject) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/show/port/web1", R"({"name":"web1","state":"up"})");
    EXPECT_EQ(daemon.weftctl({"show", "port", "web1"}).out, "name   web1\nstate  up\n");
    EXPECT_EQ(daemon.weftctl({"show", "prot", "web1"}).err, "weftctl: no kind 'prot': did you mean 'port'?\n");
    daemon.answer("/v1/show/network/a%2Fb", R"({"error":"no network 'a/b'"})", 404);
    const auto ran = daemon.weftctl({"show", "network", "a/b"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "weftctl: no network 'a/b'\n");
}

TEST(Names, AreForCompletionAndSilentWithoutADaemon) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/hosts", R"([{"name":"kvm1"},{"name":"kvm2"}])");
    EXPECT_EQ(daemon.weftctl({"names", "host"}).out, "kvm1\nkvm2\n");
    daemon.answer("/v1/groups", R"([{"name":"web"}])");
    EXPECT_EQ(daemon.weftctl({"names", "security_group"}).out, "web\n");
    daemon.answer("/v1/nat", R"([{"kind":"snat","public":"203.0.113.2"},{"kind":"floating_ip","public":"203.0.113.20"},
                                 {"kind":"port_forward","public":"203.0.113.2:tcp:2222"}])");
    EXPECT_EQ(daemon.weftctl({"names", "floating_ip"}).out, "203.0.113.20\n");
    EXPECT_EQ(daemon.weftctl({"names", "port_forward"}).out, "203.0.113.2:tcp:2222\n");
    const auto ran = daemon.weftctl({"names", "port"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out + ran.err, "");
}

constexpr const char* kEvent1 =
    R"({"seq":1,"time":"2024-05-01T12:00:00.123Z","kind":"host_synced","host":"kvm1","object":"","text":"synced at revision 1"})";
constexpr const char* kEvent2 =
    R"({"seq":2,"time":"2024-05-01T12:00:01.000Z","kind":"port_up","host":"kvm1","object":"port web1","text":"up on vnet0"})";
constexpr const char* kEvent3 =
    R"({"seq":3,"time":"2024-05-01T12:00:02.000Z","kind":"topology_applied","host":"","object":"","text":"revision 2"})";

std::string batch(const std::vector<std::string>& events, int next) {
    std::string text = R"({"events":[)";
    for (const auto& event : events)
        text += (text.ends_with('[') ? "" : ",") + event;
    return text + R"(],"next":)" + std::to_string(next) + "}";
}

TEST(Events, AreLines) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/events?since=0", batch({kEvent1, kEvent2, kEvent3}, 4));
    EXPECT_EQ(daemon.weftctl({"events"}).out,
              "2024-05-01T12:00:00.123Z  kvm1                      synced at revision 1\n"
              "2024-05-01T12:00:01.000Z  kvm1/port web1            up on vnet0\n"
              "2024-05-01T12:00:02.000Z  weftd                     revision 2\n");
    EXPECT_EQ(daemon.weftctl({"events", "-n", "1"}).out,
              "2024-05-01T12:00:02.000Z  weftd                     revision 2\n");
    const auto value = boost::json::parse(daemon.weftctl({"events", "-o", "json", "-n", "2"}).out);
    ASSERT_TRUE(value.is_array());
    EXPECT_EQ(value.get_array().size(), 2U);
    EXPECT_EQ(value.get_array()[0], boost::json::parse(kEvent2));
}

TEST(Events, FollowAcrossARestart) {
    ScriptedDaemon daemon;
    daemon.pauses = 2;
    daemon.answer("/v1/events?since=0", batch({kEvent1}, 2));
    daemon.answer("/v1/events?since=2&wait=25", batch({kEvent2}, 3));
    daemon.answer("/v1/events?since=3&wait=25", R"({"error":"restarting"})", 503);
    daemon.answer("/v1/events?since=3&wait=25", batch({kEvent3}, 4));
    const auto ran = daemon.weftctl({"events", "--follow", "-o", "json"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, std::string(kEvent1) + "\n" + kEvent2 + "\n" + kEvent3 + "\n");
    EXPECT_EQ(ran.err, "weftctl: restarting\n");
}

} // namespace
} // namespace weft::cli
