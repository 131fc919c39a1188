#include "controller/vm_accounts.hpp"

#include "topology/parse.hpp"

#include <gmock/gmock.h>

namespace weft::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const std::string kLongNetwork = "a-network-with-a-name-of-thirty-eight-";

topology::Topology parsed() {
    auto result = topology::parse({{"t.toml", R"(
[[host]]
name = "kvm1"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm2"
bridge = "br-weft"
[[network]]
name = "private1"
kind = "vxlan"
[[network]]
name = "cell"
kind = "local"
[[network]]
name = "office"
kind = "vlan"
vlan = 100
physnet = "physnet1"
[[network]]
name = "wire"
kind = "flat"
physnet = "physnet1"
[[network]]
name = ")" + kLongNetwork + R"("
kind = "vxlan"
[[security_group]]
name = "web"
[[security_group]]
name = "ssh"
[[qos]]
name = "gold"
egress = { rate = "1mbit" }
[[port]]
name = "both"
network = "private1"
vm = "both"
security_groups = ["web", "ssh"]
qos = "gold"
[[port]]
name = "no-vm"
network = "cell"
security_groups = ["web", "ssh"]
)"}});
    for (const auto& problem : result.problems)
        EXPECT_NE(problem.severity, topology::Severity::error) << problem.text;
    return std::move(result.topology);
}

Mac mac(int n) {
    return Mac::from_u64(0x5254'0000'0000 + static_cast<std::uint64_t>(n));
}

class VmsOf : public testing::Test {
  protected:
    VmsOf() {
        auto& mine = snapshot.networks["private1"];
        mine.live = mine.configured = virt::wanted_network("private1", "br-int", {{"-", true}});
    }
    /// What weft hears of the only NIC of a VM in this state.
    fabric::VmNic heard(const virt::Nic& nic, virt::DomainState state = virt::DomainState::off) {
        snapshot.domains["web1"] = {"uuid-1", state, {nic}};
        return vms_of(snapshot, "br-int").at("uuid-1").nics.at(0);
    }
    static virt::Nic on(const std::string& network, const std::string& portgroup = "") {
        virt::Nic nic;
        nic.mac = mac(1);
        nic.type = "network";
        nic.network = network;
        nic.portgroup = portgroup;
        return nic;
    }
    static virt::Nic on_bridge(const std::string& bridge, const std::string& virtualport) {
        virt::Nic nic;
        nic.mac = mac(1);
        nic.type = "bridge";
        nic.bridge = bridge;
        nic.virtualport = virtualport;
        return nic;
    }
    virt::Snapshot snapshot;
};

TEST_F(VmsOf, ANicOnANetworkOfWeftsIsWhatItsPortgroupSays) {
    EXPECT_EQ(heard(on("private1")), (fabric::VmNic{mac(1), "private1", {}, true, "network private1"}));
    EXPECT_EQ(heard(on("private1", "-")).profile, topology::PortProfile{});
    EXPECT_EQ(heard(on("private1", "ssh+web@gold")),
              (fabric::VmNic{mac(1), "private1", {{"ssh", "web"}, "gold"}, true, "network private1"}));
}

// Else it would be open.
TEST_F(VmsOf, ANicWhosePortgroupMeansNothingIsNoPort) {
    EXPECT_EQ(heard(on("private1", "web+ssh")), (fabric::VmNic{mac(1), "", {}, true, "network private1"}));
}

TEST_F(VmsOf, ARunningNicIsABridgesForLibvirtAndStillOnItsNetwork) {
    auto nic = on_bridge("br-int", "openvswitch");
    nic.network = "private1";
    nic.portgroup = "web";
    nic.profile_id = "private1/web";
    EXPECT_EQ(heard(nic, virt::DomainState::running),
              (fabric::VmNic{mac(1), "private1", {{"web"}, ""}, true, "network private1"}));
}

TEST_F(VmsOf, ANetworkWithoutWeftsMarkIsSomebodyElses) {
    const fabric::VmNic elsewhere{mac(1), "", {}, false, "network private1"};
    auto& foreign = snapshot.networks.at("private1").live;
    foreign.mark.reset();
    EXPECT_EQ(heard(on("private1")), elsewhere);
    foreign.mark = "private2"; // an admin's copy of that one
    EXPECT_EQ(heard(on("private1")), elsewhere);
    snapshot.networks.clear();
    EXPECT_EQ(heard(on("private1")), (fabric::VmNic{mac(1), "", {}, false, "network private1", true}))
        << "it may have been weft's";
}

TEST_F(VmsOf, ANicOfANetworkOfSomebodyElsesOnWeftsBridgeIsPluggedInThere) {
    auto nic = on_bridge("br-int", "openvswitch");
    nic.network = "ovs";
    snapshot.networks["ovs"].live.name = "ovs";
    EXPECT_EQ(heard(nic), (fabric::VmNic{mac(1), "", {}, true, "network ovs"}));
}

TEST_F(VmsOf, ANicDirectlyOnWeftsBridgeIsPluggedInAndInNoNetwork) {
    EXPECT_EQ(heard(on_bridge("br-int", "openvswitch")), (fabric::VmNic{mac(1), "", {}, true, "bridge br-int"}));
    EXPECT_FALSE(heard(on_bridge("br-int", "")).on_bridge) << "a Linux bridge of that name";
    EXPECT_EQ(heard(on_bridge("br0", "openvswitch")), (fabric::VmNic{mac(1), "", {}, false, "bridge br0"}));
}

TEST_F(VmsOf, ANicOfAnotherKindIsNamedByIt) {
    virt::Nic nic;
    nic.mac = mac(1);
    nic.type = "user";
    EXPECT_EQ(heard(nic), (fabric::VmNic{mac(1), "", {}, false, "type user"}));
}

TEST_F(VmsOf, AVmIsKnownByItsUuidInTheStateThatLibvirtGivesIt) {
    using enum virt::DomainState;
    snapshot.domains = {{"off", {"u1", off, {}}},
                        {"on", {"u2", running, {}}},
                        {"held", {"u3", paused, {}}},
                        {"in", {"u4", migrating_in, {}}}};
    const auto vms = vms_of(snapshot, "br-int");
    ASSERT_EQ(vms.size(), 4U);
    EXPECT_EQ(vms.at("u1"), (fabric::Vm{"off", fabric::VmState::off, {}}));
    EXPECT_EQ(vms.at("u2"), (fabric::Vm{"on", fabric::VmState::running, {}}));
    EXPECT_EQ(vms.at("u3"), (fabric::Vm{"held", fabric::VmState::paused, {}}));
    EXPECT_EQ(vms.at("u4"), (fabric::Vm{"in", fabric::VmState::arriving, {}}));
}

class AddClaimed : public testing::Test {
  protected:
    static constexpr const char* kUuid = "02e40cd4-861f-4446-9b14-6118311f68d0";
    static fabric::Claim claim(const std::string& profile, int n = 1, const std::string& vm = kUuid) {
        return {"vnet0", "uuid-of-libvirt", mac(n), 5, "", vm, profile};
    }
    const fabric::HostVms& add(const std::vector<fabric::Claim>& claims) {
        add_claimed(account, claims, topology);
        return account;
    }
    topology::Topology topology = parsed();
    fabric::HostVms account;
};

TEST_F(AddClaimed, AVmThatLibvirtNeverNamedIsCalledByItsUuidAndRuns) {
    add({claim("private1/web"), claim("cell/-", 2)});
    ASSERT_THAT(account.vms, ElementsAre(testing::Key(kUuid)));
    EXPECT_EQ(account.vms.at(kUuid), (fabric::Vm{"vm-02e40cd4",
                                                 fabric::VmState::running,
                                                 {{mac(1), "private1", {{"web"}, ""}, true, "network private1"},
                                                  {mac(2), "cell", {}, true, "network cell"}}}));
}

TEST_F(AddClaimed, AVmThatLibvirtNamedKeepsItsNameAndWhatOvsdbDoesNotSay) {
    const fabric::VmNic told{mac(9), "cell", {}, true, "network cell"};
    account.vms[kUuid] = {"web1", fabric::VmState::off, {told, {mac(2), "cell", {}, true, "network cell"}}};
    add({claim("private1/-", 2)});
    EXPECT_EQ(
        account.vms.at(kUuid),
        (fabric::Vm{"web1", fabric::VmState::running, {told, {mac(2), "private1", {}, true, "network private1"}}}));
    EXPECT_FALSE(account.current) << "OVSDB does not know which NICs are gone";
}

TEST_F(AddClaimed, AShortenedProfileMeansWhatItWasMadeOf) {
    const auto shortened = virt::profile_id(kLongNetwork, "web");
    ASSERT_EQ(shortened.size(), virt::kLongestProfileId);
    ASSERT_NE(shortened, kLongNetwork + "/web");
    const auto of_combination = virt::profile_id("private1", "ssh+web@gold");
    add({claim(shortened, 1), claim(of_combination, 2), claim(virt::profile_id(kLongNetwork, "-"), 3)});
    const auto& nics = account.vms.at(kUuid).nics;
    ASSERT_EQ(nics.size(), 3U);
    EXPECT_EQ(nics[0].network, kLongNetwork);
    EXPECT_THAT(nics[0].profile.security_groups, ElementsAre("web"));
    EXPECT_EQ(nics[1].network, "private1");
    EXPECT_EQ(nics[1].profile, (topology::PortProfile{{"ssh", "web"}, "gold"}));
    EXPECT_EQ(nics[2].network, kLongNetwork);
    EXPECT_EQ(nics[2].profile, topology::PortProfile{});
}

TEST_F(AddClaimed, WhatWeftNeverGaveOutMeansNothing) {
    auto without_mac = claim("private1/web");
    without_mac.attached_mac.reset();
    auto cut = virt::profile_id(kLongNetwork, "web");
    cut.back() = cut.back() == '0' ? '1' : '0';
    add({claim("private1/web", 1, ""), without_mac, claim(""), claim("private1"), claim("private2/web"), claim(cut),
         claim("office-profile"), claim("private1/web+ssh")});
    EXPECT_THAT(account.vms, IsEmpty());
}

TEST_F(AddClaimed, AGroupThatIsGoneIsStillMeant) {
    add({claim("private1/nobody")});
    EXPECT_THAT(account.vms.at(kUuid).nics.at(0).profile.security_groups, ElementsAre("nobody"));
}

class OfferedNetworks : public testing::Test {
  protected:
    std::vector<std::string> portgroups(const std::string& network) const {
        std::vector<std::string> names;
        const auto networks = offered_networks(topology, topology.hosts.at("kvm1"));
        for (const auto& [name, _] : networks.at(network).portgroups)
            names.push_back(name);
        return names;
    }
    topology::Topology topology = parsed();
};

TEST_F(OfferedNetworks, APhysicalOneIsOfferedWhereTheHostHasItsUplink) {
    const auto names = [&](const std::string& host) {
        std::vector<std::string> result;
        for (const auto& [name, _] : offered_networks(topology, topology.hosts.at(host)))
            result.push_back(name);
        return result;
    };
    EXPECT_THAT(names("kvm1"), UnorderedElementsAre("private1", "cell", "office", "wire", kLongNetwork));
    EXPECT_THAT(names("kvm2"), UnorderedElementsAre("private1", "cell", kLongNetwork));
    EXPECT_FALSE(is_offered(topology.networks.at("wire"), topology.hosts.at("kvm2")));
    EXPECT_TRUE(is_offered(topology.networks.at("wire"), topology.hosts.at("kvm1")));
}

TEST_F(OfferedNetworks, ThereIsAPortgroupForEachGroupEachQosClassAndWhatPortsOfVmsHave) {
    for (const auto* network : {"private1", "cell"})
        EXPECT_THAT(portgroups(network), UnorderedElementsAre("-", "ssh", "web", "@gold", "ssh+web@gold"));
}

TEST_F(OfferedNetworks, WhoNamesNoPortgroupIsInNoGroup) {
    const auto networks = offered_networks(topology, topology.hosts.at("kvm1"));
    for (const auto& [name, network] : networks)
        for (const auto& [portgroup, is] : network.portgroups)
            EXPECT_EQ(is.is_default, portgroup == "-") << name << " " << portgroup;
}

TEST_F(OfferedNetworks, TheyCarryTheMarkAndPlugIntoTheHostsBridge) {
    const auto network = offered_networks(topology, topology.hosts.at("kvm2")).at("cell");
    EXPECT_EQ(network.mark, "cell");
    EXPECT_EQ(network.bridge, "br-weft");
    EXPECT_EQ(network.portgroups.at("web").profile_id, "cell/web");
}

} // namespace
} // namespace weft::controller
