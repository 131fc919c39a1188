// VMs as Intent sees them: what libvirt and OVSDB of hosts tell, and the ports that come of it.
#include "controller/intent.hpp"

#include <gmock/gmock.h>

namespace weft::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kTopology = R"(
[[host]]
name = "kvm1"
ovsdb = "tcp:127.0.0.1:1"
vtep = "192.0.2.11"
datapath = "netdev"
libvirt = "qemu:///system"
[[host]]
name = "kvm2"
ovsdb = "tcp:127.0.0.1:2"
vtep = "192.0.2.12"
datapath = "netdev"
libvirt = "qemu+tls://kvm2/system"
[[host]]
name = "bare"
ovsdb = "tcp:127.0.0.1:3"
vtep = "192.0.2.13"
datapath = "netdev"
[[security_group]]
name = "web"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[port]]
name = "db"
network = "blue"
vm = "db1"
)";
constexpr const char* kRed = R"(
[[network]]
name = "red"
kind = "vxlan"
subnet = "10.0.2.0/24"
)";
const std::string kBoth = std::string(kTopology) + kRed;

constexpr const char* kUuid = "02e40cd4-861f-4446-9b14-6118311f68d0";

Mac mac(int n) {
    return Mac::from_u64(0x5254'0000'0000 + static_cast<std::uint64_t>(n));
}
fabric::VmNic nic(int n, const std::string& network = "blue", topology::PortProfile profile = {}) {
    return {mac(n), network, std::move(profile), true, "network " + network};
}
/// A host with one VM, "app", in this state.
fabric::HostVms app(std::vector<fabric::VmNic> nics, fabric::VmState state = fabric::VmState::running) {
    return {true, {{kUuid, {"app", state, std::move(nics)}}}};
}
/// The interface of a NIC of that VM.
fabric::Claim claim(const std::string& interface, int n, std::uint32_t ofport = 5, const std::string& profile = "") {
    return {interface, "uuid-of-libvirt", mac(n), ofport, "", kUuid, profile};
}

class IntentVmsTest : public testing::Test {
  protected:
    struct Daemon {
        Daemon() = default;
        bool apply(const std::string& text) {
            const std::vector<topology::Source> sources{{"test.toml", text}};
            const auto candidate = intent.consider(sources);
            for (const auto& problem : candidate.problems)
                EXPECT_NE(problem.severity, topology::Severity::error) << topology::render(problem, sources);
            if (!candidate.ok()) return false;
            intent.commit(candidate, intent.with_revision(candidate, "test", sources));
            return true;
        }
        void claimed(const std::string& host, std::vector<fabric::Claim> claims) {
            fabric::Observation seen;
            seen.claims = std::move(claims);
            intent.observe(host, seen);
        }
        std::vector<std::string> dynamic_names() const {
            std::vector<std::string> names;
            for (const auto& [name, _] : intent.state().dynamic_ports)
                names.push_back(name);
            return names;
        }
        std::optional<Ip> address(const std::string& port, const std::string& network = "blue") const {
            const auto found = intent.allocations().attachments.find({port, network});
            return found == intent.allocations().attachments.end() ? std::nullopt : found->second.ip;
        }
        std::string holder(const std::string& port) const {
            const auto bound = intent.bindings().find(port);
            return bound == intent.bindings().end() ? "" : bound->second.host;
        }
        /// The port as flows know it; null: it is in none.
        fabric::AttachmentPtr programmed(const std::string& port, const std::string& network = "blue") const {
            const auto& bound = intent.published().world->networks.at(network)->bound;
            const auto found = bound.find(port);
            return found == bound.end() ? nullptr : found->second;
        }
        std::vector<std::string> told(const std::string& kind) const {
            std::vector<std::string> texts;
            for (const auto& event : events.since(0))
                if (event.kind == kind) texts.push_back(event.object + ": " + event.text);
            return texts;
        }

        asio::io_context io;
        Log log{LogLevel::error, [](std::string_view) {}};
        EventLog events{io.get_executor(), {}, log};
        Settings settings;
        int published = 0;
        Intent intent{settings, {log, events}, [this](const Published&) { ++published; }};
    };
    void SetUp() override {
        ASSERT_TRUE(first_.intent.restore({}));
        ASSERT_TRUE(first_.apply(kBoth));
    }
    Daemon first_;
    Intent& intent_ = first_.intent;
};

TEST_F(IntentVmsTest, ANicThatLibvirtTellsOfIsAPortWithAnAddress) {
    intent_.saved();
    intent_.observe_vms("kvm1", app({nic(1, "blue", {{"web"}, ""})}));
    ASSERT_THAT(first_.dynamic_names(), ElementsAre("app-1"));
    const auto& port = intent_.topology().ports.at("app-1");
    EXPECT_EQ(port.network, "blue");
    EXPECT_EQ(port.mac, mac(1));
    EXPECT_THAT(port.security_groups, ElementsAre("web"));
    EXPECT_TRUE(first_.address("app-1"));
    EXPECT_EQ(intent_.allocations().attachments.at({"app-1", "blue"}).mac, mac(1));
    EXPECT_TRUE(intent_.dirty()) << "it outlives the daemon";
    EXPECT_EQ(intent_.published().world->topology->ports.count("app-1"), 1U);
}

TEST_F(IntentVmsTest, WhatIsToldAgainIsNoNews) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    const auto before = first_.published;
    intent_.observe_vms("kvm1", app({nic(1)}));
    intent_.observe_vms("kvm1", app({nic(1)}, fabric::VmState::paused));
    EXPECT_EQ(first_.published, before);
    intent_.observe_vms("nobody", app({nic(2)}));
    EXPECT_THAT(first_.dynamic_names(), ElementsAre("app-1"));
}

TEST_F(IntentVmsTest, TheNicIsBoundWhenOvsdbClaimsItsMacWhicheverIsFirst) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    EXPECT_EQ(first_.holder("app-1"), "");
    first_.claimed("kvm1", {claim("vnet0", 1)});
    EXPECT_EQ(intent_.bindings().at("app-1"), (fabric::Binding{{"kvm1", "vnet0", 5}, std::nullopt}));
    const auto attachment = first_.programmed("app-1");
    ASSERT_TRUE(attachment);
    EXPECT_EQ(attachment->mac, mac(1));
    EXPECT_THAT(attachment->ips, ElementsAre(*first_.address("app-1")));

    first_.claimed("kvm1", {claim("vnet0", 1), claim("vnet1", 2, 6)});
    EXPECT_FALSE(first_.programmed("app-2"));
    intent_.observe_vms("kvm1", app({nic(1), nic(2)}));
    EXPECT_TRUE(first_.programmed("app-2"));
    EXPECT_THAT(first_.told("port_plugged"),
                ElementsAre("port app-1: plugged in as vnet0", "port app-2: plugged in as vnet1"));
}

TEST_F(IntentVmsTest, ANicThatGoesTakesItsPortAndItsAddressAlong) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    first_.claimed("kvm1", {claim("vnet0", 1)});
    intent_.observe_vms("kvm1", app({}));
    EXPECT_THAT(first_.dynamic_names(), IsEmpty());
    EXPECT_FALSE(first_.address("app-1"));
    EXPECT_FALSE(first_.programmed("app-1"));
    EXPECT_THAT(intent_.state().holders, IsEmpty());
}

TEST_F(IntentVmsTest, ANicOnAnotherNetworkIsTheSamePortThere) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    first_.claimed("kvm1", {claim("vnet0", 1)});
    intent_.observe_vms("kvm1", app({nic(1, "red", {{"web"}, ""})}));
    EXPECT_FALSE(first_.programmed("app-1"));
    const auto there = first_.programmed("app-1", "red");
    ASSERT_TRUE(there);
    ASSERT_EQ(there->groups.size(), 1U);
    EXPECT_EQ(there->mac, mac(1));
}

TEST_F(IntentVmsTest, APortWithVmBindsByTheMacThatLibvirtTells) {
    first_.claimed("kvm2", {claim("vnet3", 7)});
    EXPECT_EQ(first_.holder("db"), "");
    intent_.observe_vms("kvm2", {true, {{kUuid, {"db1", fabric::VmState::running, {nic(7)}}}}});
    EXPECT_EQ(first_.holder("db"), "kvm2");
    EXPECT_THAT(first_.dynamic_names(), IsEmpty());
    EXPECT_EQ(intent_.state().vm_nics.at("db").mac, mac(7));
    ASSERT_TRUE(first_.programmed("db"));
    EXPECT_EQ(first_.programmed("db")->mac, mac(7));
}

TEST_F(IntentVmsTest, ARestartKeepsEverythingWithLibvirtUnreached) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    intent_.observe_vms("kvm2", {true, {{"uuid-db1", {"db1", fabric::VmState::running, {nic(7)}}}}});
    first_.claimed("kvm1", {claim("vnet0", 1)});
    auto of_db = claim("vnet3", 7, 9);
    of_db.vm_id = "uuid-db1";
    first_.claimed("kvm2", {of_db});
    const auto stored = decode(encode(intent_.state()));
    ASSERT_TRUE(stored);
    auto state = *stored;
    state.revisions = intent_.state().revisions; // their texts are blobs of their own

    Daemon second;
    ASSERT_TRUE(second.intent.restore(state));
    const auto expect_all = [&](const char* when) {
        EXPECT_THAT(second.dynamic_names(), ElementsAre("app-1")) << when;
        for (const auto* port : {"app-1", "db"}) {
            EXPECT_EQ(second.address(port), first_.address(port)) << when;
            ASSERT_TRUE(second.programmed(port)) << when;
            ASSERT_TRUE(first_.programmed(port)) << when;
            EXPECT_EQ(second.programmed(port)->mac, first_.programmed(port)->mac) << when;
        }
        EXPECT_EQ(second.holder("app-1"), "kvm1") << when;
        EXPECT_EQ(second.holder("db"), "kvm2") << when;
    };
    expect_all("restored");
    for (const auto* host : {"kvm1", "kvm2"})
        second.intent.observe_vms(host, {});
    expect_all("libvirt is down");
    second.claimed("kvm1", {claim("vnet0", 1)});
    second.claimed("kvm2", {of_db});
    expect_all("OVSDB is read");
    EXPECT_EQ(second.intent.bindings(), intent_.bindings());
    second.intent.observe_vms("kvm1", app({nic(1)}));
    second.intent.observe_vms("kvm2", {true, {{"uuid-db1", {"db1", fabric::VmState::running, {nic(7)}}}}});
    expect_all("libvirt is back");
}

TEST_F(IntentVmsTest, AnApplyThatDropsItsNetworkUnservesItUntilOneBringsThatBack) {
    intent_.observe_vms("kvm1", app({nic(2), nic(1, "red")}));
    first_.claimed("kvm1", {claim("vnet0", 1), claim("vnet1", 2, 6)});
    ASSERT_TRUE(first_.programmed("app-2", "red"));
    ASSERT_TRUE(first_.apply(kTopology));
    EXPECT_FALSE(intent_.topology().ports.contains("app-2"));
    EXPECT_EQ(first_.holder("app-2"), "");
    EXPECT_EQ(first_.holder("app-1"), "kvm1");
    EXPECT_THAT(intent_.troubles().at("port app-2"), HasSubstr("its network red is not in the topology any more"));
    intent_.observe_vms("kvm1", app({nic(3), nic(2), nic(1, "red")})); // names stay, whatever comes meanwhile
    ASSERT_TRUE(first_.apply(kBoth));
    EXPECT_THAT(intent_.troubles(), IsEmpty());
    EXPECT_EQ(first_.holder("app-2"), "kvm1");
    ASSERT_TRUE(first_.programmed("app-2", "red"));
    EXPECT_EQ(first_.programmed("app-2", "red")->mac, mac(1));
}

TEST_F(IntentVmsTest, WhoAppliesIsToldWhatWillNotBeServed) {
    intent_.observe_vms("kvm1", app({nic(1, "red")}));
    const auto candidate = intent_.consider({{"test.toml", kTopology}});
    EXPECT_THAT(candidate.notices, ElementsAre(HasSubstr("port app-1: its network red is not in the topology")));
    EXPECT_EQ(first_.told("vm"), std::vector<std::string>{}) << "nothing is so yet";
    EXPECT_TRUE(intent_.topology().ports.contains("app-1"));
}

TEST_F(IntentVmsTest, ATroubleIsToldOnceAndAgainWhenItComesAgain) {
    const auto elsewhere = [](fabric::VmState state) {
        return fabric::HostVms{true, {{kUuid, {"db1", state, {{mac(7), "", {}, false, "network default"}}}}}};
    };
    intent_.observe_vms("kvm1", elsewhere(fabric::VmState::running));
    intent_.observe_vms("kvm1", elsewhere(fabric::VmState::off));
    first_.claimed("kvm1", {claim("vnet0", 1)});
    ASSERT_TRUE(first_.apply(kTopology));
    EXPECT_THAT(first_.told("vm"), ElementsAre(HasSubstr("port db: the NIC 52:54:00:00:00:07 of VM db1 is on network "
                                                         "default: `weftctl migrate db1 default blue` moves it")));
    intent_.observe_vms("kvm1", {true, {{kUuid, {"db1", fabric::VmState::running, {nic(7)}}}}});
    EXPECT_THAT(intent_.troubles(), IsEmpty());
    intent_.observe_vms("kvm1", elsewhere(fabric::VmState::running));
    EXPECT_EQ(first_.told("vm").size(), 2U);
}

/// "app" runs on kvm1, and has an interface on kvm2.
class IntentMigrationTest : public IntentVmsTest {
  protected:
    void SetUp() override {
        IntentVmsTest::SetUp();
        first_.claimed("kvm1", {});
        first_.claimed("kvm2", {});
        intent_.observe_vms("kvm1", app({nic(1)}));
        first_.claimed("kvm1", {claim("vnet0", 1)});
        intent_.observe_vms("kvm2", app({nic(1)}, fabric::VmState::arriving));
        first_.claimed("kvm2", {claim("vnet7", 1, 9)});
        address_ = first_.address("app-1");
        ASSERT_EQ(intent_.bindings().at("app-1"),
                  (fabric::Binding{{"kvm1", "vnet0", 5}, fabric::Plug{"kvm2", "vnet7", 9}}));
        ASSERT_TRUE(intent_.published().world->hosts.at("kvm2")->networks.contains("blue"));
    }
    void TearDown() override {
        EXPECT_THAT(first_.dynamic_names(), ElementsAre("app-1"));
        EXPECT_EQ(first_.address("app-1"), address_);
    }
    void expect_moved() const {
        EXPECT_EQ(intent_.bindings().at("app-1"), (fabric::Binding{{"kvm2", "vnet7", 9}, std::nullopt}));
        ASSERT_TRUE(first_.programmed("app-1"));
        EXPECT_EQ(first_.programmed("app-1")->binding.host, "kvm2");
        EXPECT_EQ(intent_.state().holders.at("app-1"), "kvm2");
        EXPECT_THAT(first_.told("port_moved"), ElementsAre("port app-1: moved here from kvm1"));
    }
    std::optional<Ip> address_;
};

TEST_F(IntentMigrationTest, ItsFirstFrameThereMovesThePort) {
    intent_.note_spoke("kvm2", 9);
    expect_moved();
}

TEST_F(IntentMigrationTest, LibvirtsWordThatItRunsThereMovesThePort) {
    intent_.observe_vms("kvm1", app({nic(1)}, fabric::VmState::paused));
    EXPECT_EQ(first_.holder("app-1"), "kvm1");
    intent_.observe_vms("kvm2", app({nic(1)}));
    expect_moved();
}

TEST_F(IntentMigrationTest, TheEndOfItsVmAtTheSourceChangesNoMore) {
    intent_.note_spoke("kvm2", 9);
    intent_.observe_vms("kvm2", app({nic(1)}));
    first_.claimed("kvm1", {});
    intent_.observe_vms("kvm1", {true, {}});
    expect_moved();
}

TEST_F(IntentMigrationTest, OneThatFailsLeavesThePortWhereItIs) {
    first_.claimed("kvm2", {});
    intent_.observe_vms("kvm2", {true, {}});
    EXPECT_EQ(intent_.bindings().at("app-1"), (fabric::Binding{{"kvm1", "vnet0", 5}, std::nullopt}));
    EXPECT_THAT(first_.told("port_moved"), IsEmpty());
}

TEST_F(IntentVmsTest, WhileLibvirtIsDownANicIsAPortByItsPortProfile) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    intent_.observe_vms("kvm1", {});
    first_.claimed("kvm1", {claim("vnet0", 1), claim("vnet1", 2, 6, "red/web")});
    EXPECT_THAT(first_.dynamic_names(), ElementsAre("app-1", "app-2"));
    const auto attachment = first_.programmed("app-2", "red");
    ASSERT_TRUE(attachment);
    EXPECT_EQ(attachment->groups.size(), 1U);
    const auto address = first_.address("app-2", "red");
    intent_.observe_vms("kvm1", app({nic(1), nic(2, "red", {{"web"}, ""})}));
    EXPECT_EQ(first_.address("app-2", "red"), address) << "libvirt is back and tells the same";
}

// With libvirt it may take half a minute to know that it cannot be reached.
TEST_F(IntentVmsTest, ANicThatWasThereBeforeLibvirtIsFoundToBeDownIsAPortByThen) {
    first_.claimed("kvm1", {claim("vnet0", 1, 5, "blue/-")});
    EXPECT_THAT(first_.dynamic_names(), IsEmpty()) << "libvirt may know its name";
    intent_.observe_vms("kvm1", {});
    EXPECT_THAT(first_.dynamic_names(), ElementsAre("vm-02e40cd4-1"));
    EXPECT_EQ(first_.holder("vm-02e40cd4-1"), "kvm1");
}

TEST_F(IntentVmsTest, OnAHostWithoutLibvirtANicIsAPortAsLongAsItIsPluggedIn) {
    first_.claimed("bare", {claim("vnet0", 1, 5, "blue/-")});
    EXPECT_EQ(first_.holder("vm-02e40cd4-1"), "bare");
    first_.claimed("bare", {});
    EXPECT_THAT(first_.dynamic_names(), IsEmpty());
}

TEST_F(IntentVmsTest, WhatAPortProfileMeansIsWhatTheTopologyInForceSays) {
    first_.claimed("bare", {claim("vnet0", 1, 5, "red/-"), claim("vnet1", 2, 6, "green/-")});
    ASSERT_THAT(first_.dynamic_names(), ElementsAre("vm-02e40cd4-1"));
    ASSERT_TRUE(first_.apply(kTopology));
    EXPECT_FALSE(intent_.topology().ports.contains("vm-02e40cd4-1"));
    ASSERT_TRUE(first_.apply(kBoth + "[[network]]\nname = \"green\"\nkind = \"vxlan\"\n"));
    EXPECT_TRUE(first_.programmed("vm-02e40cd4-1", "red"));
    EXPECT_TRUE(first_.programmed("vm-02e40cd4-2", "green"));
}

TEST_F(IntentVmsTest, AHostThatHasNoLibvirtAnyMoreHasNoPortsByItsWord) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    std::string text = kBoth;
    text.erase(text.find("libvirt = \"qemu:///system\""), 26);
    ASSERT_TRUE(first_.apply(text));
    first_.claimed("kvm1", {});
    intent_.forget_vms("kvm1");
    EXPECT_THAT(intent_.vms(), IsEmpty());
    EXPECT_THAT(first_.dynamic_names(), IsEmpty());
}

topology::Port on_its_way(int n, const std::string& network = "blue") {
    topology::Port port;
    port.name = "app-1";
    port.network = network;
    port.vm = "app";
    port.mac = mac(n);
    return port;
}

TEST_F(IntentVmsTest, APortThatIsHeldHasItsAddressBeforeItsNicIsThereAndKeepsIt) {
    intent_.observe_vms("kvm1", app({}));
    intent_.observe_vms("kvm2", {true, {}});
    ASSERT_EQ(intent_.hold(on_its_way(1), kUuid, "kvm1"), Result<>{});
    const auto address = first_.address("app-1");
    ASSERT_TRUE(address);
    intent_.observe_vms("kvm2", {true, {{"another", {"x", fabric::VmState::off, {}}}}});
    EXPECT_THAT(first_.dynamic_names(), ElementsAre("app-1"));
    intent_.observe_vms("kvm1", app({nic(1)}));
    intent_.release("app-1");
    EXPECT_THAT(first_.dynamic_names(), ElementsAre("app-1"));
    EXPECT_EQ(first_.address("app-1"), address);
}

TEST_F(IntentVmsTest, APortThatIsReleasedWithoutANicIsGone) {
    intent_.observe_vms("kvm1", app({}));
    ASSERT_EQ(intent_.hold(on_its_way(1), kUuid, "kvm1"), Result<>{});
    intent_.release("app-1");
    EXPECT_THAT(first_.dynamic_names(), IsEmpty());
    EXPECT_FALSE(intent_.topology().ports.contains("app-1"));
    EXPECT_FALSE(first_.address("app-1"));
    const auto before = first_.published;
    intent_.release("app-1");
    EXPECT_EQ(first_.published, before);
}

TEST_F(IntentVmsTest, APortThatCannotBeIsNotHeld) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    const auto why = [&](topology::Port port) {
        const auto held = intent_.hold(std::move(port), kUuid, "kvm1");
        return held ? "" : held.error().text;
    };
    EXPECT_THAT(why(on_its_way(2)), HasSubstr("there is a port app-1"));
    auto nowhere = on_its_way(2, "green");
    nowhere.name = "app-2";
    EXPECT_THAT(why(nowhere), HasSubstr("its network green is not in the topology"));
    EXPECT_THAT(intent_.troubles(), IsEmpty());
    EXPECT_THAT(first_.dynamic_names(), ElementsAre("app-1"));
}

TEST_F(IntentVmsTest, APortWhoseMacIsTakenIsNotHeld) {
    intent_.observe_vms("kvm1", app({nic(1)}));
    auto second = on_its_way(1);
    second.name = "app-2";
    const auto held = intent_.hold(second, kUuid, "kvm1");
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().kind, ErrorKind::invalid);
    EXPECT_THAT(first_.dynamic_names(), ElementsAre("app-1"));
    intent_.observe_vms("kvm1", app({}));
    EXPECT_THAT(first_.dynamic_names(), IsEmpty());
}

} // namespace
} // namespace weft::controller
