#include "cli/import_forwards.hpp"
#include "tests/cli/import_texts.hpp"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weft::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Form = ForwardText::Form;

/// "198.51.100.5 tcp 80 > 192.168.122.11:80", an address as a whole without protocol and ports.
std::vector<std::string> words(const Dnats& dnats) {
    std::vector<std::string> result;
    for (const auto& rule : dnats.rules) {
        const auto address = rule.address ? rule.address->to_string() : "*";
        result.push_back(rule.protocol ? fmt::format("{} {} {} > {}:{}", address, rule.protocol->to_string(),
                                                     rule.ports.to_string(), rule.target.to_string(),
                                                     rule.target_ports.to_string())
                                       : fmt::format("{} > {}", address, rule.target.to_string()));
    }
    return result;
}

std::vector<std::string> of_rule(const std::string& rule) {
    const auto dnats = read_iptables_save(rule, "x");
    EXPECT_THAT(dnats.unread, IsEmpty());
    return words(dnats);
}

std::string why_not(const std::string& rule) {
    const auto dnats = read_iptables_save(rule, "x");
    EXPECT_THAT(dnats.rules, IsEmpty());
    return dnats.unread.empty() ? "passed over" : dnats.unread[0];
}

TEST(Iptables, PlainRulesAreForwards) {
    EXPECT_THAT(of_rule("-A PREROUTING -p tcp -m tcp --dport 2201 -j DNAT --to-destination 192.168.122.11:22"),
                ElementsAre("* tcp 2201 > 192.168.122.11:22"));
    EXPECT_THAT(of_rule("[5:300] -A PREROUTING -i eth0 -d 198.51.100.5 -p udp --dport 53 -j DNAT --to 10.0.0.2"),
                ElementsAre("198.51.100.5 udp 53 > 10.0.0.2:53"));
    EXPECT_THAT(
        of_rule("-A P -p tcp -m multiport --dports 80,443,8000:8010 -j DNAT --to-destination 10.0.0.2"),
        ElementsAre("* tcp 80 > 10.0.0.2:80", "* tcp 443 > 10.0.0.2:443", "* tcp 8000-8010 > 10.0.0.2:8000-8010"));
    EXPECT_THAT(of_rule("-A P -p 6 --dport 8000:8009 -j DNAT --to-destination 10.0.0.2:9000-9009 --persistent"),
                ElementsAre("* tcp 8000-8009 > 10.0.0.2:9000-9009"));
    EXPECT_THAT(
        of_rule("-A P ! -i virbr0 -p tcp --dport 1 -m comment --comment \"a -j b\" -j DNAT --to-destination 10.0.0.2"),
        ElementsAre("* tcp 1 > 10.0.0.2:1"));
}

TEST(Iptables, AnAddressAsAWholeIsOne) {
    EXPECT_THAT(of_rule("-A PREROUTING -d 198.51.100.20/32 -j DNAT --to-destination 10.0.0.2"),
                ElementsAre("198.51.100.20 > 10.0.0.2"));
}

TEST(Iptables, OtherRulesArePassedOver) {
    for (const auto* rule : {"", "# -A P -p tcp --dport 1 -j DNAT --to-destination 10.0.0.2", "*nat", "COMMIT",
                             ":PREROUTING ACCEPT [0:0]", "-A POSTROUTING -s 10.0.0.0/24 -j MASQUERADE",
                             "-D PREROUTING -p tcp --dport 1 -j DNAT --to-destination 10.0.0.2",
                             "-A OUTPUT -p tcp --dport 1 -j DNAT --to-destination 10.0.0.2"})
        EXPECT_EQ(why_not(rule), "passed over");
}

TEST(Iptables, WhatIsNotPlainIsNamed) {
    const std::string forward = " -p tcp --dport 1 -j DNAT --to-destination 10.0.0.2";
    EXPECT_THAT(why_not("-A P -s 192.0.2.0/24" + forward), HasSubstr("'-s' narrows it"));
    EXPECT_THAT(why_not("-A P ! -d 192.0.2.1" + forward), HasSubstr("'! -d'"));
    EXPECT_THAT(why_not("-A P -d 192.0.2.0/24" + forward), HasSubstr("not one IPv4 address"));
    EXPECT_THAT(why_not("-A P -p icmp -j DNAT --to-destination 10.0.0.2"), HasSubstr("only tcp, udp and sctp"));
    EXPECT_THAT(why_not("-A P -p tcp -j DNAT --to-destination 10.0.0.2"), HasSubstr("without saying which ports"));
    EXPECT_THAT(why_not("-A P -j DNAT --to-destination 10.0.0.2"), HasSubstr("translates everything"));
    EXPECT_THAT(why_not("-A P -p tcp --dport 1 -j DNAT --to-destination 10.0.0.2-10.0.0.9"), HasSubstr("target"));
    EXPECT_THAT(why_not("-A P -p tcp --dport 1:9 -j DNAT --to-destination 10.0.0.2:80"), HasSubstr("another number"));
    EXPECT_THAT(why_not("-A P -p tcp --dports 1,2 -j DNAT --to-destination 10.0.0.2:80"),
                HasSubstr("several ports to one"));
    EXPECT_THAT(why_not("-A P -p tcp --dport 1 -j DNAT"), HasSubstr("target ''"));
    EXPECT_THAT(why_not("-A P -p tcp --dport -j DNAT --to-destination 10.0.0.2"), testing::StartsWith("passed over"));
}

TEST(HookScript, OfTheWikiIsUnderstood) {
    const auto dnats = read_hook_script(test::kHook, "qemu");
    EXPECT_THAT(words(dnats), ElementsAre("* tcp 2201 > 192.168.122.11:22"));
    EXPECT_THAT(dnats.unread, ElementsAre(HasSubstr("qemu:17: ")));
    EXPECT_EQ(dnats.rules[0].from, "qemu:14");
}

TEST(HookScript, FollowsAssignmentsAndLines) {
    const auto dnats = read_hook_script(
        "export IP=10.0.0.2 PORT='80'\n"
        "sudo iptables -w -t nat -A PREROUTING \\\n  -p tcp --dport ${PORT} -j DNAT --to \"$IP:$PORT\"\n"
        "IP=$(virsh domifaddr x)\n"
        "iptables -t nat -I PREROUTING 1 -p tcp --dport 81 -j DNAT --to $IP:81 && true\n"
        "IP=10.0.0.3; \n"
        "true; iptables -t nat -I PREROUTING -p tcp --dport 82 -j DNAT --to $IP || exit 1 # why\n",
        "x");
    EXPECT_THAT(words(dnats), ElementsAre("* tcp 80 > 10.0.0.2:80", "* tcp 82 > 10.0.0.3:82"));
    EXPECT_THAT(dnats.unread, ElementsAre(HasSubstr("x:5: iptables -t nat -I PREROUTING 1")));
}

TEST(HookJson, IsThatOfLibvirtHookQemu) {
    const auto dnats = read_hook_json(test::kHookJson, "hooks.json");
    EXPECT_THAT(words(dnats),
                ElementsAre("198.51.100.5 tcp 1110 > 192.168.122.11:110", "198.51.100.5 tcp 995 > 192.168.122.11:995",
                            "198.51.100.5 udp 7000-7009 > 192.168.122.11:7000-7009"));
    EXPECT_THAT(dnats.unread, ElementsAre(HasSubstr("'icmp'")));
    EXPECT_EQ(dnats.rules[0].vm, "web1");
    for (const auto* text : {"", "[]", "{", "{\"a\": 1}", R"({"a": {"port_map": {"tcp": 3}, "port_range": [1]}})"})
        EXPECT_THAT(read_hook_json(text, "x").rules, IsEmpty());
    const auto narrowed = R"({"a": {"private_ip": "10.0.0.2", "source_ip": "8.8.8.8", "port_map": {"tcp": [443]}}})";
    EXPECT_THAT(read_hook_json(narrowed, "x").unread, ElementsAre(HasSubstr("'source_ip'")));
    const auto wrong = R"({"a": {"private_ip": "10.0.0.2", "port_map": {"tcp": [[1, 2, 3], 65536, -1, "80"]}}})";
    EXPECT_THAT(read_hook_json(wrong, "x").unread, testing::SizeIs(4));
}

TEST(Nft, IsReadByLines) {
    const auto dnats = read_nft(test::kNft, "nft");
    EXPECT_THAT(words(dnats),
                ElementsAre("* tcp 2201 > 192.168.122.11:22", "198.51.100.5 tcp 80 > 192.168.122.11:80",
                            "198.51.100.5 tcp 443 > 192.168.122.11:443", "* tcp 9000-9005 > 192.168.122.11:9000-9005"));
    EXPECT_THAT(dnats.unread, ElementsAre(HasSubstr("nft:8: dnat to tcp dport map")));
    const auto more = read_nft("meta l4proto tcp fib daddr type local tcp dport 5 dnat to 10.0.0.2\n"
                               "ip saddr 192.0.2.1 tcp dport 5 dnat to 10.0.0.2\n"
                               "ip6 daddr fd00::1 tcp dport 5 dnat ip6 to [fd00::2]:5\n",
                               "x");
    EXPECT_THAT(words(more), ElementsAre("* tcp 5 > 10.0.0.2:5"));
    EXPECT_THAT(more.unread, testing::SizeIs(2));
}

/// Words of all four forms, in any order.
rc::Gen<std::string> soup() {
    static const std::vector<std::string> kWords{"iptables",
                                                 "-A",
                                                 "-I",
                                                 "PREROUTING",
                                                 "-p",
                                                 "tcp",
                                                 "udp",
                                                 "-d",
                                                 "198.51.100.5",
                                                 "--dport",
                                                 "--dports",
                                                 "80,81",
                                                 "1:9",
                                                 "0",
                                                 "65536",
                                                 "-j",
                                                 "DNAT",
                                                 "dnat",
                                                 "to",
                                                 "--to-destination",
                                                 "10.0.0.2:80",
                                                 "10.0.0.2",
                                                 "[fd00::1]:1",
                                                 "!",
                                                 "-s",
                                                 "$X",
                                                 "${X",
                                                 "X=1",
                                                 "export",
                                                 "\"",
                                                 "'",
                                                 "\\",
                                                 "\n",
                                                 "#",
                                                 ";",
                                                 "&&",
                                                 "{",
                                                 "}",
                                                 ",",
                                                 "chain",
                                                 "type",
                                                 "tcp",
                                                 "dport",
                                                 "counter",
                                                 "packets",
                                                 "meta",
                                                 "l4proto",
                                                 "ip",
                                                 "daddr",
                                                 "{\"a\":",
                                                 "\"port_map\":",
                                                 "[1,",
                                                 "]",
                                                 ":",
                                                 "\xff",
                                                 ""};
    return rc::gen::map(
        rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kWords)),
        [](const std::vector<std::string>& chosen) { return fmt::format("{}", fmt::join(chosen, " ")); });
}

RC_GTEST_PROP(ForwardsProperty, AnyTextIsReadAndWhatIsReadIsLegal, ()) {
    const auto text = *rc::gen::oneOf(soup(), rc::gen::string<std::string>());
    for (const auto form : {Form::iptables_save, Form::nft, Form::script, Form::hook_json}) {
        for (const auto& rule : read_forwards({form, "x", text}).rules) {
            RC_ASSERT(rule.target.is_v4());
            RC_ASSERT(!rule.address || rule.address->is_v4());
            RC_ASSERT(!rule.protocol || (rule.ports.first > 0 && rule.ports.first <= rule.ports.last));
            RC_ASSERT(!rule.protocol || rule.ports.count() == rule.target_ports.count());
            RC_ASSERT(rule.protocol || rule.address);
        }
    }
}

} // namespace
} // namespace weft::cli
