#include "tests/cli/scripted_daemon.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::cli {
namespace {

namespace json = boost::json;
using test::ScriptedDaemon;
using testing::HasSubstr;
using testing::Not;

constexpr const char *kDropped = R"json({"verdict": "dropped", "reason": "group_ingress", "by": "security_group/web",
  "at": "kvm2", "source": "demo.toml:41", "packet": "tcp/81 from 10.0.1.11 to 10.0.1.12", "connection": "new",
  "text": "dropped at kvm2 by security_group web: no ingress rule allows tcp/81 from 10.0.1.11 (demo.toml:41)",
                     "assumed" : ["nobody is known to have 10.0.1.12"],
                     "path"
    : [
        {
            "host" : "kvm1",
            "stage" : "classify",
            "table" : 0,
            "object" : "port/app1",
            "source" : "demo.toml:9",
            "action" : "network := blue"
        },
        {"host" : "kvm1", "stage" : "guard", "table" : 1, "object" : "port/app1", "source" : "", "action" : "passes"}, {
            "host" : "kvm2",
            "stage" : "ingress_groups",
            "table" : 12,
            "object" : "port/web1",
            "source" : "demo.toml:41",
            "action" : "drop group_ingress"
        }
    ]
})json";

std::string with_verdict(const std::string& verdict) {
    return "{\"verdict\": \"" + verdict + R"(", "text": "it is so", "path": []})";
}

TEST(TraceCommand, SaysTheVerdictFirstAndThenWhatHappened) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/trace?from=app1&to=web1&proto=tcp&dport=81", kDropped);
    const auto ran = daemon.weftctl({"trace", "--from", "app1", "--to", "web1", "--proto", "tcp", "--dport", "81"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.err, "");
    EXPECT_THAT(ran.out,
                testing::StartsWith("dropped at kvm2 by security_group web: no ingress rule allows tcp/81 from "
                                    "10.0.1.11 (demo.toml:41)\n\n"
                                    "tcp/81 from 10.0.1.11 to 10.0.1.12; the connection is taken for new\n"
                                    "assumed: nobody is known to have 10.0.1.12\n"));
    EXPECT_THAT(ran.out, HasSubstr("kvm2  ingress_groups  port/web1  drop group_ingress  demo.toml:41\n"));
    EXPECT_THAT(ran.out, Not(HasSubstr("passes")));
}

TEST(TraceCommand, ShowsEveryStageOnRequest) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/trace?from=app1&to=web1", kDropped);
    EXPECT_THAT(daemon.weftctl({"trace", "--from", "app1", "--to", "web1", "--full"}).out, HasSubstr("passes"));
}

TEST(TraceCommand, PrintsJsonAsItCame) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/trace?from=app1&to=web1", kDropped);
    const auto ran = daemon.weftctl({"-o", "json", "trace", "--from", "app1", "--to", "web1"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(json::parse(ran.out), json::parse(kDropped));
}

TEST(TraceCommand, OnlyADropIsANo) {
    for (const auto& [verdict, code] : {std::pair{"delivered", 0}, std::pair{"punted", 0}, std::pair{"dropped", 2}}) {
        ScriptedDaemon daemon;
        daemon.answer("/v1/trace?from=a&to=b", with_verdict(verdict));
        EXPECT_EQ(daemon.weftctl({"trace", "--from", "a", "--to", "b"}).code, code) << verdict;
    }
}

TEST(TraceCommand, AsksForTheAnswersWayAndForFrames) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/trace?from=app1&to=198.51.100.7&sport=1000&reply=1", with_verdict("delivered"));
    daemon.answer("/v1/trace?from=kvm1%2Fweft-vxlan&to=&frame=00ff&tunnel=192.0.2.9%2F7", with_verdict("delivered"));
    EXPECT_EQ(daemon.weftctl({"trace", "--from", "app1", "--to", "198.51.100.7", "--sport", "1000", "--reply"}).code,
              0);
    EXPECT_EQ(daemon.weftctl({"trace", "--from", "kvm1/weft-vxlan", "--frame", "00ff", "--tunnel", "192.0.2.9/7"}).code,
              0);
}

TEST(TraceCommand, SaysWhatIsMissing) {
    ScriptedDaemon daemon;
    const auto ran = daemon.weftctl({"trace", "--from", "app1"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("--to"));
    EXPECT_EQ(daemon.weftctl({"trace", "--from", "a", "--to", "b", "--dport", "70000"}).code, 1);
}

} // namespace
} // namespace weft::cli
