#include "cli/import_convert.hpp"
#include "cli/import_toml.hpp"
#include "tests/cli/import_file.hpp"
#include "tests/cli/import_texts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace weft::cli {
namespace {

using test::errors_of;
using test::everything;
using test::parsed;
using test::uncommented;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using topology::NetworkKind;

topology::Topology imported(const HostTexts& texts) {
    return parsed(to_toml(import_host(texts)));
}
topology::Topology completed(const HostTexts& texts) {
    return parsed(uncommented(to_toml(import_host(texts))));
}

HostTexts only_network(const std::string& xml) {
    return {.uri = "qemu:///system", .name = "kvm1", .networks = {{xml, {}}}};
}
HostTexts default_and_nic(const std::string& nic) {
    auto texts = only_network(test::kNatNetwork);
    texts.domains = {{"", "<domain><name>vm</name><devices><interface type='network'><mac address='52:54:00:00:00:01'/>"
                          "<source network='default'/>" +
                              nic + "</interface></devices></domain>"}};
    return texts;
}

TEST(Import, IsValidAsItIsAndWhenCompleted) {
    const auto toml = to_toml(import_host(everything()));
    EXPECT_EQ(errors_of(toml), "") << toml;
    EXPECT_EQ(errors_of(uncommented(toml)), "") << toml;
    EXPECT_TRUE(parsed(toml).gateways.empty());
}

TEST(Import, NamesTheHost) {
    const auto host = imported(everything()).hosts.at("kvm1.example.com");
    EXPECT_EQ(host.libvirt, "qemu:///system");
    EXPECT_EQ(host.ovsdb, "");
    // An Open vSwitch bridge stays what it is; of a Linux bridge the NIC is not known.
    EXPECT_THAT(host.uplinks, ElementsAre(std::pair("ovsbr0", "ovsbr0")));
    EXPECT_THAT(completed(everything()).hosts.at("kvm1.example.com").uplinks, Contains(std::pair("br0", "eth1")));
}

TEST(Import, MakesAVxlanNetworkOfNat) {
    const auto topology = imported(everything());
    const auto& network = topology.networks.at("default");
    EXPECT_EQ(network.kind, NetworkKind::vxlan);
    EXPECT_EQ(network.subnet->to_string(), "192.168.122.0/24");
    EXPECT_EQ(network.gateway->to_string(), "192.168.122.1");
    EXPECT_EQ(network.subnet6->to_string(), "fd00:122::/64");
    EXPECT_EQ(network.gateway6->to_string(), "fd00:122::1");
    ASSERT_TRUE(network.dhcp);
    EXPECT_EQ(network.dhcp->range->to_string(), "192.168.122.100-192.168.122.254");
    EXPECT_EQ(network.dhcp->lease, std::chrono::hours(2));
    EXPECT_EQ(network.dhcp->domain, "vms.example");
    EXPECT_THAT(network.dhcp->dns,
                ElementsAre(*Ip::parse("192.168.122.1"), *Ip::parse("fd00:122::1"), *Ip::parse("9.9.9.9")));
    // Between the ranges, and what a machine has that is not here.
    ASSERT_EQ(network.reserved.size(), 2U);
    EXPECT_EQ(network.reserved[0].to_string(), "192.168.122.150-192.168.122.199");
    EXPECT_EQ(network.reserved[1].to_string(), "192.168.122.99");
    const auto& router = topology.routers.at("default");
    EXPECT_THAT(router.networks, ElementsAre("default"));
    ASSERT_EQ(router.routes.size(), 1U);
    EXPECT_EQ(router.routes[0].prefix.to_string(), "10.50.0.0/16");
}

TEST(Import, RoutesWhatLibvirtRoutes) {
    const auto topology = imported(everything());
    const auto& network = topology.networks.at("dmz");
    EXPECT_EQ(network.kind, NetworkKind::vxlan);
    EXPECT_EQ(network.gateway->to_string(), "10.20.0.254");
    EXPECT_EQ(network.mtu, 9000);
    EXPECT_FALSE(network.dhcp) << "libvirt serves none there";
    EXPECT_THAT(topology.routers.at("routed").networks, ElementsAre("dmz"));
    EXPECT_TRUE(completed(everything()).gateways.at("routed").snat.empty());
}

TEST(Import, KeepsIsolatedNetworksOnTheHost) {
    const auto topology = imported(everything());
    const auto& network = topology.networks.at("back-end");
    EXPECT_EQ(network.kind, NetworkKind::local);
    EXPECT_FALSE(network.origin.wrote("gateway")) << "its guests have no default route";
    EXPECT_EQ(network.dhcp->range->to_string(), "192.168.152.2-192.168.152.254");
    EXPECT_TRUE(network.dhcp->dns.empty());
    const auto lost = import_host(everything()).lost;
    EXPECT_THAT(lost, Contains("network 'back end' is named 'back-end' here"));
    EXPECT_THAT(lost, Contains("network 'back end': its DNS forwarders: write them into `resolvers` of weftd.toml"));
}

TEST(Import, MakesSegmentsOfBridges) {
    const auto topology = imported(everything());
    EXPECT_EQ(topology.networks.at("host-bridge").kind, NetworkKind::flat);
    EXPECT_EQ(topology.networks.at("host-bridge").physnet, "br0");
    EXPECT_EQ(topology.networks.at("ovs").kind, NetworkKind::flat);
    EXPECT_EQ(topology.networks.at("ovs-office").vlan, 42);
    EXPECT_EQ(topology.networks.at("ovs-office").physnet, "ovsbr0");
    EXPECT_EQ(topology.networks.at("ovsbr0-vlan123").vlan, 123);
    EXPECT_FALSE(topology.networks.contains("direct-macvtap"));
}

TEST(Import, MakesPortsOfNics) {
    const auto topology = imported(everything());
    const auto& web1 = topology.ports.at("web1");
    EXPECT_EQ(web1.vm, "web1");
    EXPECT_EQ(web1.mac->to_string(), "52:54:00:12:20:11");
    EXPECT_EQ(web1.network, "default");
    EXPECT_EQ(web1.ip->to_string(), "192.168.122.11");
    EXPECT_EQ(topology.ports.size(), 5U);
    const auto& flat = topology.ports.at("dge-router-1");
    EXPECT_EQ(flat.vm, "édge router");
    EXPECT_EQ(flat.network, "host-bridge");
    const auto& trunk = topology.ports.at("dge-router-2");
    EXPECT_EQ(trunk.network, "ovsbr0-vlan123");
    ASSERT_EQ(trunk.trunk.size(), 1U);
    EXPECT_EQ(trunk.trunk[0].network, "ovs-office");
    EXPECT_EQ(trunk.trunk[0].vlan, 42);
    EXPECT_EQ(topology.ports.at("dge-router-3").network, "ovs-office");
    // <source bridge='virbr0'> is the network of that bridge.
    EXPECT_EQ(topology.ports.at("dge-router-6").network, "default");
    EXPECT_THAT(to_toml(import_host(everything())), HasSubstr("# Its lease: ip = \"192.168.122.57\" keeps it.\n"));
}

TEST(Import, ConvertsRatesExactly) {
    const auto topology = imported(everything());
    const auto& web1 = topology.qos.at(topology.ports.at("web1").qos);
    EXPECT_EQ(web1.ingress, (topology::Rate{8'000'000, 1024 * 8192}));
    EXPECT_EQ(web1.egress, (topology::Rate{8'000'000, 3'200'000})); // libvirt says no burst: weft's default
    const auto& office = topology.qos.at(topology.ports.at("dge-router-3").qos);
    EXPECT_EQ(office.egress, (topology::Rate{1'024'000, 256 * 8192}));
    EXPECT_THAT(import_host(everything()).lost,
                Contains("NIC 52:54:00:12:20:23 of VM 'édge router': the peak of its inbound <bandwidth>"));
}

TEST(Import, SharesEqualRates) {
    auto texts = everything();
    texts.domains = {{"", test::kWeb1}};
    std::string other = test::kWeb1;
    other.replace(other.find("web1"), 4, "web2");
    other.replace(other.find("20:11"), 5, "20:12");
    texts.domains.push_back({"", other});
    const auto topology = imported(texts);
    EXPECT_EQ(topology.qos.size(), 1U);
    EXPECT_EQ(topology.ports.at("web1").qos, topology.ports.at("web2").qos);
}

TEST(Import, SaysWhatDoesNotCarryOver) {
    const auto lost = import_host(everything()).lost;
    for (const auto* line :
         {"network 'default': tftp", "network 'default': bootp: netboot by DHCP",
          "network 'default': the <port> range of <nat>", "network 'default': the DNS TXT record 'example'",
          "network 'default': the DNS <forwarder> of domain 'corp.example'",
          "network 'default': the DNS name 'www.vms.example' of 192.168.122.11: weft's names are those of ports",
          "network 'default': the DHCP <host> 192.168.122.99: no NIC here has its MAC 52:54:00:12:20:99; the address "
          "is "
          "reserved",
          "network 'direct-macvtap': <forward mode='bridge'> without a bridge: weft has no macvtap and no device "
          "assignment",
          "network 'dmz': <bandwidth> of the whole network: [[qos]] is of ports",
          "network 'ovs': portgroup 'office' is the network 'ovs-office' here",
          "NIC 52:54:00:12:20:24 of VM 'édge router': <interface type='direct'> of eth3: weft has bridges only",
          "NIC 52:54:00:12:20:25 of VM 'édge router': <interface type='user'>: weft has bridges only",
          "NIC 52:54:00:12:20:11 of VM 'web1': nwfilter 'clean-traffic': `port_security` does that, and is on",
          "NIC 52:54:00:12:20:26 of VM 'édge router': nwfilter 'my-firewall': write a [[security_group]] that does the "
          "same",
          "bridge br0: write the NIC that is in it into `uplinks` of the host",
          "port 'édge router-1' is named 'dge-router-1' here"})
        EXPECT_THAT(lost, Contains(line));
}

TEST(Import, MakesTranslationsOfRules) {
    const auto topology = completed(everything());
    const auto& gateway = topology.gateways.at("igw");
    EXPECT_EQ(gateway.address->to_string(), "198.51.100.5") << "the address that rules name";
    EXPECT_EQ(topology.networks.at("public").subnet->to_string(), "198.51.100.0/24");
    EXPECT_EQ(topology.routers.at("default").gateway, "igw");
    std::vector<std::string> forwards;
    for (const auto& [name, forward] : topology.port_forwards)
        forwards.push_back(name + " " + forward.to_port + ":" + forward.to_ports.to_string());
    EXPECT_THAT(forwards, testing::UnorderedElementsAre(
                              "198.51.100.5:tcp:2201 web1:22", "198.51.100.5:tcp:80 web1:80",
                              "198.51.100.5:tcp:443 web1:443", "198.51.100.5:udp:5000-5010 web1:6000-6010",
                              "198.51.100.5:tcp:9000-9005 web1:9000-9005", "198.51.100.5:tcp:1110 web1:110",
                              "198.51.100.5:tcp:995 web1:995", "198.51.100.5:udp:7000-7009 web1:7000-7009"));
    ASSERT_EQ(topology.floating_ips.size(), 1U);
    EXPECT_EQ(topology.floating_ips.begin()->second.port, "dge-router-6");
    const auto lost = import_host(everything()).lost;
    EXPECT_THAT(lost, Contains("iptables-save:14: the forward to 192.168.122.77: no NIC has that address"));
    EXPECT_THAT(lost, Contains("1 DNAT rule to addresses outside of libvirt's networks"));
    EXPECT_THAT(lost,
                Contains(testing::AllOf(testing::StartsWith("iptables-save:13: "), HasSubstr("'-s' narrows it"))));
    EXPECT_THAT(lost,
                Contains(testing::AllOf(testing::StartsWith("/etc/libvirt/hooks/qemu:17: "), HasSubstr("no port"))));
}

TEST(Import, TakesWhatRunsAndAddsWhatIsDefined) {
    auto texts = only_network(test::kNatNetwork);
    const auto domain = [](const std::string& nics) {
        return "<domain><name>vm</name><devices>" + nics + "</devices></domain>";
    };
    const auto nic = [](const std::string& mac, const std::string& network) {
        return "<interface type='network'><mac address='52:54:00:00:00:" + mac + "'/><source network='" + network +
               "'/></interface>";
    };
    texts.networks.push_back({test::kRoutedNetwork, {}});
    texts.domains = {
        {domain(nic("01", "default") + nic("02", "default")), domain(nic("01", "dmz") + nic("03", "dmz"))}};
    const auto draft = import_host(texts);
    ASSERT_EQ(draft.ports.size(), 3U);
    EXPECT_EQ(draft.ports[0].object.network, "default");
    EXPECT_THAT(draft.ports[0].comments, ElementsAre(HasSubstr("'dmz'")));
    EXPECT_THAT(draft.ports[1].comments, ElementsAre(HasSubstr("running")));
    EXPECT_EQ(draft.ports[2].object.network, "dmz");
    EXPECT_THAT(draft.ports[2].comments, ElementsAre(HasSubstr("next start")));
}

/// libvirt says what became of the NIC of a running VM: it is in the network all the same.
TEST(Import, KnowsTheNetworkOfARunningVmsBridge) {
    HostTexts texts{.uri = "qemu:///system", .name = "kvm1"};
    texts.networks = {{"<network><name>office</name><forward mode='bridge'/><bridge name='br0'/></network>", {}}};
    const auto domain = [](const std::string& nic) {
        return "<domain><name>vm</name><devices>" + nic +
               "<mac address='52:54:00:00:00:01'/></interface></devices></domain>";
    };
    texts.domains = {{domain("<interface type='bridge'><source network='office' portid='1' bridge='br0'/>"),
                      domain("<interface type='network'><source network='office'/>")}};
    const auto draft = import_host(texts);
    ASSERT_EQ(draft.ports.size(), 1U);
    EXPECT_EQ(draft.ports[0].object.network, "office");
    EXPECT_THAT(draft.ports[0].comments, ElementsAre());
}

TEST(Import, LeavesAloneWhatIsWeftsAlready) {
    HostTexts texts{.uri = "qemu:///system", .name = "kvm1"};
    texts.networks = {{virt::render(virt::wanted_network("private1", "br-int", {{"web", true}})), {}}};
    texts.domains = {{"", "<domain><name>vm</name><devices><interface type='network'><mac address='52:54:00:00:00:01'/>"
                          "<source network='private1'/></interface></devices></domain>"}};
    const auto draft = import_host(texts);
    EXPECT_TRUE(draft.networks.empty());
    EXPECT_TRUE(draft.ports.empty());
    EXPECT_THAT(draft.lost, ElementsAre(HasSubstr("on a network of weft's already")));
}

TEST(Import, LeavesOutTheSecondOfAMac) {
    auto texts = default_and_nic("");
    auto clone = texts.domains[0];
    clone.persistent.replace(clone.persistent.find("vm"), 2, "clone");
    texts.domains.push_back(clone);
    const auto topology = imported(texts);
    EXPECT_EQ(topology.ports.size(), 1U);
    EXPECT_THAT(import_host(texts).lost,
                Contains("NIC 52:54:00:00:00:01 of VM 'vm': another NIC has that MAC: MACs are unique in a topology"));
}

TEST(Import, AsksForAWayOutOnlyWhereThereWasOne) {
    const auto toml = to_toml(import_host(only_network(test::kIsolatedNetwork)));
    EXPECT_THAT(toml, Not(HasSubstr("gateway")));
    EXPECT_THAT(to_toml(import_host(only_network(test::kNatNetwork))),
                HasSubstr("#uplinks.physnet1 = \"eth0\"\n")); // <forward dev=>
}

TEST(Import, UsesTheAddressesOfNat) {
    const auto texts =
        only_network("<network><name>n</name><forward mode='nat'><nat><address start='198.51.100.8' "
                     "end='198.51.100.9'/></nat></forward><ip address='10.0.0.1' prefix='24'/></network>");
    const auto topology = completed(texts);
    ASSERT_EQ(topology.gateways.at("igw").snat.size(), 1U);
    EXPECT_EQ(topology.gateways.at("igw").snat[0].to_string(), "198.51.100.8-198.51.100.9");
}

TEST(Import, OfAnEmptyHostIsAHost) {
    const HostTexts texts{.uri = "", .name = ""};
    const auto topology = imported(texts);
    EXPECT_EQ(topology.hosts.size(), 1U);
    EXPECT_TRUE(topology.hosts.contains("unnamed"));
}

TEST(Import, DoesNotLetNamesEscapeTheirPlace) {
    auto texts = default_and_nic("");
    auto& xml = texts.domains[0].persistent;
    xml.replace(xml.find("vm"), 2, "a&quot;\\&#10;[[port]]&#10;name = &quot;x");
    const auto topology = imported(texts);
    ASSERT_EQ(topology.ports.size(), 1U);
    EXPECT_EQ(topology.ports.begin()->second.vm, "");
    for (const auto& line : import_host(texts).lost)
        EXPECT_EQ(line.find('\n'), std::string::npos);
}

/// One of the texts with a piece cut out, doubled, moved or replaced by something from a number's or name's
/// neighbourhood.
void mutate(std::string& text) {
    if (text.empty()) return;
    static const std::vector<std::string> kWords{"'",
                                                 "\"",
                                                 "<",
                                                 "0",
                                                 "1",
                                                 "255",
                                                 "::",
                                                 "fe80::1",
                                                 "192.168.122.1",
                                                 "/32",
                                                 "65536",
                                                 "-1",
                                                 "99999999999999999999",
                                                 "\xff",
                                                 "\n",
                                                 "#",
                                                 "default",
                                                 "br0",
                                                 "nat",
                                                 "route",
                                                 "bridge",
                                                 "10.20.0.1",
                                                 "31",
                                                 "$",
                                                 "{",
                                                 "}",
                                                 "é",
                                                 "224.0.0.1"};
    const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
    const auto length = *rc::gen::inRange<std::size_t>(0, std::min<std::size_t>(12, text.size() - at + 1));
    switch (*rc::gen::inRange(0, 4)) {
    case 0:
        text.erase(at, length);
        break;
    case 1:
        text.insert(at, text.substr(*rc::gen::inRange<std::size_t>(0, text.size()), length));
        break;
    case 2:
        text[at] = static_cast<char>(*rc::gen::inRange(0, 256));
        break;
    default:
        text.replace(at, length, *rc::gen::elementOf(kWords));
    }
}

/// Only what stands between quotes or tags, so that most of it is still XML.
void mutate_value(std::string& text) {
    static const std::vector<std::string> kValues{"",
                                                  "0",
                                                  "1",
                                                  "31",
                                                  "32",
                                                  "255.255.255.255",
                                                  "fe80::1",
                                                  "fd00:122::5",
                                                  "192.168.122.1",
                                                  "192.168.122.11",
                                                  "10.20.0.9",
                                                  "0.0.0.0",
                                                  "224.0.0.5",
                                                  "nat",
                                                  "route",
                                                  "open",
                                                  "bridge",
                                                  "default",
                                                  "dmz",
                                                  "br0",
                                                  "virbr0",
                                                  "br-int",
                                                  "network",
                                                  "4095",
                                                  "42",
                                                  "18446744073709551615",
                                                  "52:54:00:12:20:11",
                                                  "01:00:00:00:00:00",
                                                  "198.51.100.5",
                                                  "seconds",
                                                  "yes",
                                                  "x.y.",
                                                  "-"};
    std::vector<std::pair<std::size_t, std::size_t>> values;
    for (auto at = text.find("='"); at != std::string::npos; at = text.find("='", at + 2)) {
        const auto end = text.find('\'', at + 2);
        if (end != std::string::npos) values.emplace_back(at + 2, end - at - 2);
    }
    if (values.empty()) return;
    const auto [at, length] = *rc::gen::elementOf(values);
    text.replace(at, length, *rc::gen::elementOf(kValues));
}

RC_GTEST_PROP(ImportProperty, WhateverTheTextsTheFileIsValid, ()) {
    auto texts = everything();
    std::vector<std::string*> all;
    for (auto& network : texts.networks)
        all.push_back(&network.xml);
    for (auto& domain : texts.domains) {
        all.push_back(&domain.live);
        all.push_back(&domain.persistent);
    }
    const auto xml = all.size();
    for (auto& forward : texts.forwards)
        all.push_back(&forward.text);
    for (int count = *rc::gen::inRange(1, 8); count > 0; --count) {
        const auto which = *rc::gen::inRange<std::size_t>(0, all.size());
        if (which < xml && *rc::gen::inRange(0, 8) != 0)
            mutate_value(*all[which]);
        else
            mutate(*all[which]);
    }
    const auto toml = to_toml(import_host(texts));
    RC_LOG() << toml;
    RC_ASSERT(errors_of(toml) == "");
    RC_ASSERT(errors_of(uncommented(toml)) == "");
}

} // namespace
} // namespace weft::cli
