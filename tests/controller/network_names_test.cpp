#include "controller/network_names.hpp"

#include "tests/fabric/fixture.hpp"

namespace weft::controller {
namespace {

constexpr const char* kTopology = R"(
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
dhcp = { domain = "Corp.example" }
[[network]]
name = "red"
kind = "vxlan"
subnet = "10.0.2.0/23"
[[network]]
name = "twin"
kind = "vxlan"
subnet = "10.0.1.0/24"
dhcp = { domain = "corp.example" }
[[network]]
name = "mute"
kind = "vxlan"
subnet = "10.0.9.0/24"
dhcp = false
[[router]]
name = "main"
networks = ["blue", "red", "mute"]
[[port]]
name = "Web1"
network = "blue"
ip = "10.0.1.10"
ip6 = "fd00:1::10"
trunk = [ { network = "red", vlan = 5, ip = "10.0.3.10" } ]
[[port]]
name = "db"
network = "red"
ip = "10.0.2.20"
[[port]]
name = "Db.One"
network = "red"
ip = "10.0.2.21"
[[port]]
name = "web1"
network = "twin"
ip = "10.0.1.10"
[[port]]
name = "other"
network = "twin"
ip = "10.0.1.11"
[[port]]
name = "silent"
network = "mute"
ip = "10.0.9.9"
)";

struct NetworkNamesTest : testing::Test {
    fabric::Fixture fixture{kTopology};
    Directory directory{fixture.allocations};
    NetworkNames blue{*fixture.topology, directory, "blue"};
    NetworkNames twin{*fixture.topology, directory, "twin"};

    static std::string addresses(const NetworkNames& names, std::string_view name) {
        const auto host = names.find(name);
        if (!host) return "unknown";
        std::string text = host->zone;
        for (const auto& ip : host->addresses)
            text += " " + ip.to_string();
        return text;
    }
    static Ip ip(std::string_view text) { return *Ip::parse(text); }
};

TEST_F(NetworkNamesTest, KnowPortsWhateverTheCaseOfTheirName) {
    EXPECT_EQ(addresses(blue, "web1.corp.example"), "corp.example 10.0.1.10 fd00:1::10");
    EXPECT_EQ(addresses(blue, "web2.corp.example"), "unknown");
    EXPECT_EQ(addresses(blue, "corp.example"), "unknown");
    EXPECT_EQ(addresses(blue, "web1"), "unknown");
}

TEST_F(NetworkNamesTest, KnowTheNetworksOfTheirRouterAndATrunksPlaceInEach) {
    EXPECT_EQ(addresses(blue, "db.red.internal"), "red.internal 10.0.2.20");
    EXPECT_EQ(addresses(blue, "web1.red.internal"), "red.internal 10.0.3.10");
    EXPECT_EQ(addresses(twin, "db.red.internal"), "unknown");
}

TEST_F(NetworkNamesTest, AreTheirOwnWhereAnotherRouterHasTheSame) {
    EXPECT_EQ(addresses(twin, "web1.corp.example"), "corp.example 10.0.1.10");
    EXPECT_EQ(addresses(twin, "other.corp.example"), "corp.example 10.0.1.11");
    EXPECT_EQ(addresses(blue, "other.corp.example"), "unknown");
    EXPECT_FALSE(blue.name_of(ip("10.0.1.11")));
}

TEST_F(NetworkNamesTest, KnowNothingOfANetworkThatDoesNotServe) {
    EXPECT_EQ(addresses(blue, "silent.mute.internal"), "unknown");
    EXPECT_FALSE(blue.name_of(ip("10.0.9.9")));
}

// Else who asks for "one" first holds "db.one" for absent too (RFC 8020).
TEST_F(NetworkNamesTest, KnowWhatIsBetweenAPortAndItsDomain) {
    EXPECT_TRUE(blue.is_above("one.red.internal"));
    EXPECT_FALSE(blue.is_above("db.red.internal"));
    EXPECT_FALSE(blue.is_above("red.internal"));
    EXPECT_EQ(addresses(blue, "db.one.red.internal"), "red.internal 10.0.2.21");
}

TEST_F(NetworkNamesTest, FindTheWayBack) {
    EXPECT_EQ(blue.name_of(ip("10.0.1.10")), "web1.corp.example");
    EXPECT_EQ(blue.name_of(ip("fd00:1::10")), "web1.corp.example");
    EXPECT_EQ(blue.name_of(ip("10.0.3.10")), "web1.red.internal");
    EXPECT_FALSE(blue.name_of(ip("10.0.1.1")));
}

TEST_F(NetworkNamesTest, TellZonesForwardAndReverse) {
    EXPECT_EQ(blue.zone_of("x.y.corp.example"), "corp.example");
    EXPECT_EQ(blue.zone_of("corp.example"), "corp.example");
    EXPECT_EQ(blue.zone_of("notcorp.example"), "");
    EXPECT_EQ(blue.zone_of("10.1.0.10.in-addr.arpa"), "1.0.10.in-addr.arpa");
    EXPECT_EQ(blue.zone_of("7.3.0.10.in-addr.arpa"), "0.10.in-addr.arpa") << "of 10.0.2.0/23";
    EXPECT_EQ(blue.zone_of("a.0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa"), "0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa");
    EXPECT_TRUE(blue.is_private("red.internal"));
    EXPECT_FALSE(blue.is_private("corp.example"));
}

} // namespace
} // namespace weft::controller
