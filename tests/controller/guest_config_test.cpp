#include "controller/guest_config.hpp"

#include "tests/fabric/fixture.hpp"

namespace weft::controller {
namespace {

const std::string kHost = "[[host]]\nname = \"h\"\n";

std::string network(const std::string& name, const std::string& more) {
    return "[[network]]\nname = \"" + name + "\"\n" + more + "\n";
}
std::string port(const std::string& name, const std::string& in, const std::string& more = {}) {
    return "[[port]]\nname = \"" + name + "\"\nnetwork = \"" + in + "\"\n" + more + "\n";
}
std::string router(const std::string& in, const std::string& more = {}) {
    return "[[router]]\nname = \"r\"\nnetworks = [\"" + in + "\"]\n" + more + "\n";
}
const std::string kBlue = "kind = \"vxlan\"\nsubnet = \"10.0.1.0/24\"\nsubnet6 = \"fd00:1::/64\"\n";

Ip ip(std::string_view text) {
    return *Ip::parse(text);
}

/// Of port `p` in network `n`, once it is plugged in.
std::optional<GuestConfig> of_port(const std::string& toml, const std::string& p = "p", const std::string& n = "n") {
    fabric::Fixture fixture(kHost + toml);
    fixture.bind(p, "h", 5);
    const auto world = fixture.world();
    const auto& view = *world->networks.at(n);
    return guest_config(*world, view, *view.bound.at(p));
}

TEST(GuestConfig, IsOfTheRouterWhereOneListsTheNetwork) {
    const auto guest = of_port(network("n", kBlue) + port("p", "n", "ip = \"10.0.1.9\"") + router("n"));
    ASSERT_TRUE(guest);
    EXPECT_EQ(guest->ip, ip("10.0.1.9"));
    EXPECT_EQ(guest->server, ip("10.0.1.1"));
    EXPECT_EQ(guest->router, ip("10.0.1.1"));
    EXPECT_EQ(guest->server_mac, fabric::router_mac("r"));
    EXPECT_EQ(guest->dns, (std::vector{ip("10.0.1.1"), ip("fd00:1::1")}));
    EXPECT_EQ(guest->mtu, 1450);
    EXPECT_EQ(guest->lease, std::chrono::hours(12));
    EXPECT_TRUE(guest->router6);
    EXPECT_FALSE(guest->managed6);
    EXPECT_EQ(guest->domain, "n.internal");
    EXPECT_EQ(guest->host_name, "p");
}

TEST(GuestConfig, SaysWhatIsWritten) {
    const auto guest =
        of_port(network("n", kBlue + "dhcp = { lease = \"5m\", dns = [\"9.9.9.9\"], domain = \"Corp.example\", "
                                     "ntp = [\"192.0.2.1\"] }") +
                port("p", "n") + router("n"));
    ASSERT_TRUE(guest);
    EXPECT_EQ(guest->dns, std::vector{ip("9.9.9.9")});
    EXPECT_EQ(guest->ntp, std::vector{ip("192.0.2.1")});
    EXPECT_EQ(guest->domain, "corp.example");
    EXPECT_EQ(guest->lease, std::chrono::minutes(5));
}

TEST(GuestConfig, TellsNoRouterOnAnOverlayThatNobodyRoutes) {
    const auto alone = of_port(network("n", kBlue) + port("p", "n"));
    ASSERT_TRUE(alone);
    EXPECT_FALSE(alone->router);
    EXPECT_FALSE(alone->router6);
    EXPECT_EQ(alone->server_mac, fabric::service_mac("n"));
    ASSERT_EQ(alone->dns.size(), 2U);
    EXPECT_EQ(alone->dns[0], alone->server);
    EXPECT_EQ(alone->dns[1], Ip::link_local(alone->server_mac));
    // A VM may be the router there, if the admin says so.
    EXPECT_EQ(of_port(network("n", kBlue + "gateway = \"10.0.1.7\"") + port("p", "n"))->router, ip("10.0.1.7"));
}

TEST(GuestConfig, TellsTheGatewayOfAWire) {
    const std::string flat = "kind = \"flat\"\nphysnet = \"x\"\nsubnet = \"203.0.113.0/24\"\n";
    EXPECT_FALSE(of_port(network("n", flat) + port("p", "n"))) << "does not serve";
    const auto served = of_port(network("n", flat + "dhcp = { dns = [\"203.0.113.53\"] }") + port("p", "n"));
    ASSERT_TRUE(served);
    EXPECT_EQ(served->router, ip("203.0.113.1"));
    EXPECT_EQ(served->server, ip("203.0.113.1")) << "for want of an address of its own";
}

TEST(GuestConfig, TellsRoutesWhoseNextHopIsInTheNetwork) {
    const auto guest =
        of_port(network("n", kBlue) + network("m", "kind = \"vxlan\"\nsubnet = \"10.0.2.0/24\"") + port("p", "n") +
                "[[router]]\nname = \"r\"\nnetworks = [\"n\", \"m\"]\nroutes = [ "
                "{ prefix = \"192.168.1.0/24\", via = \"10.0.1.254\" }, "
                "{ prefix = \"192.168.2.0/24\", via = \"10.0.2.254\" } ]\n");
    ASSERT_TRUE(guest);
    EXPECT_EQ(guest->routes, std::vector{(GuestRoute{*Prefix::parse("192.168.1.0/24"), ip("10.0.1.254")})});
}

TEST(GuestConfig, GivesIp6ByDhcpv6WhereItIsWrittenOrNoSlaac) {
    EXPECT_TRUE(of_port(network("n", kBlue) + port("p", "n", "ip6 = \"fd00:1::9\""))->managed6);
    const auto narrow = network("n", "kind = \"vxlan\"\nsubnet6 = \"fd00:1::/112\"\n");
    EXPECT_TRUE(of_port(narrow + port("p", "n"))->managed6);
    EXPECT_FALSE(of_port(narrow + port("p", "n"))->ip);
    // As SLAAC would, but written.
    const auto written = of_port(network("n", kBlue) + port("p", "n",
                                                            "mac = \"52:54:00:00:00:01\"\n"
                                                            "ip6 = \"fd00:1::5054:ff:fe00:1\""));
    EXPECT_TRUE(written->managed6);
}

TEST(GuestConfig, CallsAGuestAsItsPortWhereThatIsAHostName) {
    EXPECT_EQ(of_port(network("n", kBlue) + port("a.b", "n"), "a.b")->host_name, "");
    EXPECT_EQ(of_port(network("n", kBlue) + port("Web-1", "n"), "Web-1")->host_name, "Web-1");
    EXPECT_EQ(of_port(network("n", kBlue) + port("web_1", "n"), "web_1")->host_name, "");
}

TEST(GuestConfig, IsOfEveryNetworkOfATrunk) {
    const auto toml = network("n", kBlue) + network("m", "kind = \"vxlan\"\nsubnet = \"10.0.2.0/24\"") +
                      port("p", "n", "trunk = [ { network = \"m\", vlan = 7, ip = \"10.0.2.9\" } ]");
    EXPECT_EQ(of_port(toml, "p", "m")->ip, ip("10.0.2.9"));
    EXPECT_TRUE(of_port(toml, "p", "n")->ip);
}

} // namespace
} // namespace weft::controller
