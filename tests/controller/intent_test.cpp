#include "controller/intent.hpp"

#include "fabric/compile.hpp"

#include <gtest/gtest.h>

namespace weft::controller {
namespace {

constexpr const char* kTopology = R"(
[[host]]
name = "kvm1"
ovsdb = "tcp:127.0.0.1:1"
vtep = "192.0.2.11"
datapath = "netdev"
uplinks = { physnet1 = "eth1" }
[[network]]
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"
subnet6 = "2001:db8::/64"
gateway = "203.0.113.254"
[[router]]
name = "main"
networks = ["public"]
[[gateway]]
name = "igw"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
hosts = ["kvm1"]
[[port]]
name = "web"
network = "public"
ip = "203.0.113.10"
[[floating_ip]]
address = "203.0.113.20"
port = "app"
gateway = "igw"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[router]]
name = "inside"
networks = ["blue"]
gateway = "igw"
[[port]]
name = "app"
network = "blue"
ip = "10.0.1.10"
)";

class IntentTest : public testing::Test {
  protected:
    void SetUp() override {
        const std::vector<topology::Source> sources{{"test.toml", kTopology}};
        ASSERT_TRUE(intent_.restore({}));
        const auto candidate = intent_.consider(sources);
        for (const auto& problem : candidate.problems)
            EXPECT_NE(problem.severity, topology::Severity::error) << topology::render(problem, sources);
        ASSERT_TRUE(candidate.ok());
        intent_.commit(candidate, intent_.with_revision(candidate, "test", sources));
    }
    /// A second host with the uplink; the gateway's candidates, in order.
    void commit_with_kvm2(const std::string& candidates) {
        std::string text = kTopology;
        text.insert(text.find("[[network]]"), R"([[host]]
name = "kvm2"
ovsdb = "tcp:127.0.0.1:2"
vtep = "192.0.2.12"
datapath = "netdev"
uplinks = { physnet1 = "eth1" }
)");
        constexpr std::string_view kAlone = R"(["kvm1"])";
        text.replace(text.find(kAlone), kAlone.size(), candidates);
        const auto candidate = intent_.consider({{"test.toml", text}});
        ASSERT_TRUE(candidate.ok());
        intent_.commit(candidate, intent_.with_revision(candidate, "test", {}));
    }
    bool may_hear(const char* ip) const { return intent_.may_hear("public", *Ip::parse(ip)); }

    asio::io_context io_;
    Log log_{LogLevel::error, [](std::string_view) {}};
    EventLog events_{io_.get_executor(), {}, log_};
    Settings settings_;
    int published_ = 0;
    Intent intent_{settings_, {log_, events_}, [this](const Published&) { ++published_; }};
};

// Each that is believed costs a rebuild, and leads packets somewhere else.
TEST_F(IntentTest, NobodyOnTheWireIsHeardOfAnAddressThatIsNotTheirsToHave) {
    EXPECT_TRUE(may_hear("203.0.113.1"));
    EXPECT_TRUE(may_hear("203.0.113.99"));
    EXPECT_TRUE(may_hear("2001:db8::99"));
    EXPECT_FALSE(may_hear("198.51.100.1")) << "outside the subnet";
    EXPECT_FALSE(may_hear("fe80::1")) << "outside the subnet";
    EXPECT_FALSE(may_hear("203.0.113.254")) << "the router's";
    EXPECT_FALSE(may_hear("203.0.113.2")) << "the gateway's";
    EXPECT_FALSE(may_hear("203.0.113.20")) << "a floating IP";
    EXPECT_FALSE(may_hear("203.0.113.10")) << "a port's, though it is not plugged in";
    EXPECT_FALSE(intent_.may_hear("nowhere", *Ip::parse("203.0.113.99")));
}

TEST_F(IntentTest, NextHopsAndKnownNeighboursAreHeardUnasked) {
    const auto stranger = *Ip::parse("203.0.113.99");
    EXPECT_TRUE(intent_.awaits("public", *Ip::parse("203.0.113.1")));
    EXPECT_FALSE(intent_.awaits("public", stranger));
    EXPECT_FALSE(intent_.awaits("blue", *Ip::parse("203.0.113.1")));
    intent_.hear("public", stranger, Mac::from_u64(0x5254'0000'0001));
    EXPECT_TRUE(intent_.awaits("public", stranger));
}

TEST_F(IntentTest, WhatIsKnownAlreadyIsNoNews) {
    const auto ip = *Ip::parse("203.0.113.99");
    const auto before = published_;
    intent_.hear("public", ip, Mac::from_u64(0x5254'0000'0001));
    EXPECT_EQ(published_, before + 1);
    intent_.hear("public", ip, Mac::from_u64(0x5254'0000'0001));
    EXPECT_EQ(published_, before + 1);
    intent_.hear("public", ip, Mac::from_u64(0x5254'0000'0002));
    EXPECT_EQ(published_, before + 2);
}

std::vector<std::string> problems_of(const Intent& intent, const std::string& text) {
    std::vector<std::string> said;
    for (const auto& problem : intent.consider({{"test.toml", text}}).problems)
        said.push_back(problem.text);
    return said;
}

constexpr const char* kBareHosts = "[[host]]\nname = \"kvm1\"\n[[host]]\nname = \"kvm2\"\n"
                                   "ovsdb = \"tcp:127.0.0.1:2\"\nvtep = \"192.0.2.12\"\ndatapath = \"netdev\"\n";

// weftctl validate does without: they may be in weftd's settings.
TEST_F(IntentTest, AHostNeedsItsOvsdbVtepAndDatapathHere) {
    EXPECT_EQ(
        problems_of(intent_, kBareHosts),
        (std::vector<std::string>{"host kvm1 has no ovsdb", "host kvm1 has no vtep", "host kvm1 has no datapath"}));
}

TEST_F(IntentTest, SettingsOfHostsAreJudgedWithTheTopology) {
    settings_.hosts["kvm1"] = {.ovsdb = "tcp:127.0.0.1:1",
                               .vtep = Ip::parse("192.0.2.11"),
                               .datapath = topology::Datapath::netdev,
                               .uplinks = {},
                               .libvirt = {}};
    EXPECT_EQ(problems_of(intent_, kBareHosts), std::vector<std::string>{});
    settings_.hosts["kvm1"].vtep = Ip::parse("192.0.2.12");
    EXPECT_EQ(problems_of(intent_, kBareHosts),
              std::vector<std::string>{"hosts kvm1 and kvm2 have the vtep 192.0.2.12"});
}

const topology::AttachmentKey kApp{"app", "blue"};

Lease lease(std::string_view ip) {
    return {*Ip::parse(ip), Timestamp{}, Timestamp{} + std::chrono::hours(1), "guest"};
}

TEST_F(IntentTest, KeepsALeaseAsLongAsThePortHasItsAddress) {
    intent_.saved();
    intent_.note_lease(kApp, false, lease("10.0.1.10"), false);
    EXPECT_FALSE(intent_.dirty()) << "a renewal can wait";
    EXPECT_TRUE(intent_.leases_dirty());
    intent_.note_lease(kApp, false, lease("10.0.1.10"), true);
    EXPECT_TRUE(intent_.dirty());
    EXPECT_EQ(intent_.state().leases.at(kApp).ip, lease("10.0.1.10"));
    intent_.note_lease(kApp, false, std::nullopt, true);
    EXPECT_TRUE(intent_.state().leases.empty());
    intent_.note_lease({"nobody", "blue"}, false, lease("10.0.1.10"), true);
    EXPECT_TRUE(intent_.state().leases.empty());

    intent_.note_lease(kApp, false, lease("10.0.1.10"), true);
    std::string moved = kTopology;
    moved.replace(moved.find("10.0.1.10"), 9, "10.0.1.11");
    const auto candidate = intent_.consider({{"test.toml", moved}});
    intent_.commit(candidate, intent_.with_revision(candidate, "test", {}));
    EXPECT_TRUE(intent_.state().leases.empty());
}

TEST_F(IntentTest, AnAddressThatIsWrittenStaysWhoeverDeclinesIt) {
    EXPECT_FALSE(intent_.decline(kApp, *Ip::parse("10.0.1.10")));
    EXPECT_EQ(intent_.allocations().attachments.at(kApp).ip, Ip::parse("10.0.1.10"));
}

// Else a guest that declines all it gets costs a rebuild with every packet.
TEST_F(IntentTest, AnAllocatedAddressThatIsDeclinedIsReplacedButNotAgainAtOnce) {
    std::string text = kTopology;
    text.erase(text.find("ip = \"10.0.1.10\""));
    const auto candidate = intent_.consider({{"test.toml", text}});
    intent_.commit(candidate, intent_.with_revision(candidate, "test", {}));
    const auto first = *intent_.allocations().attachments.at(kApp).ip;
    const auto before = published_;
    EXPECT_FALSE(intent_.decline(kApp, *Ip::parse("10.0.1.99"))) << "not its own";
    EXPECT_TRUE(intent_.decline(kApp, first));
    const auto second = *intent_.allocations().attachments.at(kApp).ip;
    EXPECT_NE(second, first);
    EXPECT_EQ(published_, before + 1);
    const auto& gateway = *intent_.published().world->gateways.at("igw");
    ASSERT_EQ(gateway.floating_ips.size(), 1U);
    EXPECT_EQ(gateway.floating_ips[0].inside, second) << "translations lead there too";
    EXPECT_FALSE(intent_.decline(kApp, second));
    EXPECT_EQ(published_, before + 1);
}

/// What kvm1 tells of itself, with `app` plugged in.
fabric::Observation seen_on_kvm1() {
    fabric::Observation seen;
    seen.facts = {.vtep = Ip::parse("192.0.2.11"), .vxlan_ofport = 1, .uplinks = {{"physnet1", 2}}};
    fabric::Claim claim;
    claim.interface = "tap-app";
    claim.iface_id = "app";
    claim.attached_mac = Mac::from_u64(0x5254'0000'0042);
    claim.ofport = 10;
    seen.claims.push_back(claim);
    return seen;
}

/// The world that is imagined, and the one that is published once `text` is in force: switches hold the same of both.
void expect_imagined_as_published(Intent& intent, const std::string& text) {
    const auto candidate = intent.consider({{"test.toml", text}});
    ASSERT_TRUE(candidate.ok());
    const auto imagined = intent.imagine(candidate).published().world;
    intent.commit(candidate, intent.with_revision(candidate, "test", {}));
    const auto& published = *intent.published().world;
    EXPECT_EQ(*imagined->topology, *published.topology);
    ASSERT_EQ(imagined->hosts.size(), published.hosts.size());
    for (const auto& [name, _] : published.hosts)
        EXPECT_TRUE(fabric::delta(*imagined, published, name).empty()) << name;
}

// While another translates, nothing is led to a host that comes back before its own switch can take it.
TEST_F(IntentTest, ACandidateThatReturnsIsLedToWhenItsSwitchHasReachedTheWorldInWhichItIsReady) {
    commit_with_kvm2(R"(["kvm1", "kvm2"])");
    const auto seen = [](const char* vtep, std::set<std::string> dead_links = {}) {
        fabric::Observation seen;
        seen.facts = {.vtep = Ip::parse(vtep), .vxlan_ofport = 1, .uplinks = {{"physnet1", 2}}};
        seen.dead_links = std::move(dead_links);
        return seen;
    };
    const auto kvm1 = [&] {
        const auto& is = intent_.published().world->gateways.at("igw")->candidates.at(0);
        return std::string(is.ready ? "ready" : "not ready") + (is.in_service ? ", led to" : "");
    };
    intent_.observe("kvm1", seen("192.0.2.11"));
    intent_.observe("kvm2", seen("192.0.2.12"));
    EXPECT_EQ(kvm1(), "ready, led to");
    const auto led_to = intent_.published();
    intent_.observe("kvm1", seen("192.0.2.11", {"physnet1"}));
    EXPECT_EQ(kvm1(), "not ready");
    intent_.note_reached("kvm1", intent_.published());
    EXPECT_EQ(kvm1(), "not ready");
    intent_.observe("kvm1", seen("192.0.2.11"));
    EXPECT_EQ(kvm1(), "ready");
    intent_.note_reached("kvm1", led_to);
    EXPECT_EQ(kvm1(), "ready") << "that was before";
    EXPECT_EQ(intent_.active().at("igw"), "kvm2");
    intent_.note_reached("kvm2", intent_.published());
    EXPECT_EQ(kvm1(), "ready") << "another switch";
    EXPECT_EQ(intent_.state().learnt.returning, (fabric::Returning{{"igw", "kvm1"}}));
    const auto before = published_;
    intent_.note_reached("kvm1", intent_.published());
    EXPECT_EQ(kvm1(), "ready, led to");
    EXPECT_EQ(intent_.active().at("igw"), "kvm1");
    EXPECT_EQ(published_, before + 1);
    intent_.note_reached("kvm1", intent_.published());
    EXPECT_EQ(published_, before + 1) << "no news";

    // Not synced (its bridge is not connected, say), and nobody could tell its switch to shut its gates: it has them
    // open.
    intent_.note_synced("kvm2", true);
    intent_.observe("kvm1", seen("192.0.2.11", {"physnet1"}));
    EXPECT_EQ(kvm1(), "not ready");
    intent_.observe("kvm1", seen("192.0.2.11"));
    EXPECT_EQ(kvm1(), "ready, led to");
    // Synced, it may have been told.
    intent_.note_synced("kvm1", true);
    intent_.observe("kvm1", seen("192.0.2.11", {"physnet1"}));
    intent_.observe("kvm1", seen("192.0.2.11"));
    EXPECT_EQ(kvm1(), "ready");
}

// So that what a plan says is what is sent.
TEST_F(IntentTest, AnEditTakesEffectInOneStep) {
    commit_with_kvm2(R"(["kvm2", "kvm1"])");
    const auto& first = intent_.published().world->gateways.at("igw")->candidates.at(0);
    EXPECT_EQ(first.host, "kvm2");
    EXPECT_TRUE(first.ready);
    EXPECT_TRUE(first.in_service);
}

TEST_F(IntentTest, ImaginesWhatACommitPublishesAndTellsNobody) {
    intent_.observe("kvm1", seen_on_kvm1());
    const auto before = published_;
    const auto said = events_.since(0).size();
    const auto world = intent_.published().world;
    std::string text = kTopology;
    text.erase(text.rfind("[[port]]"));
    text.erase(text.find("[[floating_ip]]"), text.find("[[network]]\nname = \"blue\"") - text.find("[[floating_ip]]"));
    const auto candidate = intent_.consider({{"test.toml", text}});
    ASSERT_TRUE(candidate.ok());
    const auto imagined = intent_.imagine(candidate);
    EXPECT_EQ(published_, before);
    EXPECT_EQ(events_.since(0).size(), said) << "a port that would be unplugged is no event";
    EXPECT_EQ(intent_.published().world, world);
    EXPECT_EQ(intent_.state().current, 1U);
    expect_imagined_as_published(intent_, text);
}

// The interface of a port that is not in the topology yet may be there, and bring a MAC.
TEST_F(IntentTest, ImaginesThePortThatIsPluggedInAlready) {
    auto seen = seen_on_kvm1();
    seen.claims.front().iface_id = "late";
    intent_.observe("kvm1", seen);
    const std::string text = std::string(kTopology) + "[[port]]\nname = \"late\"\nnetwork = \"blue\"\n";
    const auto candidate = intent_.consider({{"test.toml", text}});
    EXPECT_EQ(intent_.imagine(candidate).allocations().attachments.at({"late", "blue"}).mac,
              Mac::from_u64(0x5254'0000'0042));
    expect_imagined_as_published(intent_, text);
}

TEST_F(IntentTest, ImaginesThatAnotherBridgeHasNothingPluggedIn) {
    intent_.observe("kvm1", seen_on_kvm1());
    std::string text = kTopology;
    text.insert(text.find("ovsdb ="), "bridge = \"br-weft\"\n");
    const auto candidate = intent_.consider({{"test.toml", text}});
    ASSERT_TRUE(candidate.ok());
    EXPECT_FALSE(intent_.imagine(candidate).bindings().contains("app"));
    // In force: until the host tells of its new bridge, its ports are where they were.
    intent_.commit(candidate, intent_.with_revision(candidate, "test", {}));
    EXPECT_TRUE(intent_.bindings().contains("app"));
}

TEST_F(IntentTest, ImaginesAFabricWithoutTheHostThatLeaves) {
    const std::string text = std::string(kTopology) + "[[host]]\nname = \"kvm2\"\novsdb = \"tcp:127.0.0.1:2\"\n"
                                                      "vtep = \"192.0.2.12\"\ndatapath = \"netdev\"\n";
    expect_imagined_as_published(intent_, text);
    auto seen = seen_on_kvm1();
    seen.facts.vtep = Ip::parse("192.0.2.12");
    intent_.observe("kvm1", {.facts = seen_on_kvm1().facts});
    intent_.observe("kvm2", seen);
    ASSERT_EQ(intent_.bindings().at("app").host, "kvm2");
    const auto candidate = intent_.consider({{"test.toml", kTopology}});
    EXPECT_FALSE(intent_.imagine(candidate).bindings().contains("app")) << "what it claimed goes with it";
    expect_imagined_as_published(intent_, kTopology);
}

} // namespace
} // namespace weft::controller
