// Against a real libvirtd, which serves the test driver on a socket of its own: what a connection does that breaks.
// They want Debian's libvirt-daemon and qemu-system-x86, which scripts/setup installs.
#include "tests/virt/libvirtd.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace weft::virt {
namespace {

TEST_F(Daemon, IsWaitedForAndFollowed) {
    Followed host(libvirtd.uri());
    host.watch->start();
    ASSERT_TRUE(host.is_down());
    EXPECT_THAT(host.watch->reason(), testing::HasSubstr("start libvirt on the host"));
    libvirtd.start();
    ASSERT_TRUE(host.follows());
    EXPECT_EQ(host.domain("test")->state, DomainState::running);

    const Admin admin(libvirtd.uri());
    ASSERT_EQ(virDomainDestroy(admin.domain("test").get()), 0);
    EXPECT_TRUE(host.comes("test", DomainState::off));
    const auto wanted = wanted_network("private1", "br-int", {{"web", true}});
    ASSERT_EQ(test::run(host.io, host.watch->define_network(render(wanted))), Result<>{});
    EXPECT_TRUE(host.eventually([&] { return host.network("private1") && host.network("private1")->active; }));
    EXPECT_TRUE(same(host.network("private1")->live, wanted));
}

/// The network driver of a real host keeps what is configured beside what is active, and answers with its own XML.
TEST_F(Daemon, OfARealHostKeepsNetworks) {
    libvirtd.start();
    Followed host(libvirtd.uri("qemu+unix:///session"));
    host.watch->start();
    ASSERT_TRUE(host.follows()) << host.watch->reason();
    EXPECT_EQ(host.watch->snapshot()->no_networks, "");
    const auto define = [&](const NetworkDefinition& network) {
        return test::run(host.io, host.watch->define_network(render(network)));
    };
    const auto is = [&](const NetworkDefinition& live, const NetworkDefinition& configured) {
        const auto* network = host.network("private1");
        return network && network->active && network->autostart && same(network->live, live) &&
               same(network->configured, configured);
    };
    const auto first = wanted_network("private1", "br-int", {{"web", true}});
    ASSERT_EQ(define(first), Result<>{});
    EXPECT_TRUE(is(first, first));
    const auto second = wanted_network("private1", "br-int", {{"db", true}, {"web", false}});
    ASSERT_EQ(define(second), Result<>{});
    EXPECT_TRUE(is(second, second));
    const auto moved = wanted_network("private1", "br-other", {{"db", true}});
    const auto refused = define(moved);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::refused);
    EXPECT_THAT(refused.error().text, testing::HasSubstr("`virsh net-start private1`"));
    EXPECT_TRUE(is(wanted_network("private1", "br-int", {{"db", true}}), moved));
    ASSERT_EQ(test::run(host.io, host.watch->remove_network("private1")), Result<>{});
    EXPECT_FALSE(host.network("private1"));
}

/// A guest of QEMU's without a disk: interfaces come while it runs. They go only by the guest's leave, which has none.
TEST_F(Daemon, OfARealHostAttachesInterfaces) {
    ASSERT_EQ(missing("/usr/bin/qemu-system-x86_64", "qemu-system-x86"), "");
    libvirtd.start();
    const auto uri = libvirtd.uri("qemu+unix:///session");
    auto options = quick();
    options.keepalive_count = 60;
    Followed host(uri, options);
    host.watch->start();
    ASSERT_TRUE(host.follows()) << host.watch->reason();
    const Admin admin(uri);
    const DomainHandle defined(virDomainDefineXML(
        admin.connection(), "<domain type='qemu'><name>web</name><memory unit='MiB'>32</memory><os><type "
                            "arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features></domain>"));
    ASSERT_TRUE(defined) << last_failure().message;
    EXPECT_TRUE(host.comes("web", DomainState::off));
    const auto attach = [&](const std::string& mac) {
        return test::run(host.io, host.watch->attach_interface("web", "<interface type='user'><mac address='" + mac +
                                                                          "'/><model type='virtio'/></interface>"));
    };
    ASSERT_EQ(attach("52:54:00:00:00:01"), Result<>{});
    ASSERT_EQ(host.domain("web")->nics.size(), 1U);
    EXPECT_EQ(host.domain("web")->nics.front().alias, "");

    ASSERT_EQ(virDomainCreateWithFlags(defined.get(), VIR_DOMAIN_START_PAUSED), 0) << last_failure().message;
    EXPECT_TRUE(host.comes("web", DomainState::paused));
    ASSERT_EQ(virDomainResume(defined.get()), 0);
    EXPECT_TRUE(host.comes("web", DomainState::running));
    EXPECT_EQ(host.domain("web")->nics.front().alias, "net0");
    ASSERT_EQ(attach("52:54:00:00:00:02"), Result<>{});
    ASSERT_EQ(host.domain("web")->nics.size(), 2U);
    EXPECT_EQ(host.domain("web")->nics.back().alias, "net1");
    // By somebody else: an event tells.
    const std::string other = "<interface type='user'><mac address='52:54:00:00:00:03'/></interface>";
    ASSERT_EQ(virDomainAttachDeviceFlags(defined.get(), other.c_str(), VIR_DOMAIN_AFFECT_LIVE), 0);
    EXPECT_TRUE(host.eventually([&] { return host.domain("web")->nics.size() == 3; }));

    ASSERT_EQ(virDomainDestroy(defined.get()), 0);
    EXPECT_TRUE(host.comes("web", DomainState::off));
    EXPECT_EQ(host.domain("web")->nics.size(), 2U); // the third was the running domain's alone
    const auto first = Mac::parse("52:54:00:00:00:01").value();
    ASSERT_EQ(test::run(host.io, host.watch->detach_interface("web", first)), Result<>{});
    ASSERT_EQ(host.domain("web")->nics.size(), 1U);
    EXPECT_EQ(host.domain("web")->nics.front().mac.to_string(), "52:54:00:00:00:02");
    EXPECT_EQ(test::run(host.io, host.watch->detach_interface("web", first)).error().kind, ErrorKind::refused);
}

/// The destination has the domain, and does not have the guest until the source has let it go.
TEST_F(Daemon, OfARealHostTakesAGuestIn) {
    ASSERT_EQ(missing("/usr/bin/qemu-system-x86_64", "qemu-system-x86"), "");
    Libvirtd other;
    libvirtd.start();
    other.start();
    auto options = quick();
    options.keepalive_count = 60;
    Followed source(libvirtd.uri("qemu+unix:///session"), options);
    Followed destination(other.uri("qemu+unix:///session"), options);
    source.watch->start();
    destination.watch->start();
    ASSERT_TRUE(source.follows()) << source.watch->reason();
    ASSERT_TRUE(destination.follows()) << destination.watch->reason();
    const Admin from(libvirtd.uri("qemu+unix:///session"));
    const Admin to(other.uri("qemu+unix:///session"));
    const DomainHandle domain(virDomainCreateXML(
        from.connection(),
        "<domain type='qemu'><name>web</name><memory unit='MiB'>64</memory><os><type arch='x86_64' "
        "machine='pc'>hvm</type></os><devices><interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
        "</devices></domain>",
        0));
    ASSERT_TRUE(domain) << last_failure().message;
    ASSERT_TRUE(source.comes("web", DomainState::running));

    virTypedParameterPtr parameters = nullptr;
    int count = 0;
    int capacity = 0;
    virTypedParamsAddString(&parameters, &count, &capacity, VIR_MIGRATE_PARAM_URI, "tcp:127.0.0.1");
    virTypedParamsAddULLong(&parameters, &count, &capacity, VIR_MIGRATE_PARAM_BANDWIDTH, 1); // MiB/s: to be seen
    const DomainHandle moved(
        virDomainMigrate3(domain.get(), to.connection(), parameters, static_cast<unsigned>(count), VIR_MIGRATE_LIVE));
    virTypedParamsFree(parameters, count);
    ASSERT_TRUE(moved) << last_failure().message;
    EXPECT_TRUE(destination.comes("web", DomainState::running));
    EXPECT_TRUE(source.eventually([&] { return !source.domain("web"); }));
    std::vector<DomainState> states;
    for (const auto& snapshot : destination.snapshots)
        if (const auto found = snapshot->domains.find("web"); found != snapshot->domains.end())
            if (states.empty() || states.back() != found->second.state) states.push_back(found->second.state);
    EXPECT_THAT(states, testing::ElementsAre(DomainState::migrating_in, DomainState::running));
    for (const auto& snapshot : source.snapshots)
        if (const auto found = snapshot->domains.find("web"); found != snapshot->domains.end())
            EXPECT_NE(found->second.state, DomainState::migrating_in);
    EXPECT_EQ(destination.domain("web")->nics.size(), 1U);
    source.watch->stop(); // the other's end waits for all threads
}

TEST_F(Daemon, IsReadAgainAfterItDied) {
    libvirtd.start();
    Followed host(libvirtd.uri());
    host.watch->start();
    ASSERT_TRUE(host.follows());
    const Admin admin(libvirtd.uri());
    ASSERT_EQ(virDomainDestroy(admin.domain("test").get()), 0);
    ASSERT_TRUE(host.comes("test", DomainState::off));
    libvirtd.kill();
    ASSERT_TRUE(host.is_down());
    EXPECT_THAT(host.watch->reason(), testing::StartsWith("libvirt at " + libvirtd.uri()));
    EXPECT_EQ(host.watch->snapshot()->domains.at("test").state, DomainState::off); // what is known stays
    libvirtd.start();                                                              // which has forgotten what happened
    ASSERT_TRUE(host.follows());
    EXPECT_EQ(host.domain("test")->state, DomainState::running);
}

TEST_F(Daemon, IsGivenUpWhenItDoesNotAnswer) {
    libvirtd.start();
    Followed host(libvirtd.uri());
    host.watch->start();
    ASSERT_TRUE(host.follows());
    libvirtd.signal(SIGSTOP);
    const auto job = test::run(host.io, host.watch->domain_xml("test"));
    ASSERT_FALSE(job);
    EXPECT_EQ(job.error().kind, ErrorKind::io);
    ASSERT_TRUE(host.is_down());
    libvirtd.signal(SIGCONT);
    ASSERT_TRUE(host.follows());
    EXPECT_TRUE(test::run(host.io, host.watch->domain_xml("test")));
}

TEST_F(Daemon, StopWaitsForNoAnswer) {
    libvirtd.start();
    Followed host(libvirtd.uri());
    host.watch->start();
    ASSERT_TRUE(host.follows());
    libvirtd.signal(SIGSTOP);
    std::optional<Result<std::string>> ended;
    asio::co_spawn(host.io, host.watch->domain_xml("test"),
                   [&](std::exception_ptr, Result<std::string> result) { ended = std::move(result); });
    host.io.run_for(Milliseconds(100)); // libvirt waits for the answer
    EXPECT_FALSE(ended);
    host.watch->stop();
    host.io.run_for(Milliseconds(100));
    ASSERT_TRUE(ended);
    EXPECT_THAT(ended->error().text, testing::EndsWith("stopped"));
    libvirtd.kill();
}

} // namespace
} // namespace weft::virt
