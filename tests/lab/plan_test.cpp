#include "lab/plan.hpp"

#include "lab/clients.hpp"
#include "lab/converge.hpp"
#include "lab/record.hpp"
#include "lab/setup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::lab {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

//   kvm1 ── underlay ── kvm2        web1 (turn 1), web2 (turn 2), db1 (lab_host kvm1), trunk1 (turn 3)
//     └─ eth1 ── physnet1 ── internet (VLAN 100)
constexpr const char* kSmall = R"(
[[host]]
name = "kvm1"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm2"
vtep = "192.0.2.40"

[[network]]
name = "private1"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "office"
kind = "vlan"
vlan = 100
physnet = "physnet1"
mtu = 9000
subnet = "10.0.2.0/24"
[[router]]
name = "main"
networks = ["private1"]

[[port]]
name = "web1"
network = "private1"
mac = "52:54:00:00:01:10"
ip = "10.0.1.10"
[[port]]
name = "web2"
network = "private1"
[[port]]
name = "db1"
network = "private1"
lab_host = "kvm1"
[[port]]
name = "vm1"
network = "private1"
vm = "vm1"
[[port]]
name = "trunk1"
network = "private1"
mac = "52:54:00:00:01:20"
ip = "10.0.1.20"
trunk = [ { network = "office", vlan = 100, ip = "10.0.2.20" } ]

[[lab.endpoint]]
name = "internet"
physnet = "physnet1"
vlan = 100
addresses = ["10.0.2.250/24", "198.51.100.7/32"]
gateway = "10.0.2.1"
)";

enum class Weftd { with, without };

Planned plan_text(const std::string& text, const Placement& moved = {}, Weftd weftd = Weftd::with) {
    const auto parsed = topology::parse({{"lab.toml", text}});
    for (const auto& problem : parsed.problems)
        ADD_FAILURE() << topology::render(problem, {{"lab.toml", text}});
    return make_plan(parsed.topology, topology::allocate(parsed.topology, {}, {}).allocations, "t", moved,
                     weftd == Weftd::with);
}

LabPlan small(const Placement& moved = {}, Weftd weftd = Weftd::with) {
    auto planned = plan_text(kSmall, moved, weftd);
    for (const auto& problem : planned.problems)
        ADD_FAILURE() << problem.text;
    return planned.plan;
}

std::string host_of(const LabPlan& plan, const std::string& port) {
    return plan.endpoint(port)->host;
}

TEST(Plan, namespaces_are_named_after_the_lab_and_the_object) {
    EXPECT_THAT(small().namespaces(),
                ElementsAre("weft-t-underlay", "weft-t-control", "weft-t-switch", "weft-t-kvm1", "weft-t-kvm2",
                            "weft-t-web1", "weft-t-web2", "weft-t-db1", "weft-t-trunk1", "weft-t-internet"));
}

TEST(Plan, a_host_keeps_its_vtep_and_the_others_get_free_ones_in_one_subnet) {
    const LabPlan plan = small();
    EXPECT_EQ(plan.host("kvm1")->vtep.to_string(), "192.0.2.11/24");
    EXPECT_EQ(plan.host("kvm2")->vtep.to_string(), "192.0.2.40/24");
    EXPECT_EQ(plan.host("kvm1")->control.to_string(), "100.64.0.11");
    EXPECT_EQ(plan.host("kvm2")->control.to_string(), "100.64.0.12");
}

TEST(Plan, vteps_far_apart_become_neighbours) {
    EXPECT_EQ(covering({*Ip::parse("192.0.2.11"), *Ip::parse("192.0.3.11")}, 24).to_string(), "192.0.2.0/23");
    EXPECT_EQ(covering({*Ip::parse("10.0.0.0")}, 24).to_string(), "8.0.0.0/6");
    EXPECT_EQ(covering({*Ip::parse("fd00::1"), *Ip::parse("fd00:0:0:1::1")}, 64).length, 63);
}

TEST(Plan, ports_take_turns_in_file_order_and_lab_host_takes_none) {
    const LabPlan plan = small();
    EXPECT_EQ(host_of(plan, "web1"), "kvm1");
    EXPECT_EQ(host_of(plan, "web2"), "kvm2");
    EXPECT_EQ(host_of(plan, "db1"), "kvm1");
    EXPECT_EQ(host_of(plan, "trunk1"), "kvm1");
    EXPECT_EQ(plan.endpoint("vm1"), nullptr);
}

TEST(Plan, a_moved_port_keeps_its_turn) {
    const LabPlan plan = small({{"web1", "kvm2"}});
    EXPECT_EQ(host_of(plan, "web1"), "kvm2");
    EXPECT_EQ(host_of(plan, "web2"), "kvm2");
    EXPECT_EQ(host_of(plan, "trunk1"), "kvm1");
    EXPECT_EQ(plan.endpoint("web1")->plug().far.name, small().endpoint("web1")->plug().far.name);
}

TEST(Plan, a_port_has_its_mac_mtu_addresses_and_the_route_of_its_router) {
    const LabPlan plan = small();
    const Nic& nic = plan.endpoint("web1")->nics.at(0);
    EXPECT_EQ(nic.link.near.mac->to_string(), "52:54:00:00:01:10");
    EXPECT_EQ(nic.link.near.name, "eth0");
    EXPECT_EQ(nic.link.far.name, "v1-web1");
    EXPECT_EQ(nic.link.far.netns, "weft-t-kvm1");
    EXPECT_EQ(nic.link.mtu, 1450);
    ASSERT_EQ(nic.addresses.size(), 2U);
    EXPECT_EQ(nic.addresses[0].to_string(), "10.0.1.10/24");
    EXPECT_EQ(nic.addresses[1].to_string(), "fd00:1::5054:ff:fe00:110/64");
    ASSERT_EQ(nic.routes.size(), 2U);
    EXPECT_EQ(nic.routes[0].via.to_string(), "10.0.1.1");
}

TEST(Plan, without_a_router_an_overlay_network_has_no_default_route) {
    std::string text = kSmall;
    text.replace(text.find("[[router]]"),
                 std::string("[[router]]\nname = \"main\"\nnetworks = [\"private1\"]\n").size(), "");
    const auto planned = plan_text(text);
    EXPECT_TRUE(planned.plan.endpoint("web1")->nics.at(0).routes.empty());
    EXPECT_EQ(planned.plan.endpoint("trunk1")->nics.at(1).routes.size(), 1U) << "a vlan network has its gateway";
}

TEST(Plan, a_trunk_goes_through_the_splitter) {
    const LabPlan plan = small();
    const EndpointPlan& trunk = *plan.endpoint("trunk1");
    ASSERT_EQ(trunk.nics.size(), 2U);
    EXPECT_EQ(trunk.nics[0].link.far.netns, plan.switch_netns);
    EXPECT_EQ(trunk.nics[1].link.near.name, "eth0.100");
    EXPECT_EQ(trunk.nics[1].link.near.mac, trunk.nics[0].link.near.mac);
    EXPECT_EQ(trunk.nics[1].link.mtu, 9000);
    EXPECT_EQ(trunk.plug().near.netns, plan.switch_netns);
    EXPECT_EQ(trunk.plug().far.netns, "weft-t-kvm1");
    EXPECT_EQ(trunk.plug().mtu, 9000) << "the largest of its networks";
    EXPECT_EQ(splitter_flows(plan),
              "priority=1,in_port=1 actions=output:2\n"
              "priority=1,in_port=2 actions=output:1\n"
              "priority=2,in_port=1,dl_vlan=100 actions=pop_vlan,output:3\n"
              "priority=1,in_port=3 actions=push_vlan:0x8100,set_field:4196->vlan_vid,output:1\n");
}

TEST(Plan, uplinks_and_lab_endpoints_meet_on_their_physnets_switch) {
    const LabPlan plan = small();
    const PhysnetPlan& physnet = plan.physnets.at("physnet1");
    EXPECT_EQ(physnet.bridge, "s1-physnet1");
    ASSERT_EQ(physnet.ports.size(), 2U) << "kvm2 has no uplinks";
    EXPECT_EQ(physnet.ports.at("u1.1-kvm1"), std::nullopt);
    EXPECT_EQ(physnet.ports.at("e1-internet"), 100);
    EXPECT_EQ(plan.host("kvm1")->uplinks.at("physnet1").near.name, "eth1");
    EXPECT_EQ(plan.host("kvm1")->uplinks.at("physnet1").mtu, 9000);
    EXPECT_TRUE(plan.endpoint("internet")->nics.at(0).link.near.mac.has_value());
}

TEST(Plan, names_are_unique_and_fit_an_interface) {
    EXPECT_EQ(device_name("v", 12, "a-very-long-port-name"), "v12-a-very-long");
    EXPECT_NE(device_name("v", 1, "a-very-long-port-name"), device_name("v", 2, "a-very-long-port-name"));
}

TEST(Plan, one_name_for_two_things_is_told_with_both_places) {
    const auto planned = plan_text("[[host]]\nname = \"a\"\n[[network]]\nname = \"n\"\nkind = \"local\"\n"
                                   "[[port]]\nname = \"a\"\nnetwork = \"n\"\n");
    ASSERT_EQ(planned.problems.size(), 1U);
    EXPECT_THAT(planned.problems[0].text, HasSubstr("'a' is used twice"));
    EXPECT_NE(planned.problems[0].other.line, 0U);
}

TEST(Plan, the_labs_own_names_are_refused) {
    const auto planned = plan_text("[[host]]\nname = \"underlay\"\n");
    ASSERT_EQ(planned.problems.size(), 1U);
    EXPECT_THAT(planned.problems[0].text, HasSubstr("keeps the name 'underlay'"));
}

TEST(Plan, an_unknown_lab_host_is_told) {
    const auto planned = plan_text("[[host]]\nname = \"h\"\n[[network]]\nname = \"n\"\nkind = \"local\"\n"
                                   "[[port]]\nname = \"p\"\nnetwork = \"n\"\nlab_host = \"elsewhere\"\n");
    ASSERT_EQ(planned.problems.size(), 1U);
    EXPECT_THAT(planned.problems[0].text, HasSubstr("unknown host 'elsewhere'"));
}

TEST(Plan, a_topology_without_physical_networks_and_trunks_has_no_switch) {
    const auto planned = plan_text("[[host]]\nname = \"h\"\n");
    EXPECT_FALSE(planned.plan.has_switch());
    EXPECT_THAT(planned.plan.namespaces(), Not(testing::Contains("weft-t-switch")));
}

TEST(Plan, addresses_come_from_the_network_if_it_serves) {
    const LabPlan plan = small();
    const auto sources = [](const Nic& nic) { return std::pair(nic.source4, nic.source6); };
    const EndpointPlan& trunk = *plan.endpoint("trunk1");
    EXPECT_EQ(sources(plan.endpoint("web1")->nics.at(0)), std::pair(Source::dhcp, Source::slaac));
    EXPECT_EQ(sources(trunk.nics.at(0)), std::pair(Source::dhcp, Source::slaac));
    EXPECT_EQ(sources(trunk.nics.at(1)), std::pair(Source::fixed, Source::fixed))
        << "a vlan network needs a dhcp table";
    EXPECT_EQ(sources(plan.endpoint("internet")->nics.at(0)), std::pair(Source::fixed, Source::fixed));
    const LabPlan alone = small({}, Weftd::without);
    EXPECT_EQ(sources(alone.endpoint("web1")->nics.at(0)), std::pair(Source::fixed, Source::fixed));
    EXPECT_EQ(alone.endpoint("web1")->nics.at(0).addresses, plan.endpoint("web1")->nics.at(0).addresses);
}

TEST(Plan, an_address_that_is_not_of_the_mac_is_told_by_dhcpv6) {
    const std::string text = R"(
[[host]]
name = "h"
[[network]]
name = "n"
kind = "local"
subnet6 = "fd00:1::/64"
[[port]]
name = "given"
network = "n"
ip6 = "fd00:1::9"
[[port]]
name = "made"
network = "n"
mac = "52:54:00:00:01:10"
[[network]]
name = "small"
kind = "local"
subnet6 = "fd00:2::/120"
[[port]]
name = "short"
network = "small"
ip6 = "fd00:2::9"
[[network]]
name = "off"
kind = "local"
subnet6 = "fd00:3::/64"
dhcp = false
[[port]]
name = "silent"
network = "off"
[[port]]
name = "tagged"
network = "n"
native = false
trunk = [ { network = "small", vlan = 7, ip6 = "fd00:2::7" } ]
)";
    const LabPlan plan = plan_text(text).plan;
    const auto source6 = [&](const char* port, std::size_t nic = 0) {
        return plan.endpoint(port)->nics.at(nic).source6;
    };
    EXPECT_EQ(source6("given"), Source::dhcp);
    EXPECT_EQ(source6("made"), Source::slaac);
    EXPECT_EQ(source6("short"), Source::dhcp);
    EXPECT_EQ(source6("silent"), Source::fixed);
    EXPECT_EQ(source6("tagged"), Source::fixed) << "it has no addresses";
    EXPECT_EQ(source6("tagged", 1), Source::dhcp);
    EXPECT_THAT(client_programs(plan), ElementsAre(std::pair("dhclient", "isc-dhcp-client")));
}

TEST(Clients, are_one_for_each_interface_that_leases) {
    std::string text = kSmall;
    text.replace(text.find("mtu = 9000"), 10, "dhcp = {}");
    const LabPlan plan = plan_text(text).plan;
    std::vector<std::string> of;
    const auto all = clients(plan);
    for (const auto& client : all)
        of.push_back(client.endpoint + " " + client.command.argv.at(3));
    EXPECT_THAT(of, ElementsAre("web1 eth0", "web2 eth0", "db1 eth0", "trunk1 eth0", "trunk1 eth0.100"));
    const Command& last = all.back().command;
    EXPECT_EQ(last.netns, "weft-t-trunk1");
    EXPECT_THAT(last.argv, testing::IsSupersetOf({"udhcpc", "-f", "/run/weft-lab/t/lease"}));
    EXPECT_EQ(last.environment.at("directory"), "/run/weft-lab/t/endpoints/trunk1");
    EXPECT_EQ(last.environment.at("metric"), "10100");
    EXPECT_THAT(client_programs(plan), ElementsAre(std::pair("udhcpc", "udhcpc")));
    EXPECT_TRUE(clients(small({}, Weftd::without)).empty());
}

TEST(Setup, what_is_leased_is_not_set) {
    const auto setups = namespace_setups(small());
    const NamespaceSetup& web1 = setups.at("weft-t-web1");
    EXPECT_EQ(web1.ip, "link set lo up\nlink set eth0 up\n");
    EXPECT_THAT(web1.device_sysctls, testing::Contains(std::pair<std::string, std::string>(
                                         "ipv6/conf/eth0/router_solicitation_interval", "1")));
    EXPECT_THAT(setups.at("weft-t-trunk1").ip, HasSubstr("address add 10.0.2.20/24 dev eth0.100\n"));

    std::string text = kSmall;
    text.replace(text.find("mtu = 9000"), 10, "dhcp = {}");
    const auto leased = namespace_setups(plan_text(text).plan);
    EXPECT_EQ(leased.at("weft-t-trunk1").ip,
              "link set lo up\nlink set eth0 up\nlink set eth0.100 up\nrule add from 10.0.2.20 lookup 10100\n")
        << "the lease fills the table";
}

TEST(Setup, an_endpoint_comes_up_as_planned) {
    const auto setups = namespace_setups(small({}, Weftd::without));
    EXPECT_TRUE(setups.at("weft-t-web1").device_sysctls.empty());
    EXPECT_EQ(setups.at("weft-t-web1").ip, "link set lo up\n"
                                           "link set eth0 up\n"
                                           "address add 10.0.1.10/24 dev eth0\n"
                                           "address add fd00:1::5054:ff:fe00:110/64 dev eth0 nodad\n"
                                           "route add default via 10.0.1.1 dev eth0\n"
                                           "route add default via fd00:1::1 dev eth0\n");
    EXPECT_THAT(setups.at("weft-t-trunk1").ip, HasSubstr("route add default via 10.0.2.1 dev eth0.100 metric 10100\n"
                                                         "route add 10.0.2.0/24 dev eth0.100 table 10100\n"
                                                         "rule add from 10.0.2.20 lookup 10100\n"
                                                         "route add default via 10.0.2.1 dev eth0.100 table 10100\n"));
}

TEST(Setup, links_are_made_between_namespaces) {
    EXPECT_THAT(link_batch(small()),
                HasSubstr("link add name eth0 netns weft-t-web1 address 52:54:00:00:01:10 mtu 1450 type veth peer name "
                          "v1-web1 netns weft-t-kvm1 mtu 1450\n"));
}

TEST(Setup, weftd_is_told_what_the_topology_leaves_open) {
    EXPECT_EQ(weftd_settings(small(), "/run/weft-lab/t"), R"(openflow = "tcp:100.64.0.1:6653"
api = ["unix:/run/weft-lab/t/api.sock", "http:127.0.0.1:8080"]
state_dir = "/run/weft-lab/t/state"
advertise = "100.64.0.1"

[host."kvm1"]
ovsdb = "tcp:100.64.0.11:6640"
vtep = "192.0.2.11"
datapath = "netdev"
libvirt = ""

[host."kvm2"]
ovsdb = "tcp:100.64.0.12:6640"
vtep = "192.0.2.40"
datapath = "netdev"
libvirt = ""
)");
}

TEST(Setup, ports_are_plugged_in_with_their_names) {
    const LabPlan plan = small();
    EXPECT_THAT(plug_rows(plan, *plan.host("kvm2"), false),
                ElementsAre("--", "wait-until", "bridge", "br-int", "--", "add-port", "br-int", "v2-web2", "--", "set",
                            "interface", "v2-web2", "external_ids:iface-id=web2"));
}

TEST(Converge, a_port_counts_when_it_is_up_on_its_own_host) {
    const LabPlan plan = small();
    const auto missing = ports_missing(plan, R"([{"name":"web1","host":"kvm1","state":"up"},
        {"name":"web2","host":"kvm1","state":"up"}, {"name":"db1","host":"kvm1","state":"down"},
        {"name":"trunk1","host":null,"state":"unbound"}])");
    ASSERT_TRUE(missing) << missing.error().text;
    EXPECT_THAT(*missing, ElementsAre("web2", "db1", "trunk1"));
    EXPECT_FALSE(ports_missing(plan, "<html>").has_value());
}

TEST(Converge, an_endpoint_counts_when_it_has_its_addresses_and_routes) {
    const EndpointPlan web1 = *small().endpoint("web1");
    EXPECT_THAT(not_leased(web1, {}), ElementsAre("eth0 10.0.1.10", "eth0 fd00:1::5054:ff:fe00:110"));
    Held held = parse_routes("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
                             "eth0\t0001000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
                             "fd000001000000000000000000000000 40 00000000000000000000000000000000 00 "
                             "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
                             "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                             "fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0\n");
    EXPECT_THAT(held.routes,
                ElementsAre(std::pair("eth0", *Prefix::parse("10.0.1.0/24")), std::pair("eth0", *Prefix::parse("::/0")),
                            std::pair("eth0", *Prefix::parse("fd00:1::/64"))));
    for (const auto& address : web1.nics.at(0).addresses)
        held.addresses.emplace("eth0", address.address);
    EXPECT_THAT(not_leased(web1, held), ElementsAre("eth0 route 0.0.0.0/0"));
    held.routes.emplace("eth0", *Prefix::parse("0.0.0.0/0"));
    EXPECT_TRUE(not_leased(web1, held).empty());
    EXPECT_TRUE(not_leased(*small({}, Weftd::without).endpoint("web1"), {}).empty());
}

TEST(Record, is_read_back_as_it_was_written) {
    const Record record{.name = "t",
                        .topology = "/x/demo.toml",
                        .controller = false,
                        .complete = true,
                        .placement = {{"web1", "kvm2"}},
                        .namespaces = {"weft-t-kvm1"},
                        .processes = {{"weftd", {42, 4711}}},
                        .sources = {{"demo.toml", "[[host]]\nname = \"ü\"\n"}}};
    EXPECT_EQ(decode_record(encode(record)), record);
    EXPECT_FALSE(decode_record("{}").has_value());
    EXPECT_FALSE(decode_record("[").has_value());
}

TEST(Record, lab_names_stay_inside_their_directory) {
    EXPECT_TRUE(check_lab_name("demo-2.x_y").has_value());
    for (const char* name : {"", "..", "a/b", "-a", "ü"})
        EXPECT_FALSE(check_lab_name(name).has_value()) << name;
}

} // namespace
} // namespace weft::lab
