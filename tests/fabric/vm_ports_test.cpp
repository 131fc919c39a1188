#include "fabric/vm_ports.hpp"

#include "topology/parse.hpp"

#include <gmock/gmock.h>

namespace weft::fabric {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kTopology = R"(
[[host]]
name = "kvm1"
libvirt = "qemu:///system"
[[host]]
name = "kvm2"
libvirt = "qemu:///system"

[[network]]
name = "private1"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[network]]
name = "office"
kind = "local"

[[security_group]]
name = "web"
[[qos]]
name = "gold"
egress = { rate = "1mbit" }

[[port]]
name = "web1"
network = "private1"
vm = "web1"
[[port]]
name = "db"
network = "private1"
vm = "db1"
mac = "52:54:00:00:00:db"
[[port]]
name = "front-1"
network = "private1"
)";

topology::Topology parsed(const std::string& toml) {
    auto result = topology::parse({{"t.toml", toml}});
    for (const auto& problem : result.problems)
        EXPECT_NE(problem.severity, topology::Severity::error) << problem.text;
    return std::move(result.topology);
}

Mac mac(int n) {
    return Mac::from_u64(0x5254'0000'0000 + static_cast<std::uint64_t>(n));
}
VmNic nic(int n, const std::string& network = "private1", topology::PortProfile profile = {}) {
    return {mac(n), network, std::move(profile), true, "network " + network};
}
VmNic nic_on_default(int n) {
    return {.mac = mac(n), .source = "network default"};
}

class VmPortsTest : public testing::Test {
  protected:
    const VmPorts& decide() {
        ports = vm_ports(written, told, ports, held);
        topology = with_dynamic_ports(written, ports);
        return ports;
    }
    void vm(const std::string& host, const std::string& name, std::vector<VmNic> nics,
            VmState state = VmState::running) {
        told[host].current = true;
        told[host].vms["uuid-" + name] = {name, state, std::move(nics)};
    }
    std::vector<std::string> dynamic_names() const {
        std::vector<std::string> names;
        for (const auto& [name, _] : ports.dynamic)
            names.push_back(name);
        return names;
    }

    topology::Topology written = parsed(kTopology);
    topology::Topology topology;
    std::map<std::string, HostVms> told;
    std::set<std::string> held;
    VmPorts ports;
};

TEST_F(VmPortsTest, ANicOnANetworkOfWeftsIsADynamicPortNamedAfterItsVm) {
    vm("kvm1", "front", {nic(1, "private1", {{"web"}, "gold"}), nic(2, "office")});
    decide();
    ASSERT_THAT(dynamic_names(), ElementsAre("front-2", "front-3")) << "front-1 is the topology's";
    const auto& port = topology.ports.at("front-2");
    EXPECT_EQ(port.network, "private1");
    EXPECT_EQ(port.vm, "front");
    EXPECT_EQ(port.mac, mac(1));
    EXPECT_THAT(port.security_groups, ElementsAre("web"));
    EXPECT_EQ(port.qos, "gold");
    EXPECT_EQ(topology.ports.at("front-3").network, "office");
    EXPECT_THAT(ports.troubles, IsEmpty());
}

TEST_F(VmPortsTest, ADynamicPortLivesAsLongAsItsNicAlsoWhileTheVmIsOff) {
    vm("kvm1", "app", {nic(1)});
    decide();
    vm("kvm1", "app", {nic(1)}, VmState::off);
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-1"));
    vm("kvm1", "app", {nic(2), nic(1)});
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-1", "app-2"));
    EXPECT_EQ(ports.dynamic.at("app-1").port.mac, mac(1)) << "who has a name keeps it";
    vm("kvm1", "app", {nic(2)});
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-2"));
    told["kvm1"].vms.clear();
    EXPECT_THAT((decide(), dynamic_names()), IsEmpty());
}

TEST_F(VmPortsTest, AHostThatIsNotReachedOrNotYetHeardOfKeepsItsPorts) {
    vm("kvm1", "app", {nic(1)});
    decide();
    told["kvm1"].current = false;
    told["kvm1"].vms.clear();
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-1"));
    told.clear(); // a daemon that starts
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-1"));
    told["kvm2"].current = true;
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-1"));
    told["kvm1"].current = true;
    EXPECT_THAT((decide(), dynamic_names()), IsEmpty());
}

TEST_F(VmPortsTest, ANicWhoseLibvirtNetworkIsNotThereStaysThePortThatItWas) {
    vm("kvm1", "app", {nic(1)});
    decide();
    vm("kvm1", "app", {{.mac = mac(1), .on_bridge = true, .source = "network private1"}});
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-1"));
    vm("kvm1", "app", {{.mac = mac(1), .source = "network private1", .unknown = true}}, VmState::off);
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-1"));
    vm("kvm1", "app", {nic_on_default(1)});
    EXPECT_THAT((decide(), dynamic_names()), IsEmpty());
}

TEST_F(VmPortsTest, AVmThatIsDefinedAnewHasItsPortBack) {
    vm("kvm1", "app", {nic(1)}, VmState::off);
    decide();
    told["kvm1"].vms.clear();
    told["kvm1"].vms["another-uuid"] = {"app", VmState::off, {nic(1)}};
    decide();
    EXPECT_EQ(ports.dynamic.at("app-1").uuid, "another-uuid");
}

TEST_F(VmPortsTest, OldNewsOfAHostYieldsToWhatAnotherSaysNow) {
    vm("kvm1", "app", {nic(1)});
    decide();
    told["kvm1"].current = false;
    vm("kvm2", "app", {nic(1, "office", {{"web"}, ""})});
    decide();
    EXPECT_EQ(ports.dynamic.at("app-1").port.network, "office");
}

TEST_F(VmPortsTest, APortOnItsWayIsHeld) {
    ports.dynamic["app-1"].port.name = "app-1";
    ports.dynamic["app-1"].port.network = "private1";
    ports.dynamic["app-1"].port.mac = mac(1);
    told["kvm1"].current = told["kvm2"].current = true;
    held = {"app-1"};
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-1"));
    held.clear();
    EXPECT_THAT((decide(), dynamic_names()), IsEmpty());
}

TEST_F(VmPortsTest, APortWithVmHasTheMacOfItsNic) {
    vm("kvm1", "web1", {nic_on_default(9), nic(5, "office"), nic(1), nic(2)});
    decide();
    EXPECT_THAT(ports.macs(written), ElementsAre(Pair("web1", mac(1))));
    EXPECT_THAT(dynamic_names(), ElementsAre("web1-1", "web1-2")) << "the others on weft's networks";
    vm("kvm1", "web1", {nic(2), nic(1)});
    decide();
    EXPECT_THAT(ports.macs(written), ElementsAre(Pair("web1", mac(1)))) << "who has it keeps it";
    told.clear();
    decide();
    EXPECT_THAT(ports.macs(written), ElementsAre(Pair("web1", mac(1))));
}

TEST_F(VmPortsTest, ANicOnTheBridgeItselfIsThePortOfItsVm) {
    vm("kvm2", "web1", {{.mac = mac(1), .on_bridge = true, .source = "bridge br-int"}});
    decide();
    EXPECT_THAT(ports.macs(written), ElementsAre(Pair("web1", mac(1))));
    vm("kvm2", "other", {{.mac = mac(2), .on_bridge = true, .source = "bridge br-int"}});
    EXPECT_THAT((decide(), dynamic_names()), IsEmpty()) << "nobody says which network it is in";
}

TEST_F(VmPortsTest, ANicWithAMacOfTheTopologyIsThatPort) {
    vm("kvm1", "db1", {{*Mac::parse("52:54:00:00:00:db"), "private1", {}, true, "network private1"}});
    decide();
    EXPECT_THAT(dynamic_names(), IsEmpty());
    EXPECT_THAT(ports.macs(written), IsEmpty());
    EXPECT_THAT(ports.troubles, IsEmpty());
}

TEST_F(VmPortsTest, AVmThatIsOnTwoHostsHasOnePort) {
    vm("kvm1", "app", {nic(1)});
    vm("kvm2", "app", {nic(1, "office")}, VmState::off);
    decide();
    EXPECT_EQ(ports.dynamic.at("app-1").hosts, (std::set<std::string>{"kvm1", "kvm2"}));
    EXPECT_EQ(ports.dynamic.at("app-1").port.network, "private1") << "the account of where it runs counts";
    vm("kvm1", "app", {nic(1)}, VmState::off);
    vm("kvm2", "app", {nic(1, "office")});
    decide();
    EXPECT_EQ(ports.dynamic.at("app-1").port.network, "office");
}

TEST_F(VmPortsTest, AnotherVmsMacIsATrouble) {
    vm("kvm1", "app", {nic(1)});
    decide();
    vm("kvm2", "clone", {nic(1)});
    vm("kvm2", "db2", {{*Mac::parse("52:54:00:00:00:db"), "private1", {}, true, "network private1"}});
    decide();
    // Another one whose host comes before the original's.
    vm("kvm2", "second", {nic(7)});
    decide();
    vm("kvm1", "a-clone", {nic(7, "office")});
    decide();
    EXPECT_THAT(dynamic_names(), ElementsAre("app-1", "second-1"));
    EXPECT_EQ(ports.dynamic.at("second-1").port.network, "private1");
    EXPECT_EQ(ports.claimed_by().at("second-1"), (PortNic{mac(7), "uuid-second"}));
    EXPECT_THAT(ports.troubles.at("vm a-clone"), HasSubstr("of port second-1"));
    EXPECT_THAT(ports.troubles.at("vm clone"), HasSubstr("has the MAC 52:54:00:00:00:01 of port app-1"));
    EXPECT_THAT(ports.troubles.at("vm db2"), HasSubstr("of port db"));
}

TEST_F(VmPortsTest, ANicThatIsElsewhereIsNamedWithTheRemedy) {
    vm("kvm1", "web1", {nic_on_default(1)});
    decide();
    EXPECT_THAT(ports.troubles, ElementsAre(Pair("port web1", HasSubstr("is on network default: `weftctl migrate web1 "
                                                                        "default private1` moves it"))));
    vm("kvm1", "web1", {nic(1)});
    EXPECT_THAT(decide().troubles, IsEmpty());
}

TEST_F(VmPortsTest, APortWhoseGroupIsGoneIsNotServedRatherThanOpen) {
    vm("kvm1", "app", {nic(1, "private1", {{"web"}, ""})});
    decide();
    ASSERT_TRUE(topology.ports.contains("app-1"));
    written.security_groups.clear();
    decide();
    EXPECT_FALSE(topology.ports.contains("app-1"));
    EXPECT_THAT(ports.troubles.at("port app-1"), HasSubstr("its security group web is not in the topology any more"));
    EXPECT_TRUE(ports.dynamic.contains("app-1")) << "it comes back with the group";
    written.networks.erase("private1");
    EXPECT_THAT(decide().troubles.at("port app-1"), HasSubstr("network private1"));
}

TEST_F(VmPortsTest, APortOfTheFileTakesADynamicOnesName) {
    vm("kvm1", "app", {nic(1)});
    decide();
    written = parsed(std::string(kTopology) + R"(
[[port]]
name = "app-1"
network = "office"
)");
    EXPECT_THAT((decide(), dynamic_names()), ElementsAre("app-2"));
}

TEST(DynamicPortName, IsAlwaysANameOfTheTopology) {
    EXPECT_EQ(dynamic_port_name("web1", 2), "web1-2");
    EXPECT_EQ(dynamic_port_name("my vm/\u00e4", 1), "my-vm----1");
    EXPECT_EQ(dynamic_port_name("-x", 1), "vm-x-1");
    EXPECT_EQ(dynamic_port_name("", 1), "vm-1");
    EXPECT_EQ(dynamic_port_name(std::string(100, 'x'), 12).size(), 63U);
}

} // namespace
} // namespace weft::fabric
