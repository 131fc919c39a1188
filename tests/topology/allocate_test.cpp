#include "topology/allocate.hpp"

#include "tests/topology/texts.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>
#include <set>

namespace weft::topology {
namespace {

using ::testing::HasSubstr;

AttachmentAddresses at(const Allocated& allocated, const std::string& port, const std::string& network) {
    return allocated.allocations.attachments.at({port, network});
}

std::string network(const std::string& name, const std::string& more) {
    return "[[network]]\nname = \"" + name + "\"\nkind = \"vxlan\"\n" + more + "\n";
}
std::string port(const std::string& name, const std::string& more = {}) {
    return "[[port]]\nname = \"" + name + "\"\nnetwork = \"red\"\n" + more + "\n";
}
const std::string kRed = network("red", "subnet = \"10.0.1.0/24\"\nsubnet6 = \"fd00:1::/64\"");

TEST(Allocate, CountsFreshVnisUpFrom4096AroundExplicitOnes) {
    const auto t = sound(network("a", "") + network("b", "vni = 4097") + network("c", ""));
    const std::map<std::string, std::uint32_t> expected{{"a", 4096}, {"b", 4097}, {"c", 4098}};
    EXPECT_EQ(allocate(t, {}, {}).allocations.vnis, expected);
}

TEST(Allocate, KeepsAVniUntilSomebodyAsksForIt) {
    const auto before = allocate(sound(network("b", "")), {}, {}).allocations;
    EXPECT_EQ(before.vnis.at("b"), 4096U);
    const auto kept = allocate(sound(network("a", "") + network("b", "")), before, {});
    EXPECT_EQ(kept.allocations.vnis.at("b"), 4096U);
    EXPECT_EQ(kept.allocations.vnis.at("a"), 4097U);
    const auto taken = allocate(sound(network("a", "vni = 4096") + network("b", "")), before, {});
    EXPECT_EQ(taken.allocations.vnis.at("b"), 4097U);
}

TEST(Allocate, GivesRoutersAndUnroutedNetworksAZoneThatTheyKeep) {
    const std::string router = "[[router]]\nname = \"r\"\nnetworks = [\"a\"]\n";
    const auto before = allocate(sound(network("a", "") + network("b", "")), {}, {}).allocations;
    const std::map<ZoneKey, std::uint16_t> first{{{Kind::network, "a"}, 1}, {{Kind::network, "b"}, 2}};
    EXPECT_EQ(before.zones, first);
    const std::string subnet = "subnet = \"10.7.0.0/24\"";
    const auto after = allocate(sound(network("a", subnet) + network("b", "") + router), before, {}).allocations;
    const std::map<ZoneKey, std::uint16_t> then{{{Kind::network, "b"}, 2}, {{Kind::router, "r"}, 1}};
    EXPECT_EQ(after.zones, then);
}

TEST(Allocate, PrefersMacsWrittenThenObservedThenPreviousThenDerived) {
    const auto t = sound(kRed + port("p"));
    const auto derived = at(allocate(t, {}, {}), "p", "red").mac;
    EXPECT_EQ(derived.bytes[0], 0x0a);
    EXPECT_EQ(at(allocate(t, {}, {}), "p", "red").mac, derived);

    const auto seen = *Mac::parse("52:54:00:00:00:01");
    const auto observed = allocate(t, {}, {{"p", seen}});
    EXPECT_EQ(at(observed, "p", "red").mac, seen);
    EXPECT_EQ(at(allocate(t, observed.allocations, {}), "p", "red").mac, seen); // the VM is off: nothing changes

    const auto written = sound(kRed + port("p", "mac = \"52:54:00:00:00:02\""));
    EXPECT_EQ(at(allocate(written, observed.allocations, {{"p", seen}}), "p", "red").mac.to_string(),
              "52:54:00:00:00:02");
}

TEST(Allocate, RefusesAMacThatAnotherPortHas) {
    const auto t = sound(kRed + port("p", "mac = \"52:54:00:00:00:01\"") + port("q"));
    const auto result = allocate(t, {}, {{"q", *Mac::parse("52:54:00:00:00:01")}});
    EXPECT_EQ(at(result, "q", "red").mac.bytes[0], 0x0a);
    ASSERT_EQ(result.problems.size(), 1U);
    EXPECT_THAT(result.problems[0].text, HasSubstr("port 'q' brings MAC 52:54:00:00:00:01"));
}

TEST(Allocate, DerivesEui64InA64AndAllocatesElsewhere) {
    const auto t = sound(kRed + network("narrow", "subnet6 = \"fd00:2::/112\"") +
                         port("p", "mac = \"52:54:00:12:34:56\"\n"
                                   "trunk = [ { network = \"narrow\", vlan = 2 } ]") +
                         port("q", "ip6 = \"fd00:1::9\""));
    const auto result = allocate(t, {}, {});
    EXPECT_EQ(at(result, "p", "red").ip6->to_string(), "fd00:1::5054:ff:fe12:3456");
    const auto given = at(result, "p", "narrow").ip6;
    ASSERT_TRUE(given);
    EXPECT_TRUE(t.networks.at("narrow").subnet6->contains(*given));
    EXPECT_EQ(at(result, "q", "red").ip6->to_string(), "fd00:1::9");
    EXPECT_EQ(at(allocate(t, result.allocations, {}), "p", "narrow").ip6, given);
}

TEST(Allocate, HandsOutEveryAddressOfASmallSubnet6Once) {
    // ::0 is the routers' anycast address, ::1 the gateway's, ::3 the last.
    const auto small = network("red", "subnet6 = \"fd00:2::/126\"");
    const auto result = allocate(sound(small + port("a") + port("b")), {}, {});
    EXPECT_EQ(at(result, "a", "red").ip6->to_string(), "fd00:2::2");
    EXPECT_FALSE(at(result, "b", "red").ip6);
    ASSERT_EQ(result.problems.size(), 1U);
    EXPECT_EQ(result.problems[0].text, "network 'red' has no address left for port 'b': all 1 are in use");
}

TEST(Allocate, FindsRoomInASubnet6ThatNobodyCounts) {
    const auto t = sound(network("red", "subnet6 = \"fd00::/16\"") + port("a") + port("b"));
    const auto result = allocate(t, {}, {});
    EXPECT_NE(at(result, "a", "red").ip6, at(result, "b", "red").ip6);
    EXPECT_TRUE(t.networks.at("red").subnet6->contains(*at(result, "a", "red").ip6));
}

const std::string kRouter = "[[router]]\nname = \"r\"\nnetworks = [\"red\"]\n";

TEST(Allocate, GivesAServiceWhereNoRouterHasAnAddressAndKeepsIt) {
    const auto first = allocate(sound(kRed), {}, {}).allocations;
    ASSERT_TRUE(first.services.contains("red"));
    EXPECT_EQ(allocate(sound(kRed + port("p")), first, {}).allocations.services, first.services);
    EXPECT_TRUE(allocate(sound(kRed + kRouter), first, {}).allocations.services.empty());
    const auto silent = network("red", "subnet = \"10.0.1.0/24\"\ndhcp = false");
    EXPECT_TRUE(allocate(sound(silent), first, {}).allocations.services.empty());
    const auto only6 = network("red", "subnet6 = \"fd00:1::/64\"");
    EXPECT_TRUE(allocate(sound(only6), first, {}).allocations.services.empty());
}

TEST(Allocate, GivesAPhysicalNetworkAServiceOnlyForNames) {
    const auto flat = [](const std::string& dhcp) {
        return "[[network]]\nname = \"f\"\nkind = \"flat\"\nphysnet = \"p\"\nsubnet = \"203.0.113.0/24\"\n" + dhcp;
    };
    const auto services = [&](const std::string& dhcp) {
        return allocate(sound(flat(dhcp)), {}, {}).allocations.services.size();
    };
    EXPECT_EQ(services(""), 0U);
    EXPECT_EQ(services("dhcp = {}"), 1U);
    EXPECT_EQ(services("dhcp = { dns = [\"203.0.113.53\"] }"), 0U);
}

TEST(Allocate, LeavesAServiceAloneUntilNothingElseIsLeft) {
    // .1 is the gateway; five more.
    std::string text = network("red", "subnet = \"10.0.1.0/29\"");
    auto known = allocate(sound(text), {}, {}).allocations;
    const auto service = known.services.at("red");
    for (const auto* name : {"a", "b", "c", "d"}) {
        text += port(name);
        known = allocate(sound(text), known, {}).allocations;
        EXPECT_EQ(known.services.at("red"), service) << name;
    }
    known.declined[{"a", "red"}] = {known.attachments.at({"a", "red"}).ip, {}};
    const auto kept = allocate(sound(text), known, {}).allocations;
    EXPECT_EQ(kept.services, known.services) << "a guest cannot take it by declining";
    EXPECT_EQ(kept.attachments, known.attachments);
    const auto full = allocate(sound(text + port("e")), kept, {});
    EXPECT_EQ(at(full, "e", "red").ip, service) << "ports come first";
    EXPECT_TRUE(full.allocations.services.empty());
    ASSERT_EQ(full.problems.size(), 1U);
    EXPECT_EQ(full.problems[0].severity, Severity::warning);
}

TEST(Allocate, LeavesADeclinedAddressToWhoTookItAllTheSame) {
    const auto small = network("red", "subnet = \"10.0.1.0/29\"") + kRouter;
    std::string text = small;
    for (const auto* name : {"a", "b", "c", "d"})
        text += port(name);
    auto known = allocate(sound(text), {}, {}).allocations;
    const auto first = known.attachments.at({"a", "red"}).ip;
    known.declined[{"a", "red"}] = {first, {}};
    known = allocate(sound(text), known, {}).allocations;
    EXPECT_NE(known.attachments.at({"a", "red"}).ip, first);
    text += port("e");
    known = allocate(sound(text), known, {}).allocations;
    EXPECT_EQ(known.attachments.at({"e", "red"}).ip, first) << "there is no other";
    const auto again = allocate(sound(text), known, {}).allocations;
    EXPECT_EQ(again.attachments, known.attachments);
    const auto fewer = allocate(sound(small + port("a") + port("e")), known, {}).allocations;
    EXPECT_EQ(fewer.attachments.at({"e", "red"}).ip, first);
}

TEST(Allocate, LetsAPortDisplaceAService) {
    const auto before = allocate(sound(kRed), {}, {}).allocations;
    const auto ip = before.services.at("red");
    const auto after = allocate(sound(kRed + port("p", "ip = \"" + ip.to_string() + "\"")), before, {});
    EXPECT_EQ(at(after, "p", "red").ip, ip);
    EXPECT_NE(after.allocations.services.at("red"), ip);
}

TEST(Allocate, AvoidsWhatWasDeclinedAsLongAsThePortIsThere) {
    const auto t = sound(kRed + port("p"));
    auto before = allocate(t, {}, {}).allocations;
    const auto ip = *before.attachments.at({"p", "red"}).ip;
    before.declined[{"p", "red"}] = {ip, {}};
    const auto moved = allocate(t, before, {}).allocations;
    EXPECT_NE(moved.attachments.at({"p", "red"}).ip, ip);
    EXPECT_EQ(moved.declined, before.declined);
    EXPECT_TRUE(allocate(sound(kRed), moved, {}).allocations.declined.empty());
    const auto written = allocate(sound(kRed + port("p", "ip = \"" + ip.to_string() + "\"")), moved, {});
    EXPECT_EQ(at(written, "p", "red").ip, ip);
}

TEST(Allocate, HandsOutADeclinedAddressWhenThereIsNoOther) {
    const auto t = sound(network("red", "subnet = \"10.0.1.0/30\"") + kRouter + port("p"));
    auto before = allocate(t, {}, {}).allocations;
    before.declined[{"p", "red"}] = {Ip::parse("10.0.1.2"), {}};
    EXPECT_EQ(at(allocate(t, before, {}), "p", "red").ip, Ip::parse("10.0.1.2"));
}

TEST(Allocate, GivesATrunkAnAddressInEveryNetworkButTheUntaggedOneItDrops) {
    const auto t = sound(kRed + network("blue", "subnet = \"10.0.2.0/24\"") + network("wire", "") +
                         port("p", "native = false\nmac = \"52:54:00:00:00:01\"\n"
                                   "trunk = [ { network = \"blue\", vlan = 2, mac = \"52:54:00:00:00:02\" }, "
                                   "{ network = \"wire\", vlan = 3 } ]"));
    const auto result = allocate(t, {}, {});
    EXPECT_EQ(result.allocations.attachments.size(), 2U);
    EXPECT_EQ(at(result, "p", "blue").mac.to_string(), "52:54:00:00:00:02");
    EXPECT_TRUE(at(result, "p", "blue").ip);
    EXPECT_EQ(at(result, "p", "wire").mac.to_string(), "52:54:00:00:00:01");
    EXPECT_FALSE(at(result, "p", "wire").ip);
}

TEST(Allocate, KeepsAddressesAndReleasesThoseOfRemovedPorts) {
    const auto small = network("red", "subnet = \"10.0.1.0/30\"\ndhcp = false"); // one address besides the gateway
    const auto first = allocate(sound(small + port("p")), {}, {});
    EXPECT_EQ(at(first, "p", "red").ip->to_string(), "10.0.1.2");
    const auto full = allocate(sound(small + port("a") + port("p")), first.allocations, {});
    EXPECT_EQ(at(full, "p", "red").ip->to_string(), "10.0.1.2");
    EXPECT_FALSE(at(full, "a", "red").ip);
    ASSERT_EQ(full.problems.size(), 1U);
    EXPECT_EQ(full.problems[0].text, "network 'red' has no address left for port 'a': all 1 are in use");
    EXPECT_EQ(full.problems[0].where.to_string(), "t.toml:6:1");
    const auto released = allocate(sound(small + port("a")), full.allocations, {});
    EXPECT_EQ(at(released, "a", "red").ip->to_string(), "10.0.1.2");
}

TEST(Allocate, LetsAnExplicitAddressDisplaceAnAllocatedOne) {
    const auto before = allocate(sound(kRed + port("p")), {}, {});
    const auto ip = at(before, "p", "red").ip->to_string();
    const auto after = allocate(sound(kRed + port("p") + port("q", "ip = \"" + ip + "\"")), before.allocations, {});
    EXPECT_EQ(at(after, "q", "red").ip->to_string(), ip);
    EXPECT_NE(at(after, "p", "red").ip->to_string(), ip);
}

TEST(Allocate, MovesAnAddressThatBecameReservedOrLeftTheRange) {
    const auto before = allocate(sound(kRed + port("p")), {}, {});
    const auto ip = at(before, "p", "red").ip->to_string();
    const auto reserved = network("red", "subnet = \"10.0.1.0/24\"\nreserved = [\"" + ip + "\"]");
    EXPECT_NE(at(allocate(sound(reserved + port("p")), before.allocations, {}), "p", "red").ip->to_string(), ip);
    const auto other = ip == "10.0.1.200" ? "10.0.1.201" : "10.0.1.200";
    const auto ranged = network("red", std::string("subnet = \"10.0.1.0/24\"\ndhcp = { range = \"") + other + "\" }");
    EXPECT_EQ(at(allocate(sound(ranged + port("p")), before.allocations, {}), "p", "red").ip->to_string(), other);
}

TEST(Allocate, AvoidsWhatGatewaysClaim) {
    // .1 next hop and network gateway, .2 gateway, .3-.4 SNAT, .5 floating: only .6 is left.
    const auto t = sound(R"(
[[host]]
name = "h"
uplinks = { p = "eth1" }
[[network]]
name = "public"
kind = "flat"
physnet = "p"
subnet = "203.0.113.0/29"
[[network]]
name = "red"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[router]]
name = "r"
networks = ["red"]
gateway = "g"
[[gateway]]
name = "g"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
hosts = ["h"]
snat = ["203.0.113.3-203.0.113.4"]
[[floating_ip]]
address = "203.0.113.5"
port = "web"
gateway = "g"
[[port]]
name = "web"
network = "red"
[[port]]
name = "edge"
network = "public"
)");
    const auto result = allocate(t, {}, {});
    EXPECT_EQ(at(result, "edge", "public").ip->to_string(), "203.0.113.6");
    EXPECT_TRUE(result.problems.empty());
}

TEST(Allocate, DoesNotTrustStoredAllocations) {
    Allocations stored;
    stored.vnis = {{"red", 0}, {"gone", 7}};
    const auto broadcast = *Mac::parse("ff:ff:ff:ff:ff:ff");
    stored.attachments[{"p", "red"}] = {broadcast, *Ip::parse("10.0.1.255"), *Ip::parse("10.0.1.3")};
    stored.attachments[{"gone", "red"}] = {broadcast, *Ip::parse("10.0.1.5"), std::nullopt};
    const auto t = sound(kRed + port("p"));
    EXPECT_EQ(allocate(t, stored, {}).allocations, allocate(t, {}, {}).allocations);
}

/// A few ports in small networks, so that collisions, exhaustion and explicit addresses are all common.
Topology crowd() {
    Topology t;
    for (const auto* name : {"a", "b", "c"}) {
        Network net{.name = name};
        net.subnet = Prefix{Ip::v4(0x0a000100), *rc::gen::inRange(27, 30)};
        net.gateway = net.subnet->network().plus(1);
        if (*rc::gen::arbitrary<bool>()) net.subnet6 = Prefix::parse("fd00::/64");
        if (*rc::gen::arbitrary<bool>()) net.reserved = {{Ip::v4(0x0a000103), Ip::v4(0x0a000104)}};
        if (*rc::gen::arbitrary<bool>()) net.vni = *rc::gen::inRange(4096, 4100) + (name[0] - 'a') * 4;
        t.networks.emplace(name, net);
    }
    std::set<std::pair<std::string, Ip>> explicit_ones;
    const auto maybe_ip = [&](const std::string& in) -> std::optional<Ip> {
        const auto ip = Ip::v4(0x0a000102U + *rc::gen::inRange(0U, 6U));
        if (*rc::gen::inRange(0, 4) != 0 || t.networks.at(in).subnet->last() <= ip) return std::nullopt;
        return explicit_ones.emplace(in, ip).second ? std::optional(ip) : std::nullopt;
    };
    for (const auto number : *rc::gen::container<std::set<int>>(rc::gen::inRange(0, 30))) {
        Port p{.name = "p" + std::to_string(number)};
        p.network = *rc::gen::element<std::string>("a", "b", "c");
        p.ip = maybe_ip(p.network);
        if (p.network != "c" && *rc::gen::arbitrary<bool>())
            p.trunk.push_back({.network = "c", .vlan = 5, .ip = maybe_ip("c")});
        t.ports.emplace(p.name, p);
    }
    return t;
}

void check_legal(const Topology& t, const Allocations& allocations) {
    std::set<std::uint32_t> vnis;
    for (const auto& [name, vni] : allocations.vnis)
        RC_ASSERT(vnis.insert(vni).second);
    RC_ASSERT(vnis.size() == t.networks.size());
    std::set<std::pair<std::string, Ip>> ips;
    std::map<Mac, std::string> macs;
    for (const auto& [key, addresses] : allocations.attachments) {
        const auto& net = t.networks.at(key.network);
        RC_ASSERT(macs.emplace(addresses.mac, key.port).first->second == key.port);
        if (addresses.ip6) RC_ASSERT(ips.emplace(key.network, *addresses.ip6).second);
        if (!addresses.ip) continue;
        RC_ASSERT(ips.emplace(key.network, *addresses.ip).second);
        RC_ASSERT(net.subnet->contains(*addresses.ip));
        const auto& port = t.ports.at(key.port);
        const bool explicit_one = key.network == port.network ? port.ip.has_value() : port.trunk.at(0).ip.has_value();
        if (explicit_one) continue;
        RC_ASSERT(*addresses.ip != net.subnet->network() && *addresses.ip != net.subnet->last());
        RC_ASSERT(*addresses.ip != *net.gateway);
        for (const auto& range : net.reserved)
            RC_ASSERT(!range.contains(*addresses.ip));
    }
}

RC_GTEST_PROP(Allocate, NeverGivesTheSameThingTwice, ()) {
    const auto first = crowd();
    const auto second = crowd();
    const auto once = allocate(first, {}, {});
    check_legal(first, once.allocations);
    check_legal(second, allocate(second, once.allocations, {}).allocations);
    RC_ASSERT(allocate(first, once.allocations, {}).allocations == once.allocations);
}

RC_GTEST_PROP(Allocate, LeavesTheOthersAloneWhenAPortComesOrGoes, ()) {
    auto topology = crowd();
    const auto before = allocate(topology, {}, {}).allocations;
    RC_PRE(!topology.ports.empty());
    const auto gone = (*rc::gen::elementOf(topology.ports)).first;
    topology.ports.erase(gone);
    topology.ports.emplace("new", Port{.name = "new", .network = "a"});
    const auto after = allocate(topology, before, {}).allocations;
    for (const auto& [key, addresses] : after.attachments) {
        const auto old = before.attachments.find(key);
        if (old == before.attachments.end()) continue;
        RC_ASSERT(addresses.mac == old->second.mac);
        if (old->second.ip) RC_ASSERT(addresses.ip == old->second.ip);
    }
    RC_ASSERT(after.vnis == before.vnis);
    RC_ASSERT(!after.attachments.contains({gone, "a"}));
}

} // namespace
} // namespace weft::topology
