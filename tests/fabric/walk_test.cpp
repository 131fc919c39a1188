// A question's packet, its way through compiled switches, and what it comes to.
#include "fabric/outcome.hpp"
#include "tests/fabric/fixture.hpp"

#include <gmock/gmock.h>

namespace weft::fabric {
namespace {

using testing::HasSubstr;
using Verdict = Outcome::Verdict;

const std::string kWalked = std::string(kRouted) + R"(
[[security_group]]
name = "web"
rules = [ { direction = "ingress", protocol = "tcp", ports = ["80"] }, { direction = "ingress", protocol = "icmp" } ]
[[port]]
name = "guarded"
network = "blue"
ip = "10.0.1.60"
security_groups = ["web"]
)";

struct CompiledSwitches : Switches {
    explicit CompiledSwitches(const World& world) {
        for (const auto& [name, _] : world.hosts) {
            auto& held = states[name];
            held = compile(world, name);
            indexed.emplace(name, of::Tables(held.flows, held.groups));
        }
    }
    const of::Tables* tables(const std::string& host) override {
        const auto found = indexed.find(host);
        return found == indexed.end() ? nullptr : &found->second;
    }
    bool live(const std::string& host, std::uint32_t ofport) override { return !dead.contains({host, ofport}); }

    std::map<std::string, SwitchState> states;
    std::map<std::string, of::Tables> indexed;
    std::set<std::pair<std::string, std::uint32_t>> dead; ///< watched ports that are down: (host, ofport)
};

struct Walks : testing::Test {
    Walks() : fixture(kWalked) {
        fixture.bind("a", "kvm1", 11);
        fixture.bind("b", "kvm2", 12);
        fixture.bind("guarded", "kvm3", 13);
        fixture.bind("o", "kvm1", 14);
        fixture.bind("t", "kvm2", 15);
        fixture.bind("r", "kvm1", 16);
        for (const auto& [name, gateway] : fixture.topology->gateways)
            if (gateway.nexthop)
                fixture.learnt.neighbours[{gateway.network, *gateway.nexthop}] = *Mac::parse("02:aa:00:00:00:01");
        world = fixture.world();
    }

    struct Asked {
        Probe probe;
        Walk walk;
        Outcome outcome;
        of::Packet arrived;
    };
    Asked ask(const Question& question) {
        CompiledSwitches switches(*world);
        switches.dead = dead;
        auto asked = probe(*world, question);
        EXPECT_TRUE(asked) << (asked ? "" : asked.error().text);
        Asked result{.probe = *asked, .walk = walk(*world, switches, connections, asked->entrance, asked->packet)};
        finish(result);
        return result;
    }
    Asked answer(const Asked& to) {
        CompiledSwitches switches(*world);
        auto back = answer_probe(*world, to.probe, *to.outcome.end, to.arrived);
        Asked result{.probe = back, .walk = walk(*world, switches, connections, back.entrance, back.packet)};
        finish(result);
        return result;
    }
    static void finish(Asked& asked) {
        asked.outcome = outcome(asked.walk, asked.probe);
        if (asked.outcome.end != nullptr)
            asked.arrived = asked.walk.step({asked.outcome.end->passage, asked.outcome.end->step}).packet;
    }

    Fixture fixture;
    WorldPtr world;
    Connections connections;
    std::set<std::pair<std::string, std::uint32_t>> dead;
};

TEST_F(Walks, CrossATunnelAndComeOutOfThePort) {
    const auto asked = ask({.from = "a", .to = "b"});
    EXPECT_EQ(asked.outcome.verdict, Verdict::delivered);
    EXPECT_EQ(asked.outcome.end->object, "b");
    EXPECT_EQ(asked.outcome.end->host, "kvm2");
    EXPECT_EQ(asked.walk.passages.size(), 2U);
}

TEST_F(Walks, NameTheGroupsDropAndItsHost) {
    const auto allowed = ask({.from = "a", .to = "guarded", .protocol = 6, .target_port = 80});
    EXPECT_EQ(allowed.outcome.verdict, Verdict::delivered);
    const auto denied = ask({.from = "a", .to = "guarded", .protocol = 6, .target_port = 81});
    EXPECT_EQ(denied.outcome.verdict, Verdict::dropped);
    EXPECT_EQ(denied.outcome.end->reason, pipeline::Reason::group_ingress);
    EXPECT_EQ(denied.outcome.end->host, "kvm3");
}

TEST_F(Walks, AnAnswerPassesWhereTheRequestWasTracked) {
    const auto request = ask({.from = "guarded", .to = "a", .protocol = 6, .target_port = 22});
    ASSERT_EQ(request.outcome.verdict, Verdict::delivered);
    EXPECT_EQ(answer(request).outcome.verdict, Verdict::delivered);
    // The same packet without a connection is a request of a's that no rule allows.
    connections = {};
    EXPECT_EQ(ask({.from = "a", .to = "guarded", .protocol = 17, .target_port = 22}).outcome.verdict, Verdict::dropped);
}

TEST_F(Walks, LeaveByTheGatewayTranslatedAndComeBack) {
    const auto out = ask({.from = "a", .to = "192.0.9.9", .protocol = 6, .target_port = 443});
    ASSERT_EQ(out.outcome.verdict, Verdict::delivered);
    EXPECT_EQ(out.outcome.end->kind, End::Kind::wire);
    EXPECT_NE(out.arrived.get(of::Field::ip_src), of::bits(*Ip::parse("10.0.1.10")));
    const auto back = answer(out);
    EXPECT_EQ(back.outcome.verdict, Verdict::delivered);
    EXPECT_EQ(back.outcome.end->object, "a");
    EXPECT_EQ(back.arrived.get(of::Field::ip_dst), of::bits(*Ip::parse("10.0.1.10")));
}

// Two hosts lose and find a third at different moments, and a network may be broken between two of them alone.
TEST_F(Walks, AStandbyPassesOnWhatIsSentToItToTheOneThatIsActive) {
    const auto& kvm3 = world->hosts.at("kvm3")->facts;
    dead.insert({"kvm3", kvm3.watched.at(*Ip::parse("192.0.2.11"))});
    const auto out = ask({.from = "guarded", .to = "192.0.9.9", .protocol = 6, .target_port = 443});
    ASSERT_EQ(out.outcome.verdict, Verdict::delivered);
    std::vector<std::string> hosts;
    for (const auto& passage : out.walk.passages)
        hosts.push_back(passage.host);
    EXPECT_THAT(hosts, testing::ElementsAre("kvm3", "kvm2", "kvm1"));
    EXPECT_EQ(answer(out).outcome.end->object, "guarded");
}

// A change of `hosts` reaches one switch before another.
TEST_F(Walks, CandidatesThatDisagreeOnTheirOrderPassNothingInACircle) {
    auto edited = *fixture.topology;
    edited.gateways.at("igw").hosts = {"kvm2", "kvm1"};
    fixture.topology = std::make_shared<const topology::Topology>(std::move(edited));
    const auto later = fixture.world();
    for (const auto* first : {"kvm1", "kvm2", "kvm3"}) {
        CompiledSwitches switches(*world);
        switches.states[first] = compile(*later, first);
        switches.indexed.insert_or_assign(first,
                                          of::Tables(switches.states[first].flows, switches.states[first].groups));
        const auto asked =
            probe(*world, {.from = "guarded", .to = "192.0.9.9", .protocol = 6, .target_port = 443}).value();
        const auto walked = walk(*world, switches, connections, asked.entrance, asked.packet);
        EXPECT_EQ(outcome(walked, asked).verdict, Verdict::delivered) << "told first: " << first;
        EXPECT_LE(walked.passages.size(), 3U) << "told first: " << first;
    }
}

TEST_F(Walks, ASwitchAnswersForARouter) {
    const auto& gateway = *world->networks.at("blue")->core.routed->gateway;
    const auto asked = ask({.from = "a", .to = gateway.to_string()});
    EXPECT_EQ(asked.outcome.verdict, Verdict::delivered);
    EXPECT_TRUE(asked.outcome.answered);
}

TEST_F(Walks, OverTheWireBetweenTwoHosts) {
    const auto asked = ask({.from = "o", .to = "t@office"});
    EXPECT_EQ(asked.outcome.verdict, Verdict::delivered);
    EXPECT_EQ(asked.outcome.end->object, "t");
    EXPECT_EQ(asked.arrived.get(of::Field::vlan_tci), 0x1007U) << "the trunk's own tag";
}

TEST_F(Walks, AnAnswerGoesByItsOwnSendersRouter) {
    // kvm1 routes onto the VLAN by a MAC of its own; t answers to the router's, which its own host has.
    const auto request = ask({.from = "a", .to = "t@office"});
    ASSERT_EQ(request.outcome.verdict, Verdict::delivered);
    const auto back = answer(request);
    EXPECT_EQ(back.outcome.verdict, Verdict::delivered);
    EXPECT_EQ(back.probe.packet.get(of::Field::eth_dst), of::bits(world->networks.at("office")->core.routed->mac));
}

TEST_F(Walks, NobodysAddressIsADropAndSaidToBeAssumed) {
    const auto asked = ask({.from = "a", .to = "10.0.1.99"});
    EXPECT_EQ(asked.outcome.verdict, Verdict::dropped);
    EXPECT_EQ(asked.outcome.end->reason, pipeline::Reason::unknown_destination);
    EXPECT_THAT(asked.probe.assumed, testing::ElementsAre(HasSubstr("nobody is known to have 10.0.1.99")));
}

TEST_F(Walks, AHostThatIsNotKnownIsMissing) {
    struct OnlyOne : CompiledSwitches {
        using CompiledSwitches::CompiledSwitches;
        const of::Tables* tables(const std::string& host) override {
            return host == "kvm1" ? CompiledSwitches::tables(host) : nullptr;
        }
    } switches(*world);
    const auto asked = probe(*world, {.from = "a", .to = "b"});
    const auto walked = walk(*world, switches, connections, asked->entrance, asked->packet);
    EXPECT_THAT(walked.missing, testing::ElementsAre("kvm2"));
    EXPECT_EQ(outcome(walked, *asked).verdict, Verdict::unknown);
}

TEST_F(Walks, QuestionsThatCannotBeAskedSayWhy) {
    const auto why = [&](const std::string& from, const std::string& to) {
        const auto asked = probe(*world, {.from = from, .to = to});
        return asked ? std::string() : asked.error().text;
    };
    EXPECT_THAT(why("nobody", "a"), HasSubstr("there is no port nobody"));
    EXPECT_THAT(why("c", "a"), HasSubstr("port c is not plugged in"));
    EXPECT_THAT(why("t@cell", "a"), HasSubstr("not plugged in on a network cell"));
    EXPECT_THAT(why("a", "2001:db8::1").substr(0, 0), "");
}

} // namespace
} // namespace weft::fabric
