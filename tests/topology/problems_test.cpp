// One row for every rule of the topology file: a mistake, the place it must be reported at (marked § in the text) and
// words of the message. Each mistake must be the only problem: nothing may follow from it.
#include "topology/parse.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::topology {
namespace {

struct Mistake {
    std::string_view message;
    std::string_view text;
};

/// Stands after every mistake, so that the mistake's lines begin at 1.
constexpr std::string_view kSound = R"(
[[host]]
name = "kvm1"
vtep = "192.0.2.11"
ovsdb = "tcp:192.0.2.11:6640"
uplinks = { physnet1 = "eth1" }
[[network]]
name = "red"
kind = "vxlan"
vni = 5001
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.2.0/24"
[[network]]
name = "wire"
kind = "vxlan"
[[network]]
name = "alone"
kind = "local"
subnet = "10.3.0.0/24"
[[network]]
name = "office"
kind = "vlan"
vlan = 100
physnet = "physnet1"
subnet = "192.168.1.0/24"
[[network]]
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"
[[port]]
name = "web1"
network = "red"
mac = "52:54:00:00:00:01"
ip = "10.0.1.10"
[[port]]
name = "db1"
network = "blue"
[[port]]
name = "edge"
network = "public"
ip = "203.0.113.50"
[[router]]
name = "main"
networks = ["red"]
gateway = "igw1"
[[gateway]]
name = "igw1"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
hosts = ["kvm1"]
[[floating_ip]]
address = "203.0.113.20"
port = "web1"
gateway = "igw1"
[[port_forward]]
gateway = "igw1"
address = "203.0.113.2"
protocol = "tcp"
ports = "2222"
to = "web1:22"
[[security_group]]
name = "app"
[[qos]]
name = "gold"
egress = { rate = "100mbit" }
)";

void expect_only(const Mistake& mistake, Severity severity) {
    SCOPED_TRACE(mistake.text);
    constexpr std::string_view kMark = "§";
    std::string text(mistake.text);
    const auto mark = text.find(kMark);
    ASSERT_NE(mark, std::string::npos);
    text.erase(mark, kMark.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(mark), '\n');
    const auto column = mark - (mark == 0 ? 0 : text.rfind('\n', mark - 1) + 1) + 1;

    const std::vector<Source> sources{{"t.toml", text + std::string(kSound)}};
    const auto parsed = parse(sources);
    std::string all;
    for (const auto& problem : parsed.problems)
        all += render(problem, sources);
    SCOPED_TRACE(all);
    ASSERT_EQ(parsed.problems.size(), 1U);
    const auto& problem = parsed.problems.front();
    EXPECT_EQ(problem.where.to_string(), fmt::format("t.toml:{}:{}", line, column));
    EXPECT_THAT(problem.text + "\n" + problem.remedy, ::testing::HasSubstr(std::string(mistake.message)));
    EXPECT_EQ(problem.severity, severity);
}

TEST(Problems, ASoundTopologyHasNone) {
    const std::vector<Source> sources{{"t.toml", std::string(kSound)}};
    const auto parsed = parse(sources);
    for (const auto& problem : parsed.problems)
        ADD_FAILURE() << render(problem, sources);
}

constexpr Mistake kShape[] = {
    {"unknown key 'netwrok'\ndid you mean 'network'?", "[[§netwrok]]\n"},
    {"unknown key 'lab.endpont'\ndid you mean 'endpoint'?", "[[lab.§endpont]]\n"},
    {"unknown key 'zzz'", "§zzz = 1\n"},
    {"'lab.endpoint' must be a list of tables", "[lab.§endpoint]\n"},
    {"missing 'name' in [[host]]", "§[[host]]\n"},
    {"missing 'kind' in [[network]]", "§[[network]]\nname = \"n\"\n"},
    {"missing 'network' in [[port]]", "§[[port]]\nname = \"p\"\n"},
    {"missing 'networks' in [[router]]", "§[[router]]\nname = \"r\"\n"},
    {"missing 'hosts' in [[gateway]]", "§[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\n"},
    {"missing 'port' in [[floating_ip]]", "§[[floating_ip]]\naddress = \"203.0.113.21\"\ngateway = \"igw1\"\n"},
    {"missing 'physnet' in [[lab.endpoint]]", "§[[lab.endpoint]]\nname = \"e\"\n"},
    {"missing 'host' in [[lab.vm]]", "§[[lab.vm]]\nname = \"v\"\nnetwork = \"red\"\n"},
    {"'name' must be a name of letters", "[[host]]\nname = §\"-kvm\"\n"},
    {"'name' must be a name of letters", "[[host]]\nname = §\"\"\n"},
    {"at most 63 long", "[[host]]\nname = §\"a234567890123456789012345678901234567890123456789012345678901234\"\n"},
    {"'name' must be a name of letters, digits, '.', '_' and '-'", "[[host]]\nname = §7\n"},
};

TEST(Problems, OfShape) {
    for (const auto& mistake : kShape)
        expect_only(mistake, Severity::error);
}

constexpr Mistake kHosts[] = {
    {"'ovsdb' must be \"tcp:ADDRESS:PORT\"", "[[host]]\nname = \"h\"\novsdb = §\"kvm1:6640\"\n"},
    {"'vtep' must be a unicast IP address", "[[host]]\nname = \"h\"\nvtep = §\"224.0.0.1\"\n"},
    {"another host has the vtep 192.0.2.7 too", "[[host]]\nname = \"h\"\nvtep = \"192.0.2.7\"\n"
                                                "[[host]]\nname = \"g\"\nvtep = §\"192.0.2.7\"\n"},
    {"another host has bridge 'br-int' at unix:/a too", "[[host]]\nname = \"h\"\novsdb = \"unix:/a\"\n"
                                                        "[[host]]\nname = \"g\"\novsdb = §\"unix:/a\"\n"},
    {"'bridge' must be an interface name of 1 to 15", "[[host]]\nname = \"h\"\nbridge = §\"a-much-too-long-bridge\"\n"},
    {"'datapath' must be \"system\" or \"netdev\"", "[[host]]\nname = \"h\"\ndatapath = §\"dpdk\"\n"},
    {"'libvirt' must be a libvirt URI", "[[host]]\nname = \"h\"\nlibvirt = §\"system\"\n"},
    {"'libvirt' has a password in it, which libvirt does not take from a URI\ntake it out: use qemu+ssh://",
     "[[host]]\nname = \"h\"\nlibvirt = §\"qemu+tcp://root:it's@kvm1:16509/system\"\n"},
    {"'uplinks' must be a table", "[[host]]\nname = \"h\"\nuplinks = §\"eth1\"\n"},
    {"'p1' must be an interface name", "[[host]]\nname = \"h\"\nuplinks = { p1 = §1 }\n"},
    {"a physical network must be a name", "[[host]]\nname = \"h\"\nuplinks = { \"a b\" = §\"eth1\" }\n"},
    {"'eth1' is the uplink of 'p1' already", "[[host]]\nname = \"h\"\nuplinks = { p1 = \"eth1\", p2 = §\"eth1\" }\n"},
    {"unknown key 'vteps' in [[host]]\ndid you mean 'vtep'?", "[[host]]\nname = \"h\"\n§vteps = \"192.0.2.1\"\n"},
};

constexpr Mistake kNetworks[] = {
    {"'kind' must be \"vxlan\", \"vlan\", \"flat\" or \"local\", not \"vxlna\"\ndid you mean 'vxlan'?",
     "[[network]]\nname = \"n\"\nkind = §\"vxlna\"\nvlan = 3\n"},
    {"'vni' must be an integer from 1 to 16777215", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nvni = §16777216\n"},
    {"'vni' must be an integer", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nvni = §\"7\"\n"},
    {"'vlan' must be an integer from 1 to 4094, not 4095",
     "[[network]]\nname = \"n\"\nkind = \"vlan\"\nphysnet = \"physnet1\"\nvlan = §4095\n"},
    {"of kind \"vlan\" needs 'vlan'", "§[[network]]\nname = \"n\"\nkind = \"vlan\"\nphysnet = \"physnet1\"\n"},
    {"of kind \"vlan\" needs 'physnet'", "§[[network]]\nname = \"n\"\nkind = \"vlan\"\nvlan = 7\n"},
    {"of kind \"flat\" needs 'physnet'", "§[[network]]\nname = \"n\"\nkind = \"flat\"\n"},
    {"'vni' is only for networks of kind \"vxlan\"", "[[network]]\nname = \"n\"\nkind = \"local\"\nvni = §7\n"},
    {"'vlan' is only for networks of kind \"vlan\"", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nvlan = §7\n"},
    {"'physnet' is only for networks", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nphysnet = §\"physnet1\"\n"},
    {"'mtu' must be an integer from 68 to 9216", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nmtu = §67\n"},
    {"mtu 1279 is too small for 'subnet6'",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nmtu = §1279\nsubnet6 = \"fd00:9::/64\"\n"},
    {"did you mean \"10.4.0.0/24\"?", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = §\"10.4.0.9/24\"\n"},
    {"from /1 to /30", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = §\"10.4.0.0/31\"\n"},
    {"'subnet6' must be an IPv6 prefix", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet6 = §\"10.4.0.0/24\"\n"},
    {"gateway 10.5.0.1 is outside 10.4.0.0/24\nleave it out for 10.4.0.1",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.4.0.0/24\"\ngateway = §\"10.5.0.1\"\n"},
    {"gateway 10.4.0.255 is the broadcast address",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.4.0.0/24\"\ngateway = §\"10.4.0.255\"\n"},
    {"gateway fd00:9:: is the subnet-router anycast address",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet6 = \"fd00:9::/64\"\ngateway6 = §\"fd00:9::\"\n"},
    {"'gateway' without 'subnet'", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\ngateway = §\"10.4.0.1\"\n"},
    {"'dhcp' on a network without a subnet", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\ndhcp = §{}\n"},
    {"'dhcp' must be false or a table", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\ndhcp = §true\n"},
    {"the range 10.5.0.1-10.5.0.9 is not within 'subnet'",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.4.0.0/24\"\ndhcp = { range = §\"10.5.0.1-10.5.0.9\" "
     "}\n"},
    {"'lease' must be a duration",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.4.0.0/24\"\ndhcp = { lease = §\"12 h\" }\n"},
    {"'domain' must be a domain name",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.4.0.0/24\"\ndhcp = { domain = §\"a..b\" }\n"},
    {"each of 'dns' must be a unicast IP address", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = "
                                                   "\"10.4.0.0/24\"\ndhcp = { dns = [\"10.4.0.1\", §\"x\"] }\n"},
    {"unknown key 'leas' in 'dhcp' of [[network]]\ndid you mean 'lease'?",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.4.0.0/24\"\ndhcp = { §leas = \"1h\" }\n"},
    {"reserved 10.5.0.7 is in no subnet of network 'n'", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = "
                                                         "\"10.4.0.0/24\"\nreserved = [\"10.4.0.7\", §\"10.5.0.7\"]\n"},
    {"did you mean \"10.4.0.2-10.4.0.9\"?",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.4.0.0/24\"\nreserved = [§\"10.4.0.9-10.4.0.2\"]\n"},
    {"another network has vni 77 too", "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nvni = 77\n"
                                       "[[network]]\nname = \"m\"\nkind = \"vxlan\"\nvni = §77\n"},
    {"another network is vlan 7 of 'physnet1' too",
     "[[network]]\nname = \"n\"\nkind = \"vlan\"\nphysnet = \"physnet1\"\nvlan = 7\n"
     "[[network]]\nname = \"m\"\nkind = \"vlan\"\nphysnet = \"physnet1\"\nvlan = §7\n"},
    {"missing 'action' in an acl entry",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nacl = [ §{ direction = \"ingress\" } ]\n"},
    {"'action' must be \"allow\" or \"deny\"",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nacl = [ { action = §\"drop\", direction = \"ingress\" } ]\n"},
    {"'direction' must be \"ingress\" or \"egress\"",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nacl = [ { action = \"deny\", direction = §\"in\" } ]\n"},
    {"protocol icmp has no ports",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\n"
     "acl = [ { action = \"deny\", direction = \"egress\", protocol = \"icmp\", ports = §[\"8\"] } ]\n"},
};

constexpr Mistake kPorts[] = {
    {"there is no network 'redd'\ndid you mean 'red'?", "[[port]]\nname = \"p\"\nnetwork = §\"redd\"\n"},
    {"there is no network 'nowhere'\ndefine it with [[network]]", "[[port]]\nname = \"p\"\nnetwork = §\"nowhere\"\n"},
    {"'mac' must be a unicast MAC", "[[port]]\nname = \"p\"\nnetwork = \"red\"\nmac = §\"01:54:00:00:01:10\"\n"},
    {"'ip' must be a unicast IPv4 address", "[[port]]\nname = \"p\"\nnetwork = \"red\"\nip = §\"fd00:1::9\"\n"},
    {"10.0.9.9 is outside 10.0.1.0/24, the subnet of network 'red'",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nip = §\"10.0.9.9\"\n"},
    {"10.0.1.0 is the network address", "[[port]]\nname = \"p\"\nnetwork = \"red\"\nip = §\"10.0.1.0\"\n"},
    {"10.0.1.255 is the broadcast address", "[[port]]\nname = \"p\"\nnetwork = \"red\"\nip = §\"10.0.1.255\"\n"},
    {"10.0.1.1 is the router's address in network 'red'",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nip = §\"10.0.1.1\"\n"},
    {"fd00:2::1 is outside fd00:1::/64", "[[port]]\nname = \"p\"\nnetwork = \"red\"\nip6 = §\"fd00:2::1\"\n"},
    {"network 'wire' has no 'subnet' for 10.0.0.1", "[[port]]\nname = \"p\"\nnetwork = \"wire\"\nip = §\"10.0.0.1\"\n"},
    {"10.0.1.77 is in use already in network 'red'",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nip = \"10.0.1.77\"\n"
     "[[port]]\nname = \"o\"\nnetwork = \"red\"\nip = §\"10.0.1.77\"\n"},
    {"203.0.113.20 is floating IP 203.0.113.20",
     "[[port]]\nname = \"p\"\nnetwork = \"public\"\nip = §\"203.0.113.20\"\n"},
    {"203.0.113.2 is the address of gateway 'igw1'",
     "[[port]]\nname = \"p\"\nnetwork = \"public\"\nip = §\"203.0.113.2\"\n"},
    {"MAC 52:54:00:00:00:aa is in use already",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nmac = \"52:54:00:00:00:aa\"\n"
     "[[port]]\nname = \"o\"\nnetwork = \"blue\"\nmac = §\"52:54:00:00:00:AA\"\n"},
    {"VM 'v' has 2 ports: port 'o' needs a 'mac'",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nvm = \"v\"\nmac = \"52:54:00:00:00:aa\"\n"
     "[[port]]\nname = \"o\"\nnetwork = \"blue\"\nvm = §\"v\"\n"},
    {"there is no security_group 'apps'\ndid you mean 'app'?",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nsecurity_groups = [\"app\", §\"apps\"]\n"},
    {"'app' is listed twice in 'security_groups'",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nsecurity_groups = [\"app\", §\"app\"]\n"},
    {"'security_groups' must be a list of strings, not \"app\"\nwrite [\"app\"]",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nsecurity_groups = §\"app\"\n"},
    {"there is no qos 'gould'\ndid you mean 'gold'?", "[[port]]\nname = \"p\"\nnetwork = \"red\"\nqos = §\"gould\"\n"},
    {"'native' must be true or false", "[[port]]\nname = \"p\"\nnetwork = \"red\"\nnative = §\"yes\"\n"},
    {"port 'p' carries nothing", "[[port]]\nname = \"p\"\nnetwork = \"red\"\nnative = §false\n"},
    {"did you mean \"10.9.0.0/16\"?",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nallowed_addresses = [§\"10.9.1.0/16\"]\n"},
    {"there is no network 'bleu'\ndid you mean 'blue'?",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\ntrunk = [ { network = §\"bleu\", vlan = 3 } ]\n"},
    {"missing 'vlan' in a trunk entry",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\ntrunk = [ §{ network = \"blue\" } ]\n"},
    {"each of 'trunk' must be a table", "[[port]]\nname = \"p\"\nnetwork = \"red\"\ntrunk = [ §\"blue\" ]\n"},
    {"VLAN 3 is twice in the trunk of port 'p'", "[[port]]\nname = \"p\"\nnetwork = \"red\"\ntrunk = [ { network = "
                                                 "\"blue\", vlan = 3 }, { network = \"wire\", vlan = §3 } ]\n"},
    {"network 'blue' is twice in port 'p'\na port is in a network once",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\ntrunk = [ { network = \"blue\", vlan = 3 }, { network = §\"blue\", "
     "vlan = 4 } ]\n"},
    {"network 'red' is twice in port 'p'\nit is the port's untagged network already",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\ntrunk = [ { network = §\"red\", vlan = 3 } ]\n"},
    {"10.9.9.9 is outside 10.0.2.0/24",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\ntrunk = [ { network = \"blue\", vlan = 3, ip = §\"10.9.9.9\" } ]\n"},
};

constexpr Mistake kRouters[] = {
    {"there is no network 'grey'", "[[router]]\nname = \"r\"\nnetworks = [\"blue\", §\"grey\"]\n"},
    {"router 'r' has no networks", "[[router]]\nname = \"r\"\nnetworks = §[]\n"},
    {"'blue' is listed twice in 'networks'", "[[router]]\nname = \"r\"\nnetworks = [\"blue\", §\"blue\"]\n"},
    {"network 'blue' is in another router too", "[[router]]\nname = \"r\"\nnetworks = [\"blue\"]\n"
                                                "[[router]]\nname = \"q\"\nnetworks = [§\"blue\"]\n"},
    {"network 'alone' is local: it has no router", "[[router]]\nname = \"r\"\nnetworks = [§\"alone\"]\n"},
    {"network 'wire' has no subnet to route", "[[router]]\nname = \"r\"\nnetworks = [§\"wire\"]\n"},
    {"there is no gateway 'igw2'\ndid you mean 'igw1'?",
     "[[router]]\nname = \"r\"\nnetworks = [\"blue\"]\ngateway = §\"igw2\"\n"},
    {"10.0.2.0/25 of network 'n' overlaps 10.0.2.0/24 of network 'blue' in router 'r'",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.0.2.0/25\"\n"
     "[[router]]\nname = \"r\"\nnetworks = [\"blue\", §\"n\"]\n"},
    {"missing 'via' in a route",
     "[[router]]\nname = \"r\"\nnetworks = [\"blue\"]\nroutes = [ §{ prefix = \"10.7.0.0/16\" } ]\n"},
    {"10.9.0.1 is in no subnet of router 'r'", "[[router]]\nname = \"r\"\nnetworks = [\"blue\"]\nroutes = [ { prefix = "
                                               "\"10.7.0.0/16\", via = §\"10.9.0.1\" } ]\n"},
    {"10.0.2.1 is the router's own address", "[[router]]\nname = \"r\"\nnetworks = [\"blue\"]\nroutes = [ { prefix = "
                                             "\"10.7.0.0/16\", via = §\"10.0.2.1\" } ]\n"},
    {"10.0.2.9 is of another family than fd00:7::/64", "[[router]]\nname = \"r\"\nnetworks = [\"blue\"]\nroutes = [ { "
                                                       "prefix = \"fd00:7::/64\", via = §\"10.0.2.9\" } ]\n"},
    {"a second route to 10.7.0.0/16 in router 'r'",
     "[[router]]\nname = \"r\"\nnetworks = [\"blue\"]\nroutes = [ { prefix = \"10.7.0.0/16\", via = \"10.0.2.8\" }, "
     "{ prefix = §\"10.7.0.0/16\", via = \"10.0.2.9\" } ]\n"},
};

constexpr Mistake kGateways[] = {
    {"there is no network 'pubic'\ndid you mean 'public'?",
     "[[gateway]]\nname = \"g\"\nnetwork = §\"pubic\"\naddress = \"203.0.113.3\"\nhosts = [\"kvm1\"]\n"},
    {"network 'blue' of gateway 'g' is not physical",
     "[[gateway]]\nname = \"g\"\nnetwork = §\"blue\"\naddress = \"10.0.2.3\"\nhosts = [\"kvm1\"]\n"},
    {"gateway 'g' has no address", "§[[gateway]]\nname = \"g\"\nnetwork = \"public\"\nhosts = [\"kvm1\"]\n"},
    {"203.0.114.3 is outside 203.0.113.0/24",
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = §\"203.0.114.3\"\nsnat = []\nhosts = [\"kvm1\"]\n"},
    {"203.0.114.1 is outside 203.0.113.0/24", "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = "
                                              "\"203.0.113.3\"\nnexthop = §\"203.0.114.1\"\nhosts = [\"kvm1\"]\n"},
    {"gateway 'g' is its own next hop", "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = "
                                        "\"203.0.113.3\"\nsnat = []\nnexthop = §\"203.0.113.3\"\nhosts = [\"kvm1\"]\n"},
    {"network 'public' has no 'subnet6' for 2001:db8::2",
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\naddress6 = §\"2001:db8::2\"\nhosts = "
     "[\"kvm1\"]\n"},
    {"gateway 'g' has no candidate host",
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nhosts = §[]\n"},
    {"there is no host 'kvm9'\ndid you mean 'kvm1'?",
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nhosts = [\"kvm1\", §\"kvm9\"]\n"},
    {"'kvm1' is listed twice in 'hosts'",
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nhosts = [\"kvm1\", §\"kvm1\"]\n"},
    {"2001:db8::5 is not IPv4", "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nsnat = "
                                "[§\"2001:db8::5\"]\nhosts = [\"kvm1\"]\n"},
    {"includes the network or broadcast address",
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nsnat = "
     "[§\"203.0.113.200-203.0.113.255\"]\nhosts = [\"kvm1\"]\n"},
    {"203.0.113.5 of network 'public' is claimed twice",
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\n"
     "snat = [\"203.0.113.4-203.0.113.5\", §\"203.0.113.5-203.0.113.6\"]\nhosts = [\"kvm1\"]\n"},
    {"is claimed twice: by the address of gateway 'g' and by the address of gateway 'f'\nan address belongs to one "
     "gateway",
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nsnat = []\nhosts = [\"kvm1\"]\n"
     "[[gateway]]\nname = \"f\"\nnetwork = \"public\"\naddress = §\"203.0.113.3\"\nsnat = []\nhosts = [\"kvm1\"]\n"},
    {"10.0.2.0/24 of network 'blue' overlaps 10.0.2.0/24 of network 'n' behind the same gateway 'g'",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.0.2.0/24\"\n"
     "[[router]]\nname = \"r\"\nnetworks = [\"n\"]\ngateway = \"g\"\n"
     "[[router]]\nname = \"q\"\nnetworks = [§\"blue\"]\ngateway = \"g\"\n"
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nhosts = [\"kvm1\"]\n"},
    {"the route to 10.0.2.128/25 of router 'r' overlaps 10.0.2.0/24 of router 'q' behind the same gateway 'g'",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.0.77.0/24\"\n"
     "[[router]]\nname = \"r\"\nnetworks = [\"n\"]\ngateway = \"g\"\n"
     "routes = [ { prefix = §\"10.0.2.128/25\", via = \"10.0.77.5\" } ]\n"
     "[[router]]\nname = \"q\"\nnetworks = [\"blue\"]\ngateway = \"g\"\n"
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nhosts = [\"kvm1\"]\n"},
};

constexpr Mistake kTranslations[] = {
    {"203.0.113.77 is in 203.0.113.64/26, a route of router 'q' behind the same gateway 'g'",
     "[[router]]\nname = \"q\"\nnetworks = [\"blue\"]\ngateway = \"g\"\n"
     "routes = [ { prefix = \"203.0.113.64/26\", via = \"10.0.2.5\" } ]\n"
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nsnat = [§\"203.0.113.77\"]\n"
     "hosts = [\"kvm1\"]\n"},
    {"'address' must be a unicast IPv4 address",
     "[[floating_ip]]\naddress = §\"2001:db8::1\"\nport = \"web1\"\ngateway = \"igw1\"\n"},
    {"there is no port 'web2'\ndid you mean 'web1'?",
     "[[floating_ip]]\naddress = \"203.0.113.21\"\nport = §\"web2\"\ngateway = \"igw1\"\n"},
    {"there is no gateway 'igw'", "[[floating_ip]]\naddress = \"203.0.113.21\"\nport = \"db1\"\ngateway = §\"igw\"\n"},
    {"port 'db1' is not behind gateway 'igw1'",
     "[[floating_ip]]\naddress = \"203.0.113.21\"\nport = §\"db1\"\ngateway = \"igw1\"\n"},
    {"203.0.113.1 is the next hop of gateway 'igw1'",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\n"
     "[[floating_ip]]\naddress = §\"203.0.113.1\"\nport = \"p\"\ngateway = \"igw1\"\n"},
    {"203.0.113.255 is the broadcast address",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\n"
     "[[floating_ip]]\naddress = §\"203.0.113.255\"\nport = \"p\"\ngateway = \"igw1\"\n"},
    {"port 'p' has a floating IP of this gateway already",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\n"
     "[[floating_ip]]\naddress = \"203.0.113.21\"\nport = \"p\"\ngateway = \"igw1\"\n"
     "[[floating_ip]]\naddress = \"203.0.113.22\"\nport = §\"p\"\ngateway = \"igw1\"\n"},
    {"port 'p' has a port forward and a distributed floating IP",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\n"
     "[[floating_ip]]\naddress = \"203.0.113.21\"\nport = §\"p\"\ngateway = \"igw1\"\ndistributed = true\n"
     "[[port_forward]]\ngateway = \"igw1\"\naddress = \"203.0.113.2\"\nprotocol = \"udp\"\nports = \"53\"\nto = "
     "\"p:53\"\n"},
    {"a distributed floating IP cannot share its address with a port forward",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\n"
     "[[floating_ip]]\naddress = \"203.0.113.21\"\nport = \"p\"\ngateway = \"igw1\"\ndistributed = true\n"
     "[[port_forward]]\ngateway = \"igw1\"\naddress = §\"203.0.113.21\"\nprotocol = \"udp\"\nports = \"53\"\nto = "
     "\"web1:53\"\n"},
    {"'protocol' must be \"tcp\", \"udp\" or \"sctp\"",
     "[[port_forward]]\ngateway = \"igw1\"\naddress = \"203.0.113.2\"\nprotocol = §\"icmp\"\nports = \"1\"\nto = "
     "\"web1:1\"\n"},
    {"'ports' must be a port or a range like \"8000-8010\", within 1 to 65535, not 80\nput it in quotes: \"80\"",
     "[[port_forward]]\ngateway = \"igw1\"\naddress = \"203.0.113.2\"\nprotocol = \"tcp\"\nports = §80\nto = "
     "\"web1:1\"\n"},
    {"'to' must be a port and its L4 port", "[[port_forward]]\ngateway = \"igw1\"\naddress = \"203.0.113.2\"\nprotocol "
                                            "= \"tcp\"\nports = \"80\"\nto = §\"web1\"\n"},
    {"11 ports are forwarded to 1", "[[port_forward]]\ngateway = \"igw1\"\naddress = \"203.0.113.2\"\nprotocol = "
                                    "\"tcp\"\nports = \"8000-8010\"\nto = §\"web1:80\"\n"},
    {"SCTP keeps its port number\nwrite \"web1:80\"",
     "[[port_forward]]\ngateway = \"igw1\"\naddress = \"203.0.113.2\"\nprotocol = \"sctp\"\nports = \"80\"\nto = "
     "§\"web1:81\"\n"},
    {"is claimed twice: by port forward 203.0.113.2:udp:50-60 and by port forward 203.0.113.2:udp:53\none port has one "
     "forward",
     "[[port_forward]]\ngateway = \"igw1\"\naddress = \"203.0.113.2\"\nprotocol = \"udp\"\nports = \"50-60\"\nto = "
     "\"web1:50-60\"\n"
     "[[port_forward]]\ngateway = \"igw1\"\naddress = §\"203.0.113.2\"\nprotocol = \"udp\"\nports = \"53\"\nto = "
     "\"web1:53\"\n"},
};

constexpr Mistake kPolicy[] = {
    {"missing 'direction' in a rule", "[[security_group]]\nname = \"g\"\nrules = [ §{ protocol = \"tcp\" } ]\n"},
    {"'protocol' must be \"any\"",
     "[[security_group]]\nname = \"g\"\nrules = [ { direction = \"ingress\", protocol = §256 } ]\n"},
    {"did you mean 'icmp'?",
     "[[security_group]]\nname = \"g\"\nrules = [ { direction = \"ingress\", protocol = §\"icpm\" } ]\n"},
    {"protocol any has no ports",
     "[[security_group]]\nname = \"g\"\nrules = [ { direction = \"ingress\", ports = §[\"80\"] } ]\n"},
    {"'ports' is empty",
     "[[security_group]]\nname = \"g\"\nrules = [ { direction = \"ingress\", protocol = \"tcp\", ports = §[] } ]\n"},
    {"each of 'ports' must be a port or a range", "[[security_group]]\nname = \"g\"\nrules = [ { direction = "
                                                  "\"ingress\", protocol = \"tcp\", ports = [\"80\", §\"0\"] } ]\n"},
    {"did you mean \"80-90\"?", "[[security_group]]\nname = \"g\"\nrules = [ { direction = \"ingress\", protocol = "
                                "\"tcp\", ports = [§\"90-80\"] } ]\n"},
    {"there is no security_group 'ap'",
     "[[security_group]]\nname = \"g\"\nrules = [ { direction = \"ingress\", remote_group = §\"ap\" } ]\n"},
    {"'remote' and 'remote_group' in one rule\nwrite two rules",
     "[[security_group]]\nname = \"g\"\nrules = [ { direction = \"ingress\", remote = \"10.0.0.0/8\", remote_group = "
     "§\"app\" } ]\n"},
    {"remote 10.0.0.0/8 is of another family", "[[security_group]]\nname = \"g\"\nrules = [ { direction = \"ingress\", "
                                               "remote = \"10.0.0.0/8\", family = §\"ipv6\" } ]\n"},
    {"missing 'rate' in 'egress' of [[qos]]", "[[qos]]\nname = \"q\"\negress = §{}\n"},
    {"'rate' must be a rate", "[[qos]]\nname = \"q\"\ningress = { rate = §\"10Mbit\" }\n"},
    {"'rate' must be a rate", "[[qos]]\nname = \"q\"\ningress = { rate = §\"99999999999999999999gbit\" }\n"},
    {"'burst' must be a size", "[[qos]]\nname = \"q\"\ningress = { rate = \"1gbit\", burst = §\"0KiB\" }\n"},
    {"'dscp' must be an integer from 0 to 63", "[[qos]]\nname = \"q\"\ndscp = §64\n"},
    {"qos 'q' guarantees more than its egress rate",
     "[[qos]]\nname = \"q\"\nguarantee = §\"2gbit\"\negress = { rate = \"1gbit\" }\n"},
    {"'vlan' must be an integer", "[[lab.endpoint]]\nname = \"e\"\nphysnet = \"physnet1\"\nvlan = §0\n"},
    {"'ip' must be an address with its length",
     "[[lab.endpoint]]\nname = \"e\"\nphysnet = \"physnet1\"\nip = §\"1.2.3.4/33\"\n"},
    {"there is no host 'kvm9'\ndid you mean 'kvm1'?",
     "[[lab.vm]]\nname = \"v\"\nhost = §\"kvm9\"\nnetwork = \"red\"\n"},
    {"there is no network 'redd'\ndid you mean 'red'?",
     "[[lab.vm]]\nname = \"v\"\nhost = \"kvm1\"\nnetwork = §\"redd\"\n"},
    {"'memory' must be a size like \"128MiB\"",
     "[[lab.vm]]\nname = \"v\"\nhost = \"kvm1\"\nnetwork = \"red\"\nmemory = §\"16MiB\"\n"},
    {"lab VM 'v' is defined twice", "[[lab.vm]]\nname = \"v\"\nhost = \"kvm1\"\nnetwork = \"red\"\n"
                                    "[[lab.vm]]\nname = §\"v\"\nhost = \"kvm1\"\nnetwork = \"red\"\n"},
    {"MAC 52:54:00:00:09:01 is in use already",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\nmac = \"52:54:00:00:09:01\"\n"
     "[[lab.vm]]\nname = \"v\"\nhost = \"kvm1\"\nnetwork = \"red\"\nmac = §\"52:54:00:00:09:01\"\n"},
};

constexpr Mistake kWarnings[] = {
    {"'lease' is too short for guests to renew in time",
     "[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet = \"10.4.0.0/24\"\ndhcp = { lease = §\"5s\" }\n"},
    {"no host has an uplink to physical network 'physnet2'\ndid you mean 'physnet1'?",
     "[[network]]\nname = \"n\"\nkind = \"flat\"\nphysnet = §\"physnet2\"\n"},
    {"no uplink to 'physnet1' on h, k: VMs there do not reach network 'n' by router 'r'",
     "[[host]]\nname = \"h\"\nuplinks = { lan = \"eth1\" }\n[[host]]\nname = \"k\"\nuplinks = { lan = \"eth1\" }\n"
     "[[host]]\nname = \"settings\"\n[[network]]\nname = \"m\"\nkind = \"vxlan\"\nsubnet = \"10.98.0.0/24\"\n"
     "[[network]]\nname = \"n\"\nkind = \"vlan\"\nphysnet = \"physnet1\"\nvlan = 77\nsubnet = \"10.99.0.0/24\"\n"
     "[[router]]\nname = \"r\"\nnetworks = [\"m\", §\"n\"]\n"},
    {"no guarantee on host 'h': its datapath is \"netdev\"",
     "[[host]]\nname = \"h\"\ndatapath = \"netdev\"\n[[qos]]\nname = \"q\"\nguarantee = §\"1mbit\"\n"},
    {"198.51.100.7 is outside 203.0.113.0/24",
     "[[port]]\nname = \"p\"\nnetwork = \"red\"\n"
     "[[floating_ip]]\naddress = §\"198.51.100.7\"\nport = \"p\"\ngateway = \"igw1\"\n"},
    {"198.51.100.8 is outside 203.0.113.0/24", "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = "
                                               "\"203.0.113.3\"\nsnat = [§\"198.51.100.8\"]\nhosts = [\"kvm1\"]\n"},
    {"host 'h' has no uplink to 'physnet1'",
     "[[host]]\nname = \"h\"\nuplinks = { other = \"eth9\" }\n"
     "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\naddress = \"203.0.113.3\"\nhosts = [\"kvm1\", §\"h\"]\n"},
};

TEST(Problems, OfHosts) {
    for (const auto& mistake : kHosts)
        expect_only(mistake, Severity::error);
}
TEST(Problems, OfNetworks) {
    for (const auto& mistake : kNetworks)
        expect_only(mistake, Severity::error);
}
TEST(Problems, OfPorts) {
    for (const auto& mistake : kPorts)
        expect_only(mistake, Severity::error);
}
TEST(Problems, OfRouters) {
    for (const auto& mistake : kRouters)
        expect_only(mistake, Severity::error);
}
TEST(Problems, OfGateways) {
    for (const auto& mistake : kGateways)
        expect_only(mistake, Severity::error);
}
TEST(Problems, OfMoreSnatRangesThanOneGroupTakes) {
    const auto problems = [](int ranges) {
        std::string text = std::string(kSound) + "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\n"
                                                 "address = \"203.0.113.3\"\nhosts = [\"kvm1\"]\nsnat = [";
        for (int i = 0; i < ranges; ++i)
            text += fmt::format("\"198.18.{}.{}\", ", i / 100, 2 * (i % 100) + 1);
        auto parsed = parse({{"t.toml", text + "]\n"}});
        std::erase_if(parsed.problems, [](const Problem& one) { return one.severity != Severity::error; });
        return parsed.problems;
    };
    EXPECT_EQ(problems(256).size(), 0U);
    ASSERT_EQ(problems(257).size(), 1U);
    EXPECT_EQ(problems(257).front().text, "gateway 'g' has 257 SNAT ranges: 256 at most");
}

TEST(Problems, OfMoreCandidatesThanOneGroupTakes) {
    const auto problems = [](int candidates) {
        std::string text = std::string(kSound);
        std::string names;
        for (int i = 0; i < candidates; ++i) {
            text += fmt::format("[[host]]\nname = \"h{}\"\nuplinks = {{ physnet1 = \"eth1\" }}\n", i);
            names += fmt::format("\"h{}\", ", i);
        }
        auto parsed = parse({{"t.toml", text +
                                            "[[gateway]]\nname = \"g\"\nnetwork = \"public\"\n"
                                            "address = \"203.0.113.3\"\nhosts = [" +
                                            names + "]\n"}});
        std::erase_if(parsed.problems, [](const Problem& one) { return one.severity != Severity::error; });
        return parsed.problems;
    };
    EXPECT_EQ(problems(256).size(), 0U);
    ASSERT_EQ(problems(257).size(), 1U);
    EXPECT_EQ(problems(257).front().text, "gateway 'g' has 257 candidates: 256 at most");
}

TEST(Problems, OfTranslations) {
    for (const auto& mistake : kTranslations)
        expect_only(mistake, Severity::error);
}
TEST(Problems, OfPolicy) {
    for (const auto& mistake : kPolicy)
        expect_only(mistake, Severity::error);
}
TEST(Problems, ThatAreWarnings) {
    for (const auto& mistake : kWarnings)
        expect_only(mistake, Severity::warning);
}

} // namespace
} // namespace weft::topology
