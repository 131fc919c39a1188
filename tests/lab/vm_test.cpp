#include "lab/agent_protocol.hpp"
#include "lab/domain.hpp"
#include "lab/libvirtd.hpp"
#include "lab/setup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::lab {
namespace {

namespace json = boost::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// web1's port names no MAC, web2's does; web3 has a MAC of its own and no port.
constexpr const char* kTopology = R"(
[[host]]
name = "kvm1"
[[host]]
name = "kvm2"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[network]]
name = "wire"
kind = "vxlan"
[[port]]
name = "p1"
network = "blue"
vm = "web1"
ip = "10.0.1.11"
[[port]]
name = "p2"
network = "blue"
vm = "web2"
mac = "52:54:00:00:00:02"
ip = "10.0.1.12"
[[lab.vm]]
name = "web1"
host = "kvm1"
network = "blue"
portgroup = "web"
[[lab.vm]]
name = "web2"
host = "kvm2"
network = "blue"
[[lab.vm]]
name = "web3"
host = "kvm2"
network = "wire"
mac = "52:54:00:00:00:03"
memory = "256MiB"
)";

Planned planned(const std::string& text, const Placement& moved = {}, bool controller = true) {
    const auto parsed = topology::parse({{"lab.toml", text}});
    for (const auto& problem : parsed.problems)
        ADD_FAILURE() << topology::render(problem, {{"lab.toml", text}});
    return make_plan(parsed.topology, topology::allocate(parsed.topology, {}, {}).allocations, "t", moved, controller);
}

LabPlan plan(const Placement& moved = {}, bool controller = true) {
    return planned(kTopology, moved, controller).plan;
}

TEST(VmPlan, has_its_ports_mac_and_addresses) {
    EXPECT_EQ(plan().vm("web2")->mac.to_string(), "52:54:00:00:00:02");
    EXPECT_THAT(plan().vm("web1")->addresses, ElementsAre(*Ip::parse("10.0.1.11")));
    EXPECT_EQ(plan().vm("web3")->mac.to_string(), "52:54:00:00:00:03");
    EXPECT_THAT(plan().vm("web3")->addresses, IsEmpty());
    EXPECT_THAT(plan().namespaces(), Not(testing::Contains("weft-t-web1")));
}

TEST(VmPlan, leases_where_its_network_serves_addresses) {
    EXPECT_TRUE(plan().vm("web1")->leases);
    EXPECT_FALSE(plan().vm("web3")->leases);
    EXPECT_FALSE(plan({}, false).vm("web1")->leases);
}

TEST(VmPlan, is_where_it_was_moved_to) {
    EXPECT_EQ(plan().vm("web1")->host, "kvm1");
    EXPECT_EQ(plan({{"web1", "kvm2"}}).vm("web1")->host, "kvm2");
}

TEST(VmPlan, its_name_is_nobody_elses) {
    const auto twice = planned(std::string(kTopology) + "[[port]]\nname = \"web3\"\nnetwork = \"blue\"\n");
    ASSERT_EQ(twice.problems.size(), 1U);
    EXPECT_THAT(twice.problems[0].text, HasSubstr("'web3' is used twice"));
}

TEST(Domain, is_as_its_vm) {
    const std::string xml = domain_xml(*plan().vm("web1"), {"/a&b/vmlinuz", "/a&b/initrd.gz"});
    EXPECT_THAT(xml, HasSubstr("<name>web1</name>"));
    EXPECT_THAT(xml, HasSubstr("<memory unit='b'>134217728</memory>"));
    EXPECT_THAT(xml, HasSubstr("<kernel>/a&amp;b/vmlinuz</kernel>"));
    EXPECT_THAT(xml, HasSubstr("weft.name=web1"));
    EXPECT_THAT(xml, HasSubstr("<source network='blue' portgroup='web'/>"));
    const std::string other = domain_xml(*plan().vm("web3"), {});
    EXPECT_THAT(other, HasSubstr("<mac address='52:54:00:00:00:03'/>"));
    EXPECT_THAT(other, HasSubstr("<memory unit='b'>268435456</memory>"));
    EXPECT_THAT(other, HasSubstr("<source network='wire'/>"));
}

TEST(Domain, without_weftd_its_network_has_its_portgroups) {
    const std::string xml = network_xml(plan(), "blue", "br-int");
    EXPECT_THAT(xml, HasSubstr("<bridge name='br-int'/>"));
    EXPECT_THAT(xml, HasSubstr("<portgroup name='web'/>"));
    EXPECT_THAT(network_xml(plan(), "wire", "br-int"), Not(HasSubstr("portgroup")));
}

TEST(Libvirtd, is_every_hosts_and_in_weftds_settings) {
    std::map<std::string, std::string> uris;
    for (const auto& libvirtd : every_libvirtd(plan()))
        uris[libvirtd.host] = libvirtd.uri();
    EXPECT_EQ(uris.size(), 2U);
    EXPECT_THAT(
        weftd_settings(plan(), "/d", uris),
        HasSubstr("libvirt = \"qemu+unix:///system?socket=/run/weft-lab/t/hosts/kvm1/run/libvirt/libvirt-sock\""));
    LabPlan without = plan();
    without.vms.clear();
    EXPECT_THAT(every_libvirtd(without), IsEmpty());
}

TEST(Agent, base64_is_rfc_4648s) {
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(encode_base64(bytes), text);
        EXPECT_EQ(decode_base64(text), bytes);
    }
    EXPECT_EQ(decode_base64("Zm9*"), std::nullopt);
}

TEST(Agent, an_old_answer_is_not_taken_for_the_syncs) {
    EXPECT_EQ(agent_sync(7), "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":7}}\n");
    EXPECT_TRUE(answers_sync("\xff{\"return\": 7}", 7));
    EXPECT_TRUE(answers_sync("{\"return\": 3}\xff{\"return\": 7}", 7));
    EXPECT_FALSE(answers_sync("\xff{\"return\": 3}", 7));
    EXPECT_FALSE(answers_sync("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}", 7));
}

TEST(Agent, a_command_ends_with_its_status_and_output) {
    EXPECT_EQ(json::serialize(exec_arguments({"cat", "-n"}, "foo")),
              R"({"path":"cat","arg":["-n"],"capture-output":true,"input-data":"Zm9v"})");
    EXPECT_EQ(*executed(json::parse(R"({"exited": false})")), std::nullopt);
    EXPECT_EQ(*executed(json::parse(R"({"exited": true, "exitcode": 7, "out-data": "Zm9v", "err-data": "Zg=="})")),
              (Executed{7, "foo", "f"}));
    EXPECT_EQ(*executed(json::parse(R"({"exited": true, "signal": 9})")), (Executed{137, "", ""}));
    EXPECT_FALSE(executed(json::parse("[]")));
}

TEST(Agent, says_what_is_wrong_in_its_own_words) {
    EXPECT_EQ(agent_answer(R"({"error": {"class": "GenericError", "desc": "no such pid"}})").error().text,
              "no such pid");
    EXPECT_FALSE(agent_answer("garbage"));
}

TEST(Agent, names_addresses) {
    EXPECT_THAT(guest_addresses(json::parse(R"([{"name": "lo", "ip-addresses": [{"ip-address": "127.0.0.1"}]},
        {"name": "eth0", "ip-addresses": [{"ip-address": "10.0.1.11"}, {"ip-address": "fe80::1"}]}, {"name": "eth1"}])")),
                ElementsAre(*Ip::parse("10.0.1.11")));
    EXPECT_THAT(guest_addresses(json::parse("7")), IsEmpty());
}

} // namespace
} // namespace weft::lab
