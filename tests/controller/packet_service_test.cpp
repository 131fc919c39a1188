#include "controller/packet_service.hpp"
#include "pipeline/punt.hpp"
#include "tests/fabric/fixture.hpp"

#include <tins/tins.h>

namespace weft::controller {
namespace {

using namespace pipeline;
using fabric::Fixture;

const Mac kUpstream = *Mac::parse("52:54:00:00:01:02");

class PacketServiceTest : public testing::Test {
  protected:
    void SetUp() override {
        fixture_.bind("a", "kvm1", 10);
        fixture_.learnt.neighbours[{"office", *Ip::parse("198.51.100.99")}] = kUpstream;
    }
    /// A UDP packet that `host`'s flows punted in nexthop, under router main.
    openflow::PacketIn punted(Punt what, const char* from, const Mac& sender, WayIn way) const {
        auto frame = Tins::EthernetII(Tins::HWAddress<6>(fabric::router_mac("main").to_string()),
                                      Tins::HWAddress<6>(sender.to_string())) /
                     Tins::IP("10.0.1.10", from) / Tins::UDP(53, 4000) / Tins::RawPDU("hello");
        const auto bytes = frame.serialize();
        const auto view = std::as_bytes(std::span(bytes));
        openflow::PacketIn packet{.packet = {view.begin(), view.end()}};
        packet.table = table_of(Stage::nexthop);
        packet.userdata = punt(what).userdata;
        packet.metadata.set(kRouter, object_id(Kind::router, "main").value);
        packet.metadata.set(kNetwork, object_id(Kind::network, "blue").value);
        packet.metadata.set(kWayIn, static_cast<std::uint64_t>(way));
        return packet;
    }
    std::vector<openflow::PacketOut> answers(const openflow::PacketIn& packet, const std::string& host) {
        return service_.answer(packet, *fixture_.world()->hosts.at(host));
    }
    static Tins::IP told(const openflow::PacketOut& out) {
        const auto frame = Tins::EthernetII(reinterpret_cast<const std::uint8_t*>(out.packet.data()),
                                            static_cast<std::uint32_t>(out.packet.size()));
        EXPECT_EQ(frame.dst_addr().to_string(), kUpstream.to_string());
        return frame.rfind_pdu<Tins::IP>();
    }

    asio::io_context io_;
    Log log_{LogLevel::error, [](std::string_view) {}};
    EventLog events_{io_.get_executor(), {}, log_};
    Fixture fixture_{fabric::kRouted};
    PacketService service_{
        {log_, events_},
        [](const std::string&, const std::string&, const Ip&, const Mac&) {},
        [](const std::string&, const Ip&, const std::string&, const openflow::PacketOut&) { return false; }};
};

TEST_F(PacketServiceTest, ASenderOnTheWireIsToldThere) {
    const auto out = answers(punted(Punt::ttl_expired, "198.51.100.77", kUpstream, WayIn::uplink), "kvm1");
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(told(out[0]).dst_addr().to_string(), "198.51.100.77");
    EXPECT_EQ(out[0].actions.front(), of::Action(load(kNetwork, object_id(Kind::network, "office").value)));
}

// Else whoever is behind another router on the wire never hears that a packet was too big.
TEST_F(PacketServiceTest, ASenderBehindARouterOnTheWireIsToldByIt) {
    const auto out = answers(punted(Punt::ttl_expired, "172.16.0.1", kUpstream, WayIn::uplink), "kvm1");
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(told(out[0]).dst_addr().to_string(), "172.16.0.1");
    EXPECT_EQ(told(out[0]).src_addr().to_string(), "198.51.100.1") << "the router's address on that wire";
    EXPECT_EQ(out[0].actions.front(), of::Action(load(kNetwork, object_id(Kind::network, "office").value)));
}

TEST_F(PacketServiceTest, ASenderByAnUnknownRouterIsNotTold) {
    EXPECT_TRUE(
        answers(punted(Punt::ttl_expired, "172.16.0.1", fabric::router_mac("x"), WayIn::uplink), "kvm1").empty());
    EXPECT_TRUE(answers(punted(Punt::ttl_expired, "172.16.0.1", kUpstream, WayIn::uplink), "kvm2").empty())
        << "no edge";
}

// The gateway has no candidate, say: its network is none that a packet can be in.
TEST_F(PacketServiceTest, ALocalSenderIsToldThatAGatewayHasNobody) {
    auto packet = punted(Punt::no_neighbour, "10.0.1.10", kUpstream, WayIn::local);
    const auto source = fixture_.world()->networks.at("blue")->bound.at("a")->id.value;
    packet.metadata.set(kSource, source);
    packet.metadata.set(kNetwork, object_id(Kind::gateway, "igw").value);
    const auto out = answers(packet, "kvm1");
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(told(out[0]).src_addr().to_string(), "10.0.1.1");
    EXPECT_EQ(out[0].actions[1], of::Action(load(kDestination, source)));
}

} // namespace
} // namespace weft::controller
