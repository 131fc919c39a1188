// Against libvirt's own test driver, which lives in this process: a host with the domain "test" and the network
// "default". It has no interfaces that come and go in running domains.
#include "tests/virt/followed.hpp"

#include "virt/domain_xml.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace weft::virt {
namespace {

constexpr const char* kUri = "test:///default";
constexpr const char* kNowhere = "qemu+unix:///system?socket=/nonexistent/libvirt-sock";

Mac mac(std::string_view text) {
    return Mac::parse(text).value();
}

TEST(Watch, TellsWhatIsThere) {
    Followed host(kUri);
    EXPECT_EQ(host.watch->phase(), Watch::Phase::connecting);
    EXPECT_EQ(host.watch->snapshot(), nullptr);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    ASSERT_EQ(host.snapshots.size(), 1U);
    EXPECT_EQ(host.watch->snapshot(), host.snapshots.front());
    const auto* domain = host.domain("test");
    ASSERT_TRUE(domain);
    EXPECT_EQ(domain->state, DomainState::running);
    EXPECT_EQ(domain->uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f");
    ASSERT_EQ(domain->nics.size(), 1U);
    EXPECT_EQ(domain->nics.front().mac, mac("aa:bb:cc:dd:ee:ff"));
    EXPECT_EQ(domain->nics.front().network, "default");
    EXPECT_EQ(domain->nics.front().target, "testnet0");
    const auto* network = host.network("default");
    ASSERT_TRUE(network);
    EXPECT_TRUE(network->active);
    EXPECT_EQ(network->live.forward, "nat");
    EXPECT_EQ(network->live, network->configured);
    EXPECT_EQ(host.watch->reason(), "");
}

TEST(Watch, FollowsTheLifeOfADomain) {
    const Admin admin(kUri);
    Followed host(kUri);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    const auto domain = admin.domain("test");
    ASSERT_EQ(virDomainSuspend(domain.get()), 0);
    EXPECT_TRUE(host.comes("test", DomainState::paused));
    ASSERT_EQ(virDomainResume(domain.get()), 0);
    EXPECT_TRUE(host.comes("test", DomainState::running));
    ASSERT_EQ(virDomainDestroy(domain.get()), 0);
    EXPECT_TRUE(host.comes("test", DomainState::off));
    ASSERT_EQ(virDomainCreate(domain.get()), 0);
    EXPECT_TRUE(host.comes("test", DomainState::running));
    admin.define("web", "");
    EXPECT_TRUE(host.comes("web", DomainState::off));
    ASSERT_EQ(virDomainUndefine(admin.domain("web").get()), 0);
    EXPECT_TRUE(host.eventually([&] { return !host.domain("web"); }));
    EXPECT_TRUE(host.domain("test"));
}

TEST(Watch, FollowsTheInterfacesOfADomain) {
    const Admin admin(kUri);
    Followed host(kUri);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    const auto one = render_interface("default", "", mac("52:54:00:00:00:01"));
    const auto two = std::string("<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br-int'/>"
                                 "<virtualport type='openvswitch'><parameters profileid='private1/web'/></virtualport>"
                                 "</interface>");
    const auto count = [&](std::size_t nics) {
        return host.eventually([&, nics] { return host.domain("web") && host.domain("web")->nics.size() == nics; });
    };
    admin.define("web", one);
    EXPECT_TRUE(count(1));
    admin.define("web", one + two);
    ASSERT_TRUE(count(2));
    EXPECT_EQ(host.domain("web")->nics.back().profile_id, "private1/web");
    EXPECT_EQ(host.domain("web")->nics.back().bridge, "br-int");
    ASSERT_EQ(virDomainCreate(admin.domain("web").get()), 0);
    EXPECT_TRUE(host.comes("web", DomainState::running));
    EXPECT_NE(host.domain("web")->nics.front().target, "");
    ASSERT_EQ(virDomainDestroy(admin.domain("web").get()), 0);
    admin.define("web", two);
    EXPECT_TRUE(count(1));
    EXPECT_EQ(host.domain("web")->nics.front().mac, mac("52:54:00:00:00:02"));
}

TEST(Watch, FollowsNetworks) {
    const Admin admin(kUri);
    Followed host(kUri);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    admin.define_network("<network><name>br0</name><forward mode='bridge'/><bridge name='br0'/></network>");
    EXPECT_TRUE(host.eventually([&] { return host.network("br0"); }));
    EXPECT_FALSE(host.network("br0")->active);
    const NetworkHandle network(virNetworkLookupByName(admin.connection(), "br0"));
    ASSERT_EQ(virNetworkCreate(network.get()), 0);
    EXPECT_TRUE(host.eventually([&] { return host.network("br0")->active; }));
    ASSERT_EQ(virNetworkDestroy(network.get()), 0);
    ASSERT_EQ(virNetworkUndefine(network.get()), 0);
    EXPECT_TRUE(host.eventually([&] { return !host.network("br0"); }));
}

TEST(Watch, WhatHasNoEventIsReadAfterAWhile) {
    const Admin admin(kUri);
    auto options = quick();
    options.reread = Milliseconds(50);
    Followed host(kUri, options);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    const NetworkHandle network(virNetworkLookupByName(admin.connection(), "default"));
    ASSERT_EQ(virNetworkUpdate(network.get(), VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, VIR_NETWORK_SECTION_PORTGROUP, -1,
                               "<portgroup name='web'/>", VIR_NETWORK_UPDATE_AFFECT_LIVE),
              0);
    EXPECT_TRUE(host.eventually([&] { return host.network("default")->live.portgroups.contains("web"); }));
}

TEST(Watch, DefinesChangesAndRemovesNetworks) {
    const Admin admin(kUri);
    Followed host(kUri);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    const auto define = [&](const NetworkDefinition& network) {
        return test::run(host.io, host.watch->define_network(render(network)));
    };
    const auto is = [&](const NetworkDefinition& wanted) {
        const auto* network = host.network(wanted.name);
        return network && network->active && network->autostart && same(network->live, wanted) &&
               same(network->configured, wanted);
    };
    auto wanted = wanted_network("private1", "br-int", {{"web", true}});
    ASSERT_EQ(define(wanted), Result<>{});
    EXPECT_TRUE(is(wanted));
    const auto uuid = host.network("private1")->live.uuid;
    EXPECT_EQ(define(wanted), Result<>{}); // changes nothing

    wanted = wanted_network("private1", "br-int", {{"db", true}, {"web", false}, {"dmz", false}});
    ASSERT_EQ(define(wanted), Result<>{});
    EXPECT_TRUE(is(wanted));
    wanted = wanted_network("private1", "br-int", {{"dmz", true}});
    ASSERT_EQ(define(wanted), Result<>{});
    EXPECT_TRUE(is(wanted));
    EXPECT_EQ(host.network("private1")->live.uuid, uuid);
    const auto xml = test::run(host.io, host.watch->network_xml("private1"));
    ASSERT_TRUE(xml);
    EXPECT_TRUE(same(parse_network(*xml).value(), wanted));

    EXPECT_EQ(test::run(host.io, host.watch->remove_network("private1")), Result<>{});
    EXPECT_FALSE(host.network("private1"));
    EXPECT_EQ(test::run(host.io, host.watch->remove_network("private1")), Result<>{});
}

TEST(Watch, LeavesTheNetworksOfOthersAlone) {
    Followed host(kUri);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    const auto defined =
        test::run(host.io, host.watch->define_network(render(wanted_network("default", "br-int", {{"web", true}}))));
    ASSERT_FALSE(defined);
    EXPECT_EQ(defined.error().kind, ErrorKind::refused);
    EXPECT_THAT(defined.error().text, testing::HasSubstr("`virsh net-undefine default`"));
    EXPECT_EQ(test::run(host.io, host.watch->remove_network("default")).error().kind, ErrorKind::refused);
    EXPECT_EQ(host.network("default")->live.forward, "nat");
    const auto unmarked = test::run(host.io, host.watch->define_network("<network><name>x</name></network>"));
    EXPECT_EQ(unmarked.error().kind, ErrorKind::invalid);
}

TEST(Watch, TellsWhatLibvirtRefuses) {
    Followed host(kUri);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    const auto xml = render_interface("default", "", mac("52:54:00:00:00:01"));
    const auto kind = [&](Task<Result<>> job) { return test::run(host.io, std::move(job)).error().kind; };
    EXPECT_EQ(kind(host.watch->attach_interface("test", "<interface/>")), ErrorKind::invalid);
    EXPECT_EQ(kind(host.watch->attach_interface("nobody", xml)), ErrorKind::refused);
    EXPECT_EQ(kind(host.watch->detach_interface("test", mac("52:54:00:00:00:99"))), ErrorKind::refused);
    EXPECT_EQ(kind(host.watch->attach_interface("test", xml)), ErrorKind::refused); // the test driver cannot
    EXPECT_EQ(kind(host.watch->detach_interface("test", mac("aa:bb:cc:dd:ee:ff"))), ErrorKind::refused);
    EXPECT_EQ(host.watch->phase(), Watch::Phase::following);
    EXPECT_THAT(test::run(host.io, host.watch->domain_xml("test")).value(), testing::HasSubstr("<name>test</name>"));
}

TEST(Watch, TellsThatLibvirtIsDownAndWhatToDo) {
    Followed host(kNowhere);
    host.watch->start();
    ASSERT_TRUE(host.is_down());
    EXPECT_THAT(host.watch->reason(), testing::StartsWith("libvirt at qemu+unix:///system"));
    EXPECT_THAT(host.watch->reason(), testing::HasSubstr("No such file or directory: start libvirt on the host"));
    const auto defined = test::run(host.io, host.watch->define_network(render(wanted_network("a", "b", {}))));
    EXPECT_EQ(defined.error().kind, ErrorKind::io);
    EXPECT_EQ(defined.error().text, host.watch->reason());
    EXPECT_EQ(host.watch->snapshot(), nullptr);
    EXPECT_EQ(host.changes, 1); // tried again and again, told once
}

TEST(Watch, AnUnknownUriIsTold) {
    Followed host("qemu+pigeon:///system");
    host.watch->start();
    ASSERT_TRUE(host.is_down());
    EXPECT_THAT(host.watch->reason(), testing::HasSubstr("check the host's libvirt URI"));
}

/// A socket on which nobody ever says anything: libvirt waits for it without end.
class Mute {
  public:
    Mute()
        : path(std::filesystem::temp_directory_path() / fmt::format("weft-mute-{}", getpid())),
          socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        std::filesystem::remove(path);
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(listen(socket_, 8), 0);
    }
    ~Mute() { hang_up(); }
    Mute(const Mute&) = delete;
    Mute& operator=(const Mute&) = delete;
    void hang_up() {
        if (socket_ >= 0) close(std::exchange(socket_, -1));
        std::filesystem::remove(path);
    }
    std::string uri() const { return "qemu+unix:///system?socket=" + path.string(); }

    std::filesystem::path path;

  private:
    int socket_;
};

TEST(Watch, AHostThatSaysNothingIsTold) {
    Mute mute;
    auto options = quick();
    options.connect_limit = Milliseconds(1000);
    options.job_limit = Milliseconds(100);
    Followed host(mute.uri(), options);
    host.watch->start();
    const auto defined = test::run(host.io, host.watch->define_network(render(wanted_network("a", "b", {}))));
    EXPECT_EQ(defined.error().kind, ErrorKind::timeout);
    EXPECT_THAT(defined.error().text, testing::EndsWith("nothing was done"));
    EXPECT_EQ(host.watch->phase(), Watch::Phase::connecting);
    ASSERT_TRUE(host.is_down());
    EXPECT_THAT(host.watch->reason(), testing::HasSubstr("no answer for 1 s"));
    mute.hang_up(); // or its thread would stay
    EXPECT_TRUE(host.eventually([&] { return host.watch->reason().find("start libvirt") != std::string::npos; }));
}

TEST(Watch, StopsWhileItConnects) {
    Mute mute;
    {
        Followed host(mute.uri());
        host.watch->start();
        host.io.run_for(Milliseconds(100));
        const auto began = SteadyClock::now();
        host.watch->stop();
        EXPECT_LT(SteadyClock::now() - began, Milliseconds(1000));
        EXPECT_FALSE(Watch::all_ended(Milliseconds(0)));
        mute.hang_up();
    }
}

TEST(Watch, StopsAtOnce) {
    Followed host(kUri);
    host.watch->start();
    host.watch->stop();
    host.io.run_for(Milliseconds(200));
    EXPECT_EQ(host.changes, 0);
    EXPECT_TRUE(host.snapshots.empty());
}

TEST(Watch, StopsBeforeItStarted) {
    const Followed host(kUri);
}

TEST(Watch, StopsWhileDown) {
    Followed host(kNowhere);
    host.watch->start();
    ASSERT_TRUE(host.is_down());
    host.watch->stop();
    host.io.run_for(Milliseconds(200));
    EXPECT_EQ(host.changes, 1);
}

TEST(Watch, NothingIsHeardAfterStop) {
    const Admin admin(kUri);
    Followed host(kUri);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    ASSERT_EQ(virDomainSuspend(admin.domain("test").get()), 0);
    host.watch->stop();
    host.io.run_for(Milliseconds(200));
    EXPECT_EQ(host.snapshots.size(), 1U);
}

TEST(Watch, StopEndsJobs) {
    const Admin admin(kUri);
    Followed host(kUri);
    host.watch->start();
    ASSERT_TRUE(host.follows());
    std::vector<Result<>> ended;
    const auto submit = [&](std::string name) {
        asio::co_spawn(host.io, host.watch->define_network(render(wanted_network(name, "br-int", {}))),
                       [&](std::exception_ptr, Result<> result) { ended.push_back(std::move(result)); });
    };
    for (int i = 0; i < 50; ++i)
        submit(fmt::format("n{}", i));
    host.io.poll_one();
    host.io.poll_one();
    host.watch->stop();
    ASSERT_TRUE(host.eventually([&] { return ended.size() == 50; }));
    EXPECT_EQ(ended.back(), (Result<>(fail(ErrorKind::io, "libvirt at test:///default: stopped"))));
}

TEST(Watch, MayBeStoppedByWhomItCalls) {
    asio::io_context io;
    int called = 0;
    std::shared_ptr<Watch> watch;
    const auto stop = [&] {
        ++called;
        watch->stop();
        watch.reset();
    };
    watch = std::make_shared<Watch>(io, kUri, [&](const auto&) { stop(); }, [&] { stop(); }, quick());
    watch->start();
    ASSERT_TRUE(test::eventually(io, [&] { return called == 1; }));
    watch = std::make_shared<Watch>(io, kUri, [](const auto&) {}, [&] { stop(); }, quick());
    watch->start();
    ASSERT_TRUE(test::eventually(io, [&] { return called == 2; }));
    io.run_for(Milliseconds(100));
    EXPECT_EQ(called, 2);
    EXPECT_TRUE(Watch::all_ended(Milliseconds(20000)));
}

TEST(Watch, TheThreadMayOutliveTheContext) {
    const Admin admin(kUri);
    std::shared_ptr<Watch> watch;
    {
        asio::io_context io;
        watch = std::make_shared<Watch>(io, kUri, [](const auto&) {}, [] {}, quick());
        watch->start();
        test::eventually(io, [&] { return watch->phase() == Watch::Phase::following; });
        watch->stop();
        watch.reset();
    }
    ASSERT_EQ(virDomainSuspend(admin.domain("test").get()), 0);
    EXPECT_TRUE(Watch::all_ended(Milliseconds(20000)));
}

} // namespace
} // namespace weft::virt
