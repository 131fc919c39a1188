// What a host will tell of ports that its rows make, before Open vSwitch has made them.
#include "fabric/host_rows.hpp"

#include <gtest/gtest.h>

namespace weft::fabric {
namespace {

const Ip kOther = Ip::v4(0xc000020c), kThird = Ip::v4(0xc000020d);

topology::Host host() {
    topology::Host host;
    host.name = "kvm1";
    host.bridge = "br-int";
    host.datapath = topology::Datapath::netdev;
    host.vtep = Ip::v4(0xc000020b);
    host.uplinks = {{"physnet1", "eth1"}};
    return host;
}

ovsdb::DesiredRows rows(const topology::Host& of, std::set<Ip> watched) {
    return desired_rows(of, {.controllers = {}, .watched = std::move(watched), .withdrawn = false, .qos = {}});
}

HostFacts facts() {
    return {.vtep = host().vtep, .vxlan_ofport = 1, .uplinks = {{"physnet1", 2}}, .watched = {{kOther, 3}}};
}

TEST(FactsUnder, AreTheSameUnderTheSameRows) {
    EXPECT_EQ(facts_under(facts(), rows(host(), {kOther}), rows(host(), {kOther}), {}), facts());
    auto missing = facts(); // Open vSwitch could not make it
    missing.uplinks.clear();
    EXPECT_EQ(facts_under(missing, rows(host(), {kOther}), rows(host(), {kOther}), {}), missing);
}

TEST(FactsUnder, NewPortsHaveNumbersThatNoOtherHas) {
    auto after = host();
    after.uplinks.emplace("physnet2", "eth2");
    const auto then = facts_under(facts(), rows(host(), {kOther}), rows(after, {kOther, kThird}), {0xfeff});
    EXPECT_EQ(then.vxlan_ofport, 1U);
    EXPECT_EQ(then.uplinks.at("physnet1"), 2U);
    EXPECT_EQ(then.watched.at(kOther), 3U);
    EXPECT_EQ((std::set<std::uint32_t>{then.uplinks.at("physnet2"), then.watched.at(kThird)}),
              (std::set<std::uint32_t>{0xfefe, 0xfefd}));
}

TEST(FactsUnder, AnotherNicHasAnotherNumberAndWhatGoesHasNone) {
    auto after = host();
    after.uplinks["physnet1"] = "eth2";
    const auto then = facts_under(facts(), rows(host(), {kOther}), rows(after, {}), {});
    EXPECT_NE(then.uplinks.at("physnet1"), 2U);
    EXPECT_TRUE(then.watched.empty());
    after.uplinks.clear();
    after.vtep.reset();
    EXPECT_EQ(facts_under(facts(), rows(host(), {kOther}), rows(after, {}), {}),
              (HostFacts{.vtep = host().vtep, .vxlan_ofport = 0}));
}

TEST(FactsUnder, OfAHostThatIsNewAreAll) {
    const auto then = facts_under({}, {}, rows(host(), {kOther}), {});
    EXPECT_NE(then.vxlan_ofport, 0U);
    EXPECT_TRUE(then.uplinks.contains("physnet1"));
    EXPECT_TRUE(then.watched.contains(kOther));
}

} // namespace
} // namespace weft::fabric
