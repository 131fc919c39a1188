#include "tests/fabric/fixture.hpp"

#include <gmock/gmock.h>

namespace weft::fabric {
namespace {

using testing::ElementsAre;

const std::string kTwoCandidates = R"(
[[host]]
name = "kvm1"
vtep = "192.0.2.11"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm2"
vtep = "192.0.2.12"
uplinks = { physnet1 = "eth1" }
[[network]]
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"
subnet6 = "2001:db8::/64"
[[gateway]]
name = "igw"
network = "public"
address = "203.0.113.2"
address6 = "2001:db8::2"
nexthop = "203.0.113.1"
nexthop6 = "2001:db8::1"
hosts = ["kvm1", "kvm2"]
)";

struct Candidates : testing::Test {
    Fixture fixture{kTwoCandidates};
    void silent(const std::string& host, const std::string& ip) {
        fixture.learnt.unanswered.insert({host, "public", *Ip::parse(ip)});
    }
    std::vector<std::string> in_service() {
        std::vector<std::string> hosts;
        for (const auto& candidate : fixture.world()->gateways.at("igw")->candidates)
            if (candidate.in_service) hosts.push_back(candidate.host);
        return hosts;
    }
};

TEST_F(Candidates, OneThatFewerNextHopsAnswerIsPassedOver) {
    EXPECT_THAT(in_service(), ElementsAre("kvm1", "kvm2"));
    silent("kvm1", "203.0.113.1");
    EXPECT_THAT(in_service(), ElementsAre("kvm2"));
    silent("kvm2", "2001:db8::1");
    EXPECT_THAT(in_service(), ElementsAre("kvm1", "kvm2")) << "neither is better";
    silent("kvm1", "2001:db8::1");
    EXPECT_THAT(in_service(), ElementsAre("kvm2"));
}

TEST_F(Candidates, OneThatCannotTakeOverMakesNobodyWorse) {
    silent("kvm1", "203.0.113.1");
    fixture.learnt.out_of_service.insert("kvm2");
    EXPECT_THAT(in_service(), ElementsAre("kvm1"));
    fixture.learnt.out_of_service.clear();
    fixture.learnt.dead_links["kvm2"].insert("physnet1");
    EXPECT_THAT(in_service(), ElementsAre("kvm1"));
}

// Its gate opens before the others lead to it: what they sent first would be lost.
TEST_F(Candidates, OneThatReturnsIsReadyAndLedToOnceItsSwitchKnows) {
    const auto ready = [&](std::size_t rank) { return fixture.world()->gateways.at("igw")->candidates[rank].ready; };
    fixture.learnt.returning.insert({"igw", "kvm1"});
    EXPECT_TRUE(ready(0));
    EXPECT_THAT(in_service(), ElementsAre("kvm2"));
    fixture.learnt.dead_links["kvm2"].insert("physnet1");
    EXPECT_THAT(in_service(), ElementsAre("kvm1")) << "there is nobody else";
    fixture.learnt.returning.insert({"igw", "kvm2"});
    fixture.learnt.dead_links.clear();
    EXPECT_THAT(in_service(), ElementsAre("kvm1", "kvm2"));
    fixture.learnt.out_of_service.insert("kvm1");
    EXPECT_FALSE(ready(0));
}

TEST_F(Candidates, SilenceOnAnotherNetworkIsNotOfThisGateway) {
    fixture.learnt.unanswered.insert({"kvm1", "office", *Ip::parse("203.0.113.1")});
    EXPECT_THAT(in_service(), ElementsAre("kvm1", "kvm2"));
}

} // namespace
} // namespace weft::fabric
