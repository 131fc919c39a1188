#include "controller/address_services.hpp"

#include "controller/udp.hpp"
#include "pipeline/punt.hpp"
#include "tests/fabric/fixture.hpp"

#include <tins/dhcp.h>

namespace weft::controller {
namespace {

using namespace pipeline;

constexpr const char* kTopology = R"(
[[host]]
name = "h"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[network]]
name = "twin"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[network]]
name = "mute"
kind = "vxlan"
subnet = "10.0.9.0/24"
dhcp = false
[[port]]
name = "a"
network = "blue"
ip = "10.0.1.10"
trunk = [ { network = "twin", vlan = 7, ip = "10.0.1.20" } ]
[[port]]
name = "m"
network = "mute"
)";

class AddressServicesTest : public testing::Test {
  protected:
    void SetUp() override {
        fixture_.bind("a", "h", 5);
        fixture_.bind("m", "h", 6);
        world_ = fixture_.world();
        services_.publish(world_);
    }
    const fabric::Attachment& attachment(const std::string& port, const std::string& network) const {
        return *world_->networks.at(network)->bound.at(port);
    }
    /// What `port` sends from its MAC, as the switch punts it.
    openflow::PacketIn punted(const std::string& port, const std::string& network, const Datagram& datagram) const {
        openflow::PacketIn packet{.packet = udp_frame(datagram)};
        packet.userdata = punt(Punt::service).userdata;
        packet.metadata.set(kNetwork, world_->networks.at(network)->core.id.value);
        packet.metadata.set(kSource, attachment(port, network).id.value);
        return packet;
    }
    openflow::PacketIn dhcp(const std::string& port, const std::string& network, Tins::DHCP::Flags type,
                            const char* requested = nullptr) const {
        Tins::DHCP message;
        const auto mac = attachment(port, network).mac;
        message.opcode(1);
        message.htype(1);
        message.hlen(6);
        message.chaddr(Tins::HWAddress<6>(mac.bytes.data()));
        message.type(type);
        if (requested != nullptr) message.requested_ip(requested);
        message.end();
        const auto bytes = message.serialize();
        return punted(port, network,
                      {mac, *Mac::parse("ff:ff:ff:ff:ff:ff"), Ip::v4(0), Ip::v4(0xffffffff), 68, 67,
                       std::as_bytes(std::span(bytes))});
    }
    std::vector<openflow::PacketOut> answers(const openflow::PacketIn& packet) {
        return services_.answer(packet, *world_->hosts.at("h"));
    }
    static Tins::DHCP dhcp_in(const openflow::PacketOut& out) {
        const auto answer = datagram(out.packet);
        EXPECT_TRUE(answer && answer->destination_port == 68);
        return {reinterpret_cast<const std::uint8_t*>(answer->payload.data()),
                static_cast<std::uint32_t>(answer->payload.size())};
    }

    asio::io_context io_;
    Log log_{LogLevel::error, [](std::string_view) {}};
    EventLog events_{io_.get_executor(), {}, log_};
    fabric::Fixture fixture_{kTopology};
    fabric::WorldPtr world_;
    std::vector<LeaseNews> news_;
    AddressServices services_{io_,
                              {log_, events_},
                              [](const std::string&, const openflow::PacketOut&) { return true; },
                              [this](const LeaseNews& news) { news_.push_back(news); },
                              [this]() -> const topology::Allocations& { return fixture_.allocations; },
                              [] { return 0U; },
                              {}};
};

TEST_F(AddressServicesTest, AnAnswerLeavesByThePortThatAskedAlone) {
    const auto out = answers(dhcp("a", "blue", Tins::DHCP::DISCOVER));
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(dhcp_in(out[0]).yiaddr().to_string(), "10.0.1.10");
    const of::Actions expected{load(kNetwork, world_->networks.at("blue")->core.id.value),
                               load(kDestination, attachment("a", "blue").id.value), again_to(Stage::output)};
    EXPECT_EQ(out[0].actions, expected);
    EXPECT_TRUE(news_.empty()) << "an offer is nobody's yet";
}

TEST_F(AddressServicesTest, WhatANetworkCountedGoesWithIt) {
    answers(dhcp("a", "blue", Tins::DHCP::DISCOVER));
    EXPECT_EQ(services_.counters().size(), 2U) << "discover, offer";
    const fabric::Fixture without("[[network]]\nname = \"green\"\nkind = \"local\"\n");
    services_.publish(without.world());
    EXPECT_TRUE(services_.counters().empty());
    services_.count("blue", "ra", "router_advertisement");
    EXPECT_TRUE(services_.counters().empty()) << "that it is gone is told to its guests";
}

TEST_F(AddressServicesTest, EachNetworkOfATrunkHasItsOwnAnswer) {
    const auto out = answers(dhcp("a", "twin", Tins::DHCP::DISCOVER));
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(dhcp_in(out[0]).yiaddr().to_string(), "10.0.1.20");
    EXPECT_EQ(out[0].actions[1], of::Action(load(kDestination, attachment("a", "twin").id.value)));
}

TEST_F(AddressServicesTest, WhoGetsAnAddressIsTold) {
    answers(dhcp("a", "blue", Tins::DHCP::REQUEST, "10.0.1.10"));
    ASSERT_EQ(news_.size(), 1U);
    EXPECT_EQ(news_[0].host, "h");
    EXPECT_EQ(news_[0].exchange.lease, Exchange::Lease::bound);
    EXPECT_EQ(news_[0].exchange.address, Ip::parse("10.0.1.10"));
    const auto& counters = services_.counters();
    EXPECT_EQ(counters.at({"blue", "dhcp", "reboot"}), 1U);
    EXPECT_EQ(counters.at({"blue", "dhcp", "ack"}), 1U);
}

TEST_F(AddressServicesTest, ARefusalIsToldOnceAMinute) {
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(answers(dhcp("a", "blue", Tins::DHCP::REQUEST, "10.0.1.99")).size(), 1U);
    EXPECT_TRUE(news_.empty());
    ASSERT_EQ(events_.since(0).size(), 1U);
    EXPECT_EQ(events_.since(0)[0].kind, "lease_refused");
}

TEST_F(AddressServicesTest, NobodyIsAnsweredInANetworkThatDoesNotServeOrOnAPortThatIsNotThere) {
    EXPECT_TRUE(answers(dhcp("m", "mute", Tins::DHCP::DISCOVER)).empty());
    auto packet = dhcp("a", "blue", Tins::DHCP::DISCOVER);
    packet.metadata.set(kSource, attachment("m", "mute").id.value);
    EXPECT_TRUE(answers(packet).empty());
}

TEST_F(AddressServicesTest, WhatIsNoQuestionIsCountedAndPassedOver) {
    auto packet = dhcp("a", "blue", Tins::DHCP::DISCOVER);
    packet.packet.resize(40);
    EXPECT_TRUE(answers(packet).empty());
    EXPECT_EQ(services_.counters().at({"blue", "ra", "ignored"}), 1U);
}

} // namespace
} // namespace weft::controller
