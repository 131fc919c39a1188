// A port whose VM is migrating: what that is to its destination, and to everybody else.
#include "tests/fabric/fixture.hpp"

#include "pipeline/stages.hpp"

namespace weft::fabric {
namespace {

constexpr std::uint32_t kThere = 27;

std::vector<openflow::Flow> flows_from(const SwitchState& state, std::uint32_t ofport) {
    std::vector<openflow::Flow> flows;
    for (const auto& flow : state.flows)
        if (const auto* in = flow.match.find(openflow::Field::in_port); in != nullptr && in->value == ofport)
            flows.push_back(flow);
    return flows;
}

/// From kvm1 to kvm3, where nobody else has a port of its networks.
class ArrivingTest : public testing::Test {
  protected:
    ArrivingTest() {
        fixture.bind("a", "kvm1", 10);
        fixture.bind("b", "kvm2", 10);
        fixture.bind("r", "kvm1", 12);
        fixture.bind("t", "kvm2", 13);
        before = fixture.world();
        bind_arriving("a", kThere);
    }
    void bind_arriving(const std::string& port, std::uint32_t ofport) {
        fixture.bindings.at(port).arriving = Plug{"kvm3", "tap-there", ofport};
        const auto networks = networks_of(fixture.topology->ports.at(port));
        after = build(fixture.inputs(), before,
                      {.all = false, .networks = {networks.begin(), networks.end()}, .hosts = {}});
    }
    void expect_only_to_punt(std::string_view port) const {
        const auto flows = flows_from(compile(*after, "kvm3"), kThere);
        ASSERT_EQ(flows.size(), 1U);
        EXPECT_EQ(flows[0].table, pipeline::table_of(pipeline::Stage::classify));
        EXPECT_EQ(flows[0].match, openflow::Match().in_port(kThere));
        EXPECT_EQ(flows[0].actions, openflow::Actions{pipeline::punt(pipeline::Punt::arrived)});
        EXPECT_EQ(pipeline::owner_of(flows[0].cookie)->object, object_id(Kind::port, port));
    }
    Fixture fixture{kThreeHosts};
    WorldPtr before, after;
};

TEST_F(ArrivingTest, AtTheDestinationItsNetworkIsPresentAndItsFirstFrameIsPunted) {
    ASSERT_FALSE(before->hosts.at("kvm3")->networks.contains("blue"));
    const auto& there = *after->hosts.at("kvm3");
    ASSERT_TRUE(there.networks.contains("blue"));
    EXPECT_EQ(there.peers, (std::set<Ip>{*Ip::parse("192.0.2.11"), *Ip::parse("192.0.2.12")}));
    expect_only_to_punt("a");
}

TEST_F(ArrivingTest, ItsTrafficStaysAtTheSource) {
    const auto& attachment = *after->networks.at("blue")->bound.at("a");
    EXPECT_EQ(attachment.binding.host, "kvm1");
    EXPECT_EQ(attachment.vtep, Ip::parse("192.0.2.11"));
    EXPECT_EQ(flows_from(compile(*after, "kvm1"), 10), flows_from(compile(*before, "kvm1"), 10));
}

// What others change is what they would for any port of the network on that host.
TEST_F(ArrivingTest, OthersLearnNothingButThatTheDestinationIsAmongTheNetworksHosts) {
    auto expected = before->networks.at("blue")->hosts;
    expected.emplace("kvm3", Ip::parse("192.0.2.13"));
    EXPECT_EQ(after->networks.at("blue")->hosts, expected);
    for (const auto& [name, network] : before->networks)
        EXPECT_EQ(after->networks.at(name) == network, name != "blue") << name; // pointers

    Fixture without(kThreeHosts);
    without.bindings = fixture.bindings;
    without.bindings.at("a").arriving.reset();
    auto topology = *without.topology; // a silent port at the destination instead
    auto& other = topology.ports["other"];
    other.name = "other";
    other.network = "blue";
    without.topology = std::make_shared<const topology::Topology>(std::move(topology));
    without.allocations = topology::allocate(*without.topology, without.allocations, {}).allocations;
    without.bind("other", "kvm3", 28);
    for (const auto* host : {"kvm1", "kvm2"}) {
        auto of_other = Installed::of(compile(*without.world(), host));
        std::erase_if(of_other.flows, [](const auto& entry) {
            return pipeline::owner_of(entry.second.cookie)->object == object_id(Kind::port, "other");
        });
        const auto arriving = Installed::of(compile(*after, host));
        EXPECT_EQ(arriving.difference(of_other), "") << host;
    }
}

TEST_F(ArrivingTest, AnInterfaceThatIsNotInTheDatapathYetHasNoFlow) {
    bind_arriving("a", 0);
    EXPECT_TRUE(after->hosts.at("kvm3")->networks.contains("blue"));
    EXPECT_TRUE(flows_from(compile(*after, "kvm3"), 0).empty());
    before = after;
    bind_arriving("a", kThere);
    expect_only_to_punt("a");
}

TEST_F(ArrivingTest, ATrunkIsPuntedOnceAndAllItsNetworksArePresent) {
    fixture.bindings.at("a").arriving.reset();
    bind_arriving("t", kThere);
    for (const auto* network : {"wire", "office", "blue"})
        EXPECT_TRUE(after->hosts.at("kvm3")->networks.contains(network)) << network;
    expect_only_to_punt("t");
}

// Its frames reach nobody elsewhere, and all the same it says when it is there.
TEST_F(ArrivingTest, APortOfALocalNetworkIsPuntedToo) {
    fixture.bindings.at("a").arriving.reset();
    bind_arriving("r", kThere);
    expect_only_to_punt("r");
}

TEST_F(ArrivingTest, OnceTheGuestIsThereTheDestinationIsAsIfItHadAlwaysBeen) {
    fixture.bind("a", "kvm3", kThere);
    const auto incremental = build(fixture.inputs(), after, {.all = false, .networks = {"blue"}, .hosts = {}});
    for (const auto* host : {"kvm1", "kvm2", "kvm3"}) {
        auto installed = Installed::of(compile(*after, host));
        installed.apply(delta(*after, *incremental, host));
        EXPECT_EQ(installed.difference(Installed::of(compile(*fixture.world(), host))), "") << host;
    }
    EXPECT_TRUE(flows_from(compile(*incremental, "kvm1"), 10).empty());
}

} // namespace
} // namespace weft::fabric
