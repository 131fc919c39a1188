#include "tests/cli/scripted_daemon.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::cli {
namespace {

namespace json = boost::json;
using test::ScriptedDaemon;
using testing::HasSubstr;

constexpr const char* kUp = R"({"port": "web1-1", "network": "private1", "vm": "web1", "host": "kvm1",
  "mac": "52:54:00:00:01:10", "ips": ["10.0.1.7", "fd00::7"], "interface": "vnet3", "state": "up"})";
constexpr const char* kOff = R"({"port": "web1-1", "network": "private1", "vm": "web1", "host": "kvm1",
  "mac": "52:54:00:00:01:10", "ips": [], "interface": "", "state": "unbound"})";
constexpr const char* kUnbound = R"({"port": "web1-1", "network": "private1", "vm": "web1", "host": "kvm1",
  "mac": "52:54:00:00:01:10", "ips": [], "interface": "vnet3", "state": "unbound"})";

TEST(PlugCommands, AskForWhatWasGivenAndNoMore) {
    ScriptedDaemon daemon;
    for (const auto* target : {"/v1/attach", "/v1/detach", "/v1/migrate"})
        daemon.answer(target, kUp);
    daemon.weftctl({"attach", "web1", "private1"});
    daemon.weftctl(
        {"attach", "--group", "web", "web1", "--port", "web1-nic2", "private1", "--group", "db", "--qos", "gold"});
    daemon.weftctl({"detach", "web1", "private1", "--port", "web1-nic2"});
    daemon.weftctl({"migrate", "web1", "default", "private1"});
    daemon.weftctl({"migrate", "web1", "br0", "office", "--group", "web", "--qos", "gold", "--port", "web1"});
    std::vector<std::pair<std::string, json::value>> asked;
    for (const auto& call : daemon.asked())
        asked.emplace_back(call.method + " " + call.target, json::parse(call.body));
    const std::vector<std::pair<std::string, json::value>> wanted{
        {"POST /v1/attach", json::parse(R"({"vm": "web1", "network": "private1"})")},
        {"POST /v1/attach", json::parse(R"({"vm": "web1", "network": "private1", "port": "web1-nic2",
                                            "security_groups": ["web", "db"], "qos": "gold"})")},
        {"POST /v1/detach", json::parse(R"({"vm": "web1", "network": "private1", "port": "web1-nic2"})")},
        {"POST /v1/migrate", json::parse(R"({"vm": "web1", "from": "default", "to": "private1"})")},
        {"POST /v1/migrate", json::parse(R"({"vm": "web1", "from": "br0", "to": "office", "port": "web1",
                                             "security_groups": ["web"], "qos": "gold"})")}};
    EXPECT_EQ(asked, wanted);
}

TEST(PlugCommands, SayWhatBecameOfTheNic) {
    ScriptedDaemon daemon;
    for (const auto* target : {"/v1/attach", "/v1/detach", "/v1/migrate"})
        daemon.answer(target, kUp);
    auto ran = daemon.weftctl({"attach", "web1", "private1"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.err, "");
    EXPECT_EQ(ran.out, "web1 plugged into private1 on kvm1: port web1-1, 52:54:00:00:01:10, 10.0.1.7, fd00::7\n");
    ran = daemon.weftctl({"detach", "web1", "private1"});
    EXPECT_EQ(ran.out, "web1 unplugged from private1 on kvm1: port web1-1, 52:54:00:00:01:10, 10.0.1.7, fd00::7\n");
    ran = daemon.weftctl({"migrate", "web1", "default", "private1"});
    EXPECT_EQ(ran.out,
              "web1 moved from default to private1 on kvm1: port web1-1, 52:54:00:00:01:10, 10.0.1.7, fd00::7\n"
              "The guest saw its device plugged in anew: with DHCP it asks for its address again.\n");
}

TEST(PlugCommands, SayWhenTheVmIsOffOrItsPortNotUp) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/attach", kOff);
    EXPECT_EQ(daemon.weftctl({"attach", "web1", "private1"}).out,
              "web1 plugged into private1 on kvm1: port web1-1, 52:54:00:00:01:10\n"
              "The VM is off: this is so from its next start on.\n");
    daemon.answer("/v1/migrate", kUnbound);
    EXPECT_THAT(daemon.weftctl({"migrate", "web1", "default", "private1"}).out,
                testing::EndsWith("\nThe port is not up yet: weftctl show port web1-1 says why.\n"));
}

TEST(PlugCommands, GiveTheAnswerAsJson) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/attach", kUp);
    const auto ran = daemon.weftctl({"attach", "web1", "private1", "-o", "json"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(json::parse(ran.out), json::parse(kUp));
}

TEST(PlugCommands, PassOnWhyNot) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/detach", R"({"error": "guest web1 has not let go of its interface: is its system up?"})", 409);
    auto ran = daemon.weftctl({"detach", "web1", "private1", "-o", "json"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err, "weftctl: guest web1 has not let go of its interface: is its system up?\n");
    ran = daemon.weftctl({"migrate", "web1", "default"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("TO is required"));
    EXPECT_EQ(daemon.weftctl({"attach", "web1"}).code, 1);
    EXPECT_EQ(daemon.weftctl({"detach", "web1", "private1", "--group", "web"}).code, 1);
}

} // namespace
} // namespace weft::cli
