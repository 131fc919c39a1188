// Interfaces that come to, go from and move between networks of real QEMU guests, which have no system: a PCI device
// waits for their leave for ever, a USB one (usb-net) goes without it. The libvirtd has no rights, so a running guest
// gets interfaces of type user only; what is plugged into a bridge while a guest runs is the lab's to show.
#include "tests/virt/libvirtd.hpp"

#include <gmock/gmock.h>

namespace weft::virt {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const auto kPci = Mac::parse("52:54:00:00:00:01").value();
const auto kUsb = Mac::parse("52:54:00:00:00:02").value();
const auto kNew = Mac::parse("52:54:00:00:00:03").value();
const auto kNobody = Mac::parse("52:54:00:00:00:99").value();

std::string virtio(const Mac& mac) {
    return fmt::format("<interface type='user'><mac address='{}'/><model type='virtio'/></interface>", mac.to_string());
}

std::string usb(const Mac& mac, int port) { // libvirt chooses none itself
    return fmt::format("<interface type='user'><mac address='{}'/><model type='usb-net'/><address type='usb' bus='0' "
                       "port='{}'/></interface>",
                       mac.to_string(), port);
}

class Plug : public Daemon {
  protected:
    void SetUp() override {
        Daemon::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        ASSERT_EQ(missing("/usr/bin/qemu-system-x86_64", "qemu-system-x86"), "");
        libvirtd.start();
        const auto uri = libvirtd.uri("qemu+unix:///session");
        auto options = quick();
        options.keepalive_count = 60;
        host = std::make_unique<Followed>(uri, options);
        host->watch->start();
        ASSERT_TRUE(host->follows()) << host->watch->reason();
        admin = std::make_unique<Admin>(uri);
        web.reset(virDomainDefineXML(
            admin->connection(),
            ("<domain type='qemu'><name>web</name><memory unit='MiB'>32</memory><os><type arch='x86_64' "
             "machine='pc'>hvm</type></os><features><acpi/></features><devices><controller type='usb' "
             "model='qemu-xhci'/><interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>"
             "<link state='down'/><boot order='2'/></interface>" +
             usb(kUsb, 1) + "</devices></domain>")
                .c_str()));
        ASSERT_TRUE(web) << last_failure().message;
        define(wanted_network("private1", "br-int", {{"web", true}, {"db", false}}));
    }
    void define(const NetworkDefinition& network) {
        ASSERT_EQ(test::run(host->io, host->watch->define_network(render(network))), Result<>{});
    }
    void start() {
        ASSERT_EQ(virDomainCreate(web.get()), 0) << last_failure().message;
        ASSERT_TRUE(host->comes("web", DomainState::running));
    }

    Result<> run(Task<Result<>> job) { return test::run(host->io, std::move(job)); }
    Result<> attach(const std::string& xml, const std::string& domain = "web") {
        return run(host->watch->attach_interface(domain, xml));
    }
    Result<> detach(const Mac& mac, Milliseconds limit = kLetGo) {
        return run(host->watch->detach_interface("web", mac, limit));
    }
    Result<> move(const Mac& mac, const std::string& network, const std::string& portgroup,
                  Milliseconds limit = kLetGo) {
        return run(host->watch->move_interface("web", mac, network, portgroup, limit));
    }
    /// What goes on while the guest is asked and waited for.
    template <class Meanwhile>
    Result<> detach_and(const Mac& mac, Meanwhile meanwhile) {
        std::optional<Result<>> ended;
        asio::co_spawn(host->io, host->watch->detach_interface("web", mac, Milliseconds(20'000)),
                       [&](std::exception_ptr, Result<> result) { ended = std::move(result); });
        EXPECT_TRUE(
            test::run(host->io, host->watch->domain_xml("web"))); // its turn comes when the guest has been asked
        EXPECT_FALSE(ended);
        meanwhile();
        EXPECT_TRUE(host->eventually([&] { return ended.has_value(); }));
        return ended.value_or(Result<>{});
    }

    /// The interfaces, each with all that can be configured of it.
    std::string live(const Mac& mac) const { return element(VIR_DOMAIN_XML_MIGRATABLE, mac); }
    std::string configured(const Mac& mac) const { return element(VIR_DOMAIN_XML_INACTIVE, mac); }

    std::unique_ptr<Followed> host;
    std::unique_ptr<Admin> admin;
    DomainHandle web;

  private:
    std::string element(unsigned flags, const Mac& mac) const {
        const auto xml = taken(virDomainGetXMLDesc(web.get(), flags));
        EXPECT_NE(xml, "");
        return interface_element(xml, mac).value_or("");
    }
};

void is_refused(const Result<>& result, const std::string& words) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::refused) << result.error().text;
    EXPECT_THAT(result.error().text, HasSubstr(words));
}

TEST_F(Plug, AttachesToTheGuestAndItsConfiguration) {
    start();
    ASSERT_EQ(attach(virtio(kNew)), Result<>{});
    EXPECT_EQ(host->domain("web")->nics.size(), 3U); // told by the time it returns
    EXPECT_NE(live(kNew), "");
    EXPECT_EQ(configured(kNew), live(kNew)); // the PCI address too: its name in the guest lasts
    is_refused(attach(virtio(kNew)), "an interface with the MAC address 52:54:00:00:00:03 already: detach");
}

TEST_F(Plug, AttachesNothingWhereItMakesNoSense) {
    start();
    is_refused(attach(virtio(kNew), "db"), "the host has no domain db: `virsh list --all`");
    is_refused(attach(render_interface("private2", "", kNew)), "no libvirt network private2: `virsh net-list --all`");
    is_refused(attach(render_interface("private1", "dmz", kNew)), "private1 has no portgroup dmz");
    is_refused(attach(render_interface("private1", "web", kNew)), "cannot attach interface"); // it has no rights
    EXPECT_EQ(live(kNew) + configured(kNew), "");
}

TEST_F(Plug, UndoesAnAttachThatCannotBeConfigured) {
    start();
    libvirtd.let_configure(false);
    is_refused(attach(usb(kNew, 2)), "cannot attach interface 52:54:00:00:00:03 to domain web");
    libvirtd.let_configure(true);
    EXPECT_TRUE(host->eventually([&] { return live(kNew).empty(); }));
    EXPECT_EQ(configured(kNew), "");
}

TEST_F(Plug, DetachesFromTheGuestAndItsConfiguration) {
    start();
    ASSERT_EQ(detach(kUsb), Result<>{});
    EXPECT_EQ(host->domain("web")->nics.size(), 1U);
    EXPECT_EQ(live(kUsb) + configured(kUsb), "");
    is_refused(detach(kUsb),
               "domain web has no interface with the MAC address 52:54:00:00:00:02: `virsh domiflist web`");
}

TEST_F(Plug, DetachesFromADomainThatIsOff) {
    ASSERT_EQ(detach(kPci), Result<>{});
    EXPECT_EQ(configured(kPci), "");
}

TEST_F(Plug, AGuestThatDoesNotLetGoKeepsItsInterface) {
    start();
    const auto before = configured(kPci);
    const auto detached = detach(kPci, Milliseconds(500));
    ASSERT_FALSE(detached);
    EXPECT_EQ(detached.error().kind, ErrorKind::timeout);
    EXPECT_THAT(detached.error().text,
                HasSubstr("guest web has not let go of its interface 52:54:00:00:00:01: is its system up?"));
    EXPECT_EQ(configured(kPci), before);
    EXPECT_NE(live(kPci), "");
    const auto moved = move(kPci, "private1", "web", Milliseconds(500));
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().kind, ErrorKind::timeout);
    EXPECT_EQ(configured(kPci), before);
    EXPECT_NE(live(kPci), "");
}

TEST_F(Plug, APausedGuestIsAskedNothing) {
    start();
    ASSERT_EQ(virDomainSuspend(web.get()), 0);
    is_refused(detach(kUsb), "`virsh resume web`");
    ASSERT_EQ(virDomainResume(web.get()), 0);
    EXPECT_NE(live(kUsb), "");
}

TEST_F(Plug, OthersHaveTheirTurnWhileAGuestIsWaitedFor) {
    start();
    // The end of the guest is heard at once, and is the end of the wait.
    EXPECT_EQ(detach_and(kPci,
                         [&] {
                             EXPECT_EQ(detach(kUsb), Result<>{});
                             ASSERT_EQ(virDomainDestroy(web.get()), 0);
                         }),
              Result<>{});
    EXPECT_EQ(configured(kPci), "");
}

TEST_F(Plug, ADomainThatVanishesIsTold) {
    start();
    is_refused(detach_and(kPci,
                          [&] {
                              ASSERT_EQ(virDomainDestroy(web.get()), 0);
                              ASSERT_EQ(virDomainUndefine(web.get()), 0);
                          }),
               "the host has no domain web");
}

TEST_F(Plug, ALibvirtThatDiesIsTold) {
    start();
    const auto detached = detach_and(kPci, [&] {
        libvirtd.kill();
        ASSERT_TRUE(host->is_down());
        EXPECT_THAT(run(host->watch->attach_interface("web", virtio(kNew))).error().text, Not(HasSubstr("once more")));
        ASSERT_EQ(virDomainDestroy(web.get()), -1);
        host->watch->stop();
    });
    ASSERT_FALSE(detached);
    EXPECT_EQ(detached.error().kind, ErrorKind::io);
    EXPECT_THAT(detached.error().text, HasSubstr("once libvirt answers again, the same once more does the rest"));
}

TEST_F(Plug, PutsTheInterfaceBackWhenADetachCannotBeConfigured) {
    start();
    const auto before = live(kUsb);
    libvirtd.let_configure(false);
    is_refused(detach(kUsb), "cannot detach interface 52:54:00:00:00:02 of domain web");
    libvirtd.let_configure(true);
    EXPECT_EQ(live(kUsb), before);
    EXPECT_EQ(configured(kUsb), before);
    EXPECT_EQ(host->domain("web")->nics.size(), 2U);
}

TEST_F(Plug, MovesAndKeepsWhatTheGuestSees) {
    const auto before = configured(kPci);
    EXPECT_THAT(before, AllOf(HasSubstr("<address type=\"pci\""), HasSubstr("<boot order=\"2\"")));
    ASSERT_EQ(move(kPci, "private1", "web"), Result<>{});
    const auto after = parse_interface(configured(kPci)).value();
    EXPECT_EQ(after.network, "private1");
    EXPECT_EQ(after.portgroup, "web");
    EXPECT_EQ(host->domain("web")->nics.at(0), after); // in its place
    EXPECT_EQ(moved_interface(before, "private1", "web"), moved_interface(configured(kPci), "private1", "web"));
    ASSERT_EQ(move(kPci, "private1", "db"), Result<>{});
    EXPECT_EQ(parse_interface(configured(kPci))->portgroup, "db");
    is_refused(move(kPci, "private1", "db"), "on the libvirt network private1 already");
}

TEST_F(Plug, AMoveThatMakesNoSenseUnplugsNothing) {
    start();
    is_refused(move(kNobody, "private1", "web"), "domain web has no interface with the MAC address");
    is_refused(move(kUsb, "private2", "web"), "no libvirt network private2");
    is_refused(move(kUsb, "private1", "dmz"), "private1 has no portgroup dmz");
    const NetworkHandle network(virNetworkLookupByName(admin->connection(), "private1"));
    ASSERT_EQ(virNetworkDestroy(network.get()), 0);
    is_refused(move(kUsb, "private1", "web"), "`virsh net-start private1`");
    for (const auto& snapshot : host->snapshots)
        if (const auto found = snapshot->domains.find("web"); found != snapshot->domains.end())
            EXPECT_EQ(found->second.nics.size(), 2U);
}

/// Here the network cannot take it after the guest has let go: the libvirtd has no right to.
TEST_F(Plug, UndoesAMoveThatFails) {
    start();
    const auto before = live(kUsb);
    is_refused(move(kUsb, "private1", "web"),
               "cannot move interface 52:54:00:00:00:02 of domain web to network private1");
    EXPECT_EQ(live(kUsb), before);
    EXPECT_EQ(configured(kUsb), before);
    libvirtd.let_configure(false);
    is_refused(move(kUsb, "private1", "web"), "cannot move interface");
    libvirtd.let_configure(true);
    EXPECT_EQ(live(kUsb), before);
    EXPECT_EQ(configured(kUsb), before);
}

TEST_F(Plug, TheSameOnceMoreDoesTheRest) {
    start();
    // As the end of a connection may leave it: unplugged, and configured as before.
    ASSERT_EQ(virDomainDetachDeviceFlags(web.get(), live(kUsb).c_str(), VIR_DOMAIN_AFFECT_LIVE), 0);
    ASSERT_TRUE(host->eventually([&] { return host->domain("web")->nics.size() == 1; }));
    ASSERT_EQ(detach(kUsb), Result<>{});
    EXPECT_EQ(configured(kUsb), "");
}

} // namespace
} // namespace weft::virt
