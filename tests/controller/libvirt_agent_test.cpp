// Against libvirt's own test driver, as tests/virt/watch_test.cpp: a host with the domain "test" and a network
// "default" of somebody else's, which lives as long as any connection to it.
#include "controller/libvirt_agent.hpp"

#include "tests/virt/followed.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace weft::controller {
namespace {

using Phase = LibvirtAgent::Phase;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kUri = "test:///default";
constexpr const char* kNowhere = "qemu+unix:///system?socket=/nonexistent/libvirt-sock";
constexpr const char* kUuidOfTest = "6695eb01-f6a4-8304-79aa-97f2502e193f";

class LibvirtAgentTest : public testing::Test {
  protected:
    ~LibvirtAgentTest() override {
        agent->stop();
        io.restart();
        io.run(); // nothing of it keeps the context alive
        agent.reset();
        EXPECT_TRUE(virt::Watch::all_ended(Milliseconds(20000)));
        io.restart();
        io.run();
    }

    bool eventually(const std::function<bool()>& done) { return test::eventually(io, done); }
    bool comes(Phase phase) {
        return eventually([&] { return agent->phase() == phase; });
    }
    void want(std::vector<virt::NetworkDefinition> networks, const char* uri = kUri) {
        LibvirtAgent::Wanted wanted{uri, "br-int", {}};
        for (auto& network : networks)
            wanted.networks.emplace(network.name, network);
        if (agent->watch())
            agent->want(std::move(wanted));
        else
            agent->start(std::move(wanted));
    }
    static virt::NetworkDefinition network(const std::string& name, std::vector<std::string> portgroups = {},
                                           const std::string& bridge = "br-int") {
        std::map<std::string, bool> defaults{{"-", true}};
        for (auto& portgroup : portgroups)
            defaults.emplace(std::move(portgroup), false);
        return virt::wanted_network(name, bridge, defaults);
    }
    virt::NetworkHandle handle(const std::string& name) const {
        return virt::NetworkHandle(virNetworkLookupByName(admin.connection(), name.c_str()));
    }
    /// What libvirt says; nothing: it has no network of that name.
    std::optional<virt::NetworkDefinition> at_libvirt(const std::string& name) const {
        const auto there = handle(name);
        if (!there) return std::nullopt;
        const std::unique_ptr<char, decltype(&std::free)> xml(virNetworkGetXMLDesc(there.get(), 0), &std::free);
        return virt::parse_network(xml.get()).value();
    }
    bool is(const virt::NetworkDefinition& wanted) const {
        const auto has = at_libvirt(wanted.name);
        int autostart = 0;
        return has && virt::same(*has, wanted) && virNetworkIsActive(handle(wanted.name).get()) == 1 &&
               virNetworkGetAutostart(handle(wanted.name).get(), &autostart) == 0 && autostart == 1;
    }
    void remove(const std::string& name) const {
        EXPECT_EQ(virNetworkDestroy(handle(name).get()), 0);
        EXPECT_EQ(virNetworkUndefine(handle(name).get()), 0);
    }
    std::vector<std::string> said() const {
        std::vector<std::string> kinds;
        for (const auto& event : events.since(0))
            kinds.push_back(event.kind);
        return kinds;
    }

    virt::Admin admin{kUri};
    asio::io_context io;
    Log log{LogLevel::error, [](std::string_view) {}};
    EventLog events{io.get_executor(), {}, log};
    std::vector<fabric::HostVms> told;
    int changes = 0;
    std::shared_ptr<LibvirtAgent> agent = std::make_shared<LibvirtAgent>(
        io, "kvm1", Voice{log, events}, [this](fabric::HostVms vms) { told.push_back(std::move(vms)); },
        [this] { ++changes; });
};

TEST_F(LibvirtAgentTest, TellsWhatVmsTheHostHas) {
    EXPECT_EQ(agent->phase(), Phase::connecting);
    want({});
    ASSERT_TRUE(comes(Phase::following));
    ASSERT_FALSE(told.empty());
    EXPECT_TRUE(told.back().current);
    const auto& vm = told.back().vms.at(kUuidOfTest);
    EXPECT_EQ(vm.name, "test");
    EXPECT_EQ(vm.state, fabric::VmState::running);
    EXPECT_EQ(vm.nics.at(0).source, "network default");
    ASSERT_EQ(virDomainDestroy(admin.domain("test").get()), 0);
    EXPECT_TRUE(eventually([&] { return told.back().vms.at(kUuidOfTest).state == fabric::VmState::off; }));
}

TEST_F(LibvirtAgentTest, DefinesTheNetworksThatAreOffered) {
    want({network("private1", {"web"}), network("office")});
    ASSERT_TRUE(comes(Phase::following));
    EXPECT_TRUE(is(network("private1", {"web"})));
    EXPECT_TRUE(is(network("office")));
    EXPECT_EQ(at_libvirt("private1")->mark, "private1");
    EXPECT_EQ(agent->reason(), "");
    EXPECT_THAT(said(), ElementsAre("libvirt_following"));
}

TEST_F(LibvirtAgentTest, ChangesTheirPortgroupsWithoutStoppingThem) {
    want({network("private1", {"web"})});
    ASSERT_TRUE(comes(Phase::following));
    const auto uuid = at_libvirt("private1")->uuid;
    want({network("private1", {"db", "ssh"})});
    ASSERT_TRUE(comes(Phase::offering));
    EXPECT_THAT(agent->reason(), HasSubstr("private1"));
    ASSERT_TRUE(comes(Phase::following));
    EXPECT_TRUE(is(network("private1", {"db", "ssh"})));
    EXPECT_EQ(at_libvirt("private1")->uuid, uuid);
    EXPECT_THAT(said(), ElementsAre("libvirt_following")) << "a change on its way is no news";
}

TEST_F(LibvirtAgentTest, RemovesThoseThatAreNotOfferedAnyMoreAndNobodyElses) {
    admin.define_network(virt::render(network("long-gone"))); // by a weftd before this one
    want({network("private1"), network("office")});
    ASSERT_TRUE(comes(Phase::following));
    EXPECT_FALSE(at_libvirt("long-gone"));
    want({network("office")});
    ASSERT_TRUE(eventually([&] { return !at_libvirt("private1"); }));
    ASSERT_TRUE(comes(Phase::following));
    EXPECT_TRUE(is(network("office")));
    EXPECT_EQ(at_libvirt("default")->forward, "nat");
}

TEST_F(LibvirtAgentTest, WhatAnAdminDoesToThemIsUndone) {
    want({network("private1")});
    ASSERT_TRUE(comes(Phase::following));
    remove("private1");
    ASSERT_TRUE(eventually([&] { return is(network("private1")); }));
    ASSERT_TRUE(comes(Phase::following));
    ASSERT_EQ(virNetworkDestroy(handle("private1").get()), 0);
    EXPECT_TRUE(eventually([&] { return is(network("private1")); }));
    EXPECT_TRUE(comes(Phase::following));
}

TEST_F(LibvirtAgentTest, ANetworkOfSomebodyElsesIsLeftAloneAndSaidToBeInTheWay) {
    want({network("default"), network("private1")});
    ASSERT_TRUE(comes(Phase::refused));
    EXPECT_THAT(agent->reason(), HasSubstr("`virsh net-undefine default`"));
    EXPECT_EQ(at_libvirt("default")->forward, "nat");
    EXPECT_TRUE(is(network("private1"))) << "the others are offered";

    want({network("default"), network("private1", {"web"})});
    ASSERT_TRUE(eventually([&] { return is(network("private1", {"web"})); }));
    ASSERT_TRUE(comes(Phase::refused));
    EXPECT_THAT(said(), testing::Each("libvirt_refused"));
    EXPECT_EQ(said().size(), 1U) << "it is told once";

    remove("default");
    ASSERT_TRUE(comes(Phase::following));
    EXPECT_TRUE(is(network("default")));
    EXPECT_THAT(said(), ElementsAre("libvirt_refused", "libvirt_following"));
}

TEST_F(LibvirtAgentTest, WhatIsNotWantedAnyMoreIsNotInTheWay) {
    want({network("default")});
    ASSERT_TRUE(comes(Phase::refused));
    want({});
    EXPECT_TRUE(comes(Phase::following));
}

TEST_F(LibvirtAgentTest, AnotherBridgeWaitsUntilTheNetworkIsStartedAnew) {
    want({network("private1")});
    ASSERT_TRUE(comes(Phase::following));
    want({network("private1", {}, "br-weft")});
    ASSERT_TRUE(comes(Phase::refused));
    EXPECT_THAT(agent->reason(), HasSubstr("virsh net-destroy private1"));
    EXPECT_EQ(at_libvirt("private1")->bridge, "br-int") << "guests are plugged in there";
    ASSERT_EQ(virNetworkDestroy(handle("private1").get()), 0);
    ASSERT_TRUE(comes(Phase::following));
    EXPECT_TRUE(is(network("private1", {}, "br-weft")));
}

TEST_F(LibvirtAgentTest, LibvirtThatIsNotReachedIsToldOnceAndAnotherUriIsTriedAtOnce) {
    want({network("private1")}, kNowhere);
    ASSERT_TRUE(comes(Phase::down));
    EXPECT_THAT(agent->reason(), HasSubstr("start libvirt on the host"));
    EXPECT_EQ(told.back(), fabric::HostVms{});
    EXPECT_EQ(agent->snapshot(), nullptr);
    want({network("private1")});
    ASSERT_TRUE(comes(Phase::following));
    EXPECT_TRUE(is(network("private1")));
    EXPECT_TRUE(told.back().current);
    EXPECT_THAT(said(), ElementsAre("libvirt_down", "libvirt_following"));
    want({network("private1")}, kNowhere);
    ASSERT_TRUE(comes(Phase::down));
    EXPECT_FALSE(told.back().current);
}

TEST_F(LibvirtAgentTest, LeavingItTakesWeftsNetworksOffAndCallsNobodyElse) {
    want({network("private1"), network("office"), network("default")});
    ASSERT_TRUE(comes(Phase::refused));
    const auto heard = told.size();
    const auto changed = changes;
    bool cleaned = false;
    agent->leave([&] { cleaned = true; });
    ASSERT_TRUE(eventually([&] { return cleaned; }));
    EXPECT_FALSE(at_libvirt("private1"));
    EXPECT_FALSE(at_libvirt("office"));
    EXPECT_EQ(at_libvirt("default")->forward, "nat");
    EXPECT_EQ(told.size(), heard);
    EXPECT_EQ(changes, changed);
}

TEST_F(LibvirtAgentTest, StoppedItLeavesTheNetworksWhereTheyAreAndCallsNobody) {
    want({network("private1")});
    ASSERT_TRUE(comes(Phase::following));
    const auto heard = told.size();
    agent->stop();
    ASSERT_EQ(virDomainSuspend(admin.domain("test").get()), 0);
    io.restart();
    io.run();
    EXPECT_EQ(told.size(), heard);
    EXPECT_TRUE(is(network("private1")));
}

} // namespace
} // namespace weft::controller
