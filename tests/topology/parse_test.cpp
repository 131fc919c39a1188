#include "tests/topology/texts.hpp"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>

namespace weft::topology {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

Topology everything() {
    const auto sources = load(WEFT_SOURCE_DIR "/configs/examples/everything.toml");
    EXPECT_TRUE(sources) << sources.error().text;
    auto parsed = parse(*sources);
    EXPECT_EQ(rendered(parsed, *sources), "");
    return std::move(parsed.topology);
}

TEST(Parse, ReadsEveryKindAndKey) {
    const auto t = everything();
    EXPECT_THAT(t.host_order, ElementsAre("kvm1", "kvm2", "kvm3"));
    const auto& kvm1 = t.hosts.at("kvm1");
    EXPECT_EQ(kvm1.ovsdb, "tcp:192.0.2.11:6640");
    EXPECT_EQ(kvm1.vtep, Ip::parse("192.0.2.11"));
    EXPECT_EQ(kvm1.datapath, Datapath::system);
    EXPECT_EQ(kvm1.libvirt, "qemu+tls://kvm1.example/system");
    EXPECT_EQ(kvm1.uplinks.at("physnet2"), "br-ext");

    const auto& net = t.networks.at("private1");
    EXPECT_EQ(net.vni, 5001);
    EXPECT_EQ(net.dhcp->range->to_string(), "10.0.1.100-10.0.1.200");
    EXPECT_EQ(net.dhcp->lease, 12h);
    EXPECT_EQ(net.dhcp->dns.at(1), *Ip::parse("2001:db8::53"));
    EXPECT_EQ(net.dhcp->domain, "private1.example");
    EXPECT_EQ(net.dhcp->ntp.size(), 1U);
    EXPECT_THAT(net.reserved, ElementsAre(AddressRange{*Ip::parse("10.0.1.2"), *Ip::parse("10.0.1.9")},
                                          AddressRange{*Ip::parse("10.0.1.150"), *Ip::parse("10.0.1.150")}));
    ASSERT_EQ(net.acl.size(), 3U);
    EXPECT_FALSE(net.acl[0].allow);
    EXPECT_THAT(net.acl[0].ports, ElementsAre(PortRange{25, 25}, PortRange{465, 587}));
    EXPECT_EQ(net.acl[1].protocol, (Protocol{Protocol::Class::number, 47}));
    EXPECT_EQ(net.acl[1].family, Family::ipv6);
    EXPECT_EQ(t.networks.at("office").vlan, 100);
    EXPECT_EQ(t.networks.at("public").kind, NetworkKind::flat);

    const auto& web = t.ports.at("web1");
    EXPECT_EQ(web.mac->to_string(), "52:54:00:00:01:10");
    EXPECT_EQ(web.ip6, Ip::parse("fd00:1::10"));
    EXPECT_THAT(web.security_groups, ElementsAre("web", "admin"));
    EXPECT_EQ(web.allowed_addresses.at(0), *Prefix::parse("10.0.1.250/32"));
    EXPECT_EQ(t.ports.at("firewall1").trunk.at(1).vlan, 200);
    EXPECT_FALSE(t.ports.at("firewall1").port_security);
    EXPECT_FALSE(t.ports.at("monitor").native);
    EXPECT_EQ(t.ports.at("db1").lab_host, "kvm2");

    EXPECT_EQ(t.routers.at("main").routes.at(0).via, *Ip::parse("10.0.1.254"));
    EXPECT_EQ(t.gateways.at("igw1").snat.at(1).to_string(), "203.0.113.10-203.0.113.13");
    EXPECT_EQ(t.floating_ips.at(*Ip::parse("203.0.113.20")).port, "db1");
    const auto& forward = t.port_forwards.at("203.0.113.2:udp:8000-8010");
    EXPECT_EQ(forward.to_port, "web1");
    EXPECT_EQ(forward.to_ports, (PortRange{9000, 9010}));
    EXPECT_EQ(t.security_groups.at("web").rules.at(1).remote_group, "app");
    const auto& gold = t.qos.at("gold");
    EXPECT_EQ(gold.egress->burst_bits, 80'000'000U);
    EXPECT_EQ(gold.ingress->burst_bits, 64U * 1024 * 8);
    EXPECT_EQ(gold.guarantee_bits_per_second, 50'000'000U);
    EXPECT_EQ(t.lab_endpoints.at("internet").addresses.size(), 2U);
    const auto& vm = t.lab_vms.at("web1");
    EXPECT_EQ(vm.mac, t.ports.at("web1").mac);
    EXPECT_EQ(std::pair(vm.portgroup, vm.memory), std::pair(std::string("web"), std::uint64_t{128} << 20));
    EXPECT_EQ(t.lab_endpoints.at("printer").addresses.at(0).to_string(), "192.168.100.77/24");
}

TEST(Parse, FillsInDefaults) {
    const auto t = sound(R"(
[[host]]
name = "h"
vtep = "192.0.2.1"
uplinks = { p = "eth1" }
[[network]]
name = "a"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "b"
kind = "vlan"
vlan = 9
physnet = "p"
subnet = "10.0.2.0/24"
[[network]]
name = "c"
kind = "local"
[[network]]
name = "quiet"
kind = "local"
subnet = "10.0.3.0/24"
dhcp = false
[[port]]
name = "p"
network = "a"
[[gateway]]
name = "g"
network = "b"
address = "10.0.2.2"
hosts = ["h"]
[[gateway]]
name = "untranslated"
network = "b"
address = "10.0.2.3"
snat = []
hosts = ["h"]
[[qos]]
name = "q"
egress = { rate = "200mbit" }
[[security_group]]
name = "empty"
)");
    EXPECT_EQ(t.hosts.at("h").bridge, "br-int");
    EXPECT_FALSE(t.hosts.at("h").datapath);
    EXPECT_EQ(t.networks.at("a").mtu, 1450);
    EXPECT_EQ(t.networks.at("b").mtu, 1500);
    EXPECT_EQ(t.networks.at("a").gateway, Ip::parse("10.0.1.1"));
    EXPECT_EQ(t.networks.at("a").gateway6, Ip::parse("fd00:1::1"));
    EXPECT_EQ(t.networks.at("a").dhcp, Dhcp{});
    EXPECT_EQ(Dhcp{}.lease, 12h);
    EXPECT_FALSE(t.networks.at("b").dhcp);
    EXPECT_FALSE(t.networks.at("c").dhcp);
    EXPECT_FALSE(t.networks.at("quiet").dhcp);
    EXPECT_TRUE(t.ports.at("p").native);
    EXPECT_TRUE(t.ports.at("p").port_security);
    EXPECT_EQ(t.gateways.at("g").snat.at(0).to_string(), "10.0.2.2");
    EXPECT_TRUE(t.gateways.at("untranslated").snat.empty());
    EXPECT_EQ(t.qos.at("q").egress->burst_bits, 80'000'000U);
}

TEST(Parse, LeavesRoomForAnIpv6UnderlayInTheMtu) {
    const auto t = sound("[[host]]\nname = \"h\"\nvtep = \"2001:db8::1\"\n"
                         "[[network]]\nname = \"a\"\nkind = \"vxlan\"\n"
                         "[[network]]\nname = \"b\"\nkind = \"vxlan\"\nmtu = 9000\n");
    EXPECT_EQ(t.networks.at("a").mtu, 1430);
    EXPECT_EQ(t.networks.at("b").mtu, 9000);
}

TEST(Parse, AllowsWhatIsUnusualButLegal) {
    sound(R"(
[[network]]                      # a flat and a vlan network of one physical network
name = "flat"
kind = "flat"
physnet = "p"
subnet = "10.0.0.0/24"
[[network]]
name = "vlan"
kind = "vlan"
vlan = 5
physnet = "p"
[[network]]                      # overlaps "flat": neither is routed
name = "other"
kind = "vxlan"
subnet = "10.0.0.0/16"
[[port]]                         # the gateway of an unrouted network may be a VM
name = "firewall"
network = "other"
ip = "10.0.0.1"
[[port]]                         # untagged traffic is dropped, so `other` may be tagged
name = "tagged"
network = "other"
native = false
trunk = [ { network = "other", vlan = 5 }, { network = "vlan", vlan = 6 } ]
)");
    // Two routers without a common gateway may overlap.
    sound(R"(
network = [ { name = "a", kind = "vxlan", subnet = "10.0.0.0/24" }, { name = "b", kind = "vxlan", subnet = "10.0.0.0/24" } ]
router = [ { name = "a", networks = ["a"] }, { name = "b", networks = ["b"] } ]
)");
}

TEST(Parse, ReportsOnlyTheSyntaxErrorOfABrokenFileAndReadsTheOthers) {
    const std::vector<Source> sources{{"1.toml", "[[network]]\nname = \"a\"\nkind = vxlan\n"},
                                      {"2.toml", "[[port]]\nname = \"p\"\nnetwork = \"a\"\ncolour = 1\n"}};
    const auto parsed = parse(sources);
    ASSERT_EQ(parsed.problems.size(), 2U);
    EXPECT_EQ(parsed.problems[0].where.to_string(), "1.toml:3:8");
    EXPECT_THAT(parsed.problems[0].text, HasSubstr("TOML syntax"));
    EXPECT_EQ(parsed.problems[1].where.to_string(), "2.toml:4:1");
    EXPECT_FALSE(parsed.ok());
}

TEST(Parse, ReportsAKeyWrittenTwice) {
    EXPECT_THAT(problems_of("[[host]]\nname = \"a\"\nname = \"b\"\n"), HasSubstr("t.toml:3:"));
}

TEST(Parse, WantsListsOfTables) {
    EXPECT_THAT(problems_of("host = 3\n"), HasSubstr("'host' must be a list of tables"));
    EXPECT_THAT(problems_of("[host.kvm1]\n"), HasSubstr("write [[host]]"));
    EXPECT_THAT(problems_of("host = [ 3 ]\n"), HasSubstr("'host' must hold tables only"));
    EXPECT_THAT(problems_of("lab = 3\n"), HasSubstr("unknown key 'lab'"));
}

TEST(Parse, MergesFilesAndNamesBothPlacesOfADouble) {
    const std::vector<Source> sources{
        {"1.toml", "[[host]]\nname = \"b\"\n[[network]]\nname = \"x\"\nkind = \"vxlan\"\n"},
        {"2.toml", "[[host]]\nname = \"a\"\n[[network]]\nname = \"x\"\nkind = \"local\"\n"}};
    const auto parsed = parse(sources);
    EXPECT_THAT(parsed.topology.host_order, ElementsAre("b", "a"));
    ASSERT_EQ(parsed.problems.size(), 1U);
    EXPECT_EQ(parsed.problems[0].where.to_string(), "2.toml:4:8");
    EXPECT_EQ(parsed.problems[0].other.to_string(), "1.toml:4:8");
}

class Directory : public ::testing::Test {
  protected:
    Directory() { std::filesystem::create_directories(path_); }
    ~Directory() override { std::filesystem::remove_all(path_); }
    void write(const std::string& name, const std::string& text) { std::ofstream(path_ / name) << text; }
    std::filesystem::path path_ = std::filesystem::path(::testing::TempDir()) / "weft-topology-load";
};

TEST_F(Directory, IsReadInNameOrder) {
    write("20-b.toml", "b");
    write("10-a.toml", "a");
    write("notes.txt", "c");
    write(".hidden.toml", "d");
    const auto sources = load(path_.string());
    ASSERT_TRUE(sources);
    EXPECT_THAT(*sources,
                ElementsAre(Source{(path_ / "10-a.toml").string(), "a"}, Source{(path_ / "20-b.toml").string(), "b"}));
}

TEST_F(Directory, WithoutFilesIsAnError) {
    EXPECT_THAT(load(path_.string()).error().text, HasSubstr("no *.toml"));
    EXPECT_THAT(load((path_ / "absent.toml").string()).error().text, HasSubstr("No such file"));
    write("empty.toml", "");
    EXPECT_EQ(load((path_ / "empty.toml").string())->at(0).text, "");
}

TEST(Origin, KnowsTheKeysOfItsObject) {
    const auto t = sound("[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.0.0.0/24\"\n"
                         "dhcp = { range = \"10.0.0.5\" }\n");
    const auto& origin = t.networks.at("n").origin;
    EXPECT_EQ(origin.to_string(), "t.toml:1:1");
    EXPECT_EQ(origin.at("subnet").to_string(), "t.toml:4:10");
    EXPECT_EQ(origin.at("dhcp.range").to_string(), "t.toml:5:18");
    EXPECT_EQ(origin.at("mtu").to_string(), "t.toml:1:1");
    EXPECT_FALSE(origin.wrote("mtu"));
}

} // namespace
} // namespace weft::topology
