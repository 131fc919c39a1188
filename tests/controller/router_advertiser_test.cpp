#include "controller/router_advertiser.hpp"

#include "controller/router_advertisement.hpp"
#include "tests/fabric/fixture.hpp"

#include <chrono>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

std::string topology(const std::string& network) {
    return "[[host]]\nname = \"h\"\n[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnet6 = \"fd00:1::/64\"\n" +
           network + "\n[[port]]\nname = \"a\"\nnetwork = \"n\"\n[[port]]\nname = \"b\"\nnetwork = \"n\"\n";
}

struct RouterAdvertiserTest : testing::Test {
    void publish(const std::string& network, const std::vector<std::string>& plugged) {
        fabric::Fixture fixture(topology(network));
        std::uint32_t ofport = 5;
        for (const auto& port : plugged)
            fixture.bind(port, "h", ofport++);
        world = fixture.world();
        advertiser.publish(world);
    }
    /// What is said within `span`, step by step.
    std::vector<Frame> said(SteadyClock::duration span) {
        sent.clear();
        for (const auto end = now + span; now < end; now += 100ms)
            advertiser.advertise(now);
        return sent;
    }
    GuestConfig guest(const std::string& port) const {
        const auto& view = *world->networks.at("n");
        return *guest_config(*world, view, *view.bound.at(port));
    }

    bool reachable = true;
    std::vector<Frame> sent;
    SteadyClock::time_point now{1h};
    fabric::WorldPtr world;
    RouterAdvertiser advertiser{[this](const std::string&, const openflow::PacketOut& packet) {
                                    if (reachable) sent.push_back(packet.packet);
                                    return reachable;
                                },
                                [](const std::string&) {}};
};

TEST_F(RouterAdvertiserTest, TellsAGuestThatIsPluggedInThreeTimesAndThenNowAndThen) {
    publish("", {"a"});
    EXPECT_EQ(said(1s).size(), 1U);
    EXPECT_EQ(sent.front(), unsolicited_advertisement(guest("a")));
    EXPECT_EQ(said(1min).size(), 2U);
    EXPECT_EQ(said(9min).size(), 0U);
    EXPECT_EQ(said(2min).size(), 1U);
}

TEST_F(RouterAdvertiserTest, TellsOnlyGuestsWhoseWordIsNew) {
    publish("", {"a"});
    said(1min);
    publish("", {"a", "b"});
    const auto heard = said(1s);
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_EQ(heard.front(), unsolicited_advertisement(guest("b")));
    publish("mtu = 1300", {"a", "b"});
    EXPECT_EQ(said(1s).size(), 2U);
}

TEST_F(RouterAdvertiserTest, WaitsForAHostThatIsAway) {
    reachable = false;
    publish("", {"a"});
    EXPECT_TRUE(said(1min).empty());
    reachable = true;
    EXPECT_EQ(said(1500ms).size(), 1U);
}

TEST_F(RouterAdvertiserTest, WithdrawsWhatIsServedNoMore) {
    publish("", {"a"});
    said(1min);
    const auto before = guest("a");
    reachable = false; // the change is on its way
    publish("dhcp = false", {"a"});
    EXPECT_TRUE(said(1s).empty());
    reachable = true;
    const auto heard = said(1min);
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_EQ(heard.front(), withdrawn_advertisement(before));
}

// It would stay with the guest for ever, beside the new one.
TEST_F(RouterAdvertiserTest, WithdrawsTheOldWordBeforeTheNewOne) {
    publish("", {"a"});
    said(1min);
    const auto before = guest("a");
    publish("dhcp = { domain = \"corp.example\" }", {"a"});
    const auto heard = said(1s);
    ASSERT_EQ(heard.size(), 2U);
    EXPECT_EQ(heard[0], withdrawn_advertisement(before));
    EXPECT_EQ(heard[1], unsolicited_advertisement(guest("a")));
    said(1min);
    publish("dhcp = { domain = \"corp.example\" }\nmtu = 1300", {"a"});
    EXPECT_EQ(said(1s).size(), 1U) << "takes the place of the old MTU by itself";
}

TEST_F(RouterAdvertiserTest, SaysNothingToAPortThatIsUnplugged) {
    publish("", {"a"});
    said(1min);
    publish("", {});
    EXPECT_TRUE(said(11min).empty());
}

} // namespace
} // namespace weft::controller
