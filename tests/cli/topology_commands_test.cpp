#include "cli/plan_text.hpp"
#include "tests/cli/scripted_daemon.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

namespace weft::cli {
namespace {

namespace json = boost::json;
using test::ScriptedDaemon;
using testing::HasSubstr;

constexpr const char* kGood = R"([[host]]
name = "kvm1"
[[network]]
name = "private1"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[port]]
name = "web1"
network = "private1"
)";

constexpr const char* kPlan =
    R"({"objects":[{"op":"+","kind":"network","name":"private1"},{"op":"~","kind":"port","name":"web1"},
  {"op":"-","kind":"router","name":"old"}],
  "hosts":[{"name":"kvm1","flows":{"add":12,"change":3,"remove":1},"groups":{"add":1,"change":0,"remove":0},"rows":{"add":2,"change":0,"remove":0}},
           {"name":"kvm2","flows":{"add":0,"change":0,"remove":0},"groups":{"add":0,"change":0,"remove":0},"rows":{"add":0,"change":0,"remove":0}}],
  "reachability":[{"from":"web1","to":"db1","protocol":"tcp","ports":"5432","op":"-"}]})";
constexpr const char* kNoPlan =
    R"({"objects":[],"hosts":[{"name":"kvm1","flows":{"add":0,"change":0,"remove":0}}],"reachability":[]})";

constexpr const char* kPlanText = "+ network private1\n"
                                  "~ port web1\n"
                                  "- router old\n"
                                  "\n"
                                  "HOST  FLOWS      GROUPS  ROWS\n"
                                  "kvm1  +12 ~3 -1  +1      +2\n"
                                  "\n"
                                  "   FROM  TO   CONNECTIONS\n"
                                  "-  web1  db1  tcp 5432\n"
                                  "\n"
                                  "+ added  ~ changed  - removed\n";

TEST(Validate, CountsWhatIsValid) {
    ScriptedDaemon daemon;
    const auto path = daemon.file("good.toml", kGood);
    const auto ran = daemon.weftctl({"validate", path});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, path + ": valid: 1 host, 1 network, 1 port, 0 routers\n");
    EXPECT_EQ(ran.err, "");
    EXPECT_TRUE(daemon.asked().empty()); // offline
    EXPECT_EQ(daemon.weftctl({"validate", path, "-o", "json"}).out, "{\n  \"problems\": []\n}\n");
}

TEST(Validate, ShowsEveryProblemWithItsPlace) {
    ScriptedDaemon daemon;
    const auto path = daemon.file(
        "bad.toml", "[[host]]\nname = \"kvm1\"\novsdbb = \"x\"\n[[network]]\nname = \"n\"\nkind = \"vxlan\"\nsubnett = "
                    "\"10.0.0.0/24\"\n");
    const auto ran = daemon.weftctl({"validate", path});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err, path +
                           ":3:1: error: unknown key 'ovsdbb' in [[host]]\n"
                           "   3 | ovsdbb = \"x\"\n"
                           "     | ^\n"
                           "     = did you mean 'ovsdb'?\n" +
                           path +
                           ":7:1: error: unknown key 'subnett' in [[network]]\n"
                           "   7 | subnett = \"10.0.0.0/24\"\n"
                           "     | ^\n"
                           "     = did you mean 'subnet'?\n" +
                           path + ": 2 errors\n");
    const auto value = json::parse(daemon.weftctl({"validate", path, "-o", "json"}).out);
    const auto& problem = value.at("problems").at(1);
    EXPECT_EQ(problem.at("severity"), "error");
    EXPECT_EQ(problem.at("line"), 7);
    EXPECT_EQ(problem.at("remedy"), "did you mean 'subnet'?");
    EXPECT_EQ(daemon.weftctl({"validate", "/nowhere.toml"}).code, 1);
}

TEST(Validate, FindsThatAddressesDoNotSuffice) {
    ScriptedDaemon daemon;
    std::string text = "[[network]]\nname = \"blue\"\nkind = \"vxlan\"\nsubnet = \"10.0.0.0/30\"\n";
    for (const auto* name : {"a", "b", "c", "d"})
        text += std::string("[[port]]\nname = \"") + name + "\"\nnetwork = \"blue\"\n";
    const auto path = daemon.file("small.toml", text);
    const auto ran = daemon.weftctl({"validate", path});
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr(path + ":8:1: error: network 'blue' has no address left for port 'b': all 1 are in "
                                          "use\n"));
    EXPECT_THAT(ran.err, testing::EndsWith(path + ": 3 errors, 1 warning\n"));
}

TEST(Plan, ExitsTwoWhenChangesArePending) {
    ScriptedDaemon daemon;
    const auto path = daemon.file("demo.toml", kGood);
    daemon.answer("/v1/plan", kPlan);
    const auto ran = daemon.weftctl({"plan", path});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.out, kPlanText);
    const auto asked = daemon.asked();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].method, "POST");
    const auto body = json::parse(asked[0].body);
    EXPECT_EQ(body.at("source"), json::value(path));
    EXPECT_EQ(body.at("sources").at(0).at("text"), kGood);
    const auto as_json = daemon.weftctl({"plan", path, "-o", "json"});
    EXPECT_EQ(as_json.code, 2);
    EXPECT_EQ(json::parse(as_json.out), json::parse(kPlan));
}

TEST(Plan, ExitsZeroWhenNothingWouldChange) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/plan", kNoPlan);
    const auto ran = daemon.weftctl({"plan", daemon.file("demo.toml", kGood)});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, "nothing would change\n");
}

TEST(Plan, PrintsTheDaemonsProblems) {
    ScriptedDaemon daemon;
    const auto path = daemon.file("demo.toml", kGood);
    daemon.answer(
        "/v1/plan",
        R"({"problems":[{"severity":"error","file":"demo.toml","line":3,"column":1,"text":"x","remedy":"","rendered":"demo.toml:3:1: error: x\n"}]})",
        422);
    const auto ran = daemon.weftctl({"plan", path});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "demo.toml:3:1: error: x\n" + path + ": 1 problem, nothing was changed\n");
}

std::string status(const std::string& kvm2, int revision, bool converged) {
    return R"({"revision":3,"converged":)" + std::string(converged ? "true" : "false") +
           R"(,"hosts":[{"name":"kvm1","state":"synced","revision":3,"reason":""},{"name":"kvm2","state":")" + kvm2 +
           R"(","revision":)" + std::to_string(revision) + R"(,"reason":")" +
           (kvm2 == "down" ? "connection refused" : "") + R"("}]})";
}
std::string applied() {
    return R"({"revision":3,"converged":false,"plan":)" + std::string(kPlan) +
           R"(,"hosts":[],"notices":["host kvm2 is not reachable"]})";
}

TEST(Apply, WaitsForTheHosts) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/apply", applied());
    daemon.answer("/v1/status", status("syncing", 2, false));
    daemon.answer("/v1/status", status("synced", 2, false)); // of the revision before
    daemon.answer("/v1/status", status("synced", 3, true));
    const auto ran = daemon.weftctl({"apply", daemon.file("demo.toml", kGood)});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, std::string(kPlanText) +
                           "note: host kvm2 is not reachable\n\nrevision 3 is in force\nkvm1: synced\nkvm2: synced\n");
    EXPECT_EQ(daemon.asked().size(), 4U);
}

TEST(Apply, ExitsTwoWhenAHostIsUnreachable) {
    ScriptedDaemon daemon;
    const auto path = daemon.file("demo.toml", kGood);
    daemon.answer("/v1/apply", applied());
    daemon.answer("/v1/status", status("down", 2, false));
    const auto ran = daemon.weftctl({"apply", path});
    EXPECT_EQ(ran.code, 2);
    EXPECT_THAT(ran.out, HasSubstr("kvm2: down, connection refused\n"));
    EXPECT_EQ(ran.err, "1 host without revision 3: kvm2; weftd goes on trying, weftctl status shows how\n");
    const auto as_json = daemon.weftctl({"apply", path, "-o", "json"});
    EXPECT_EQ(as_json.code, 2);
    const auto value = json::parse(as_json.out);
    EXPECT_EQ(value.at("converged"), json::value(false));
    EXPECT_EQ(value.at("hosts").at(1).at("state"), "down");
    EXPECT_EQ(value.at("plan"), json::parse(kPlan));
}

TEST(Apply, GivesUpOnASlowHostAtTheTimeout) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/apply", applied());
    daemon.answer("/v1/status", status("syncing", 2, false));
    EXPECT_EQ(daemon.weftctl({"apply", daemon.file("demo.toml", kGood), "--timeout", "1s"}).code, 2);
}

TEST(Apply, ReportsErrors) {
    ScriptedDaemon daemon;
    const auto path = daemon.file("demo.toml", kGood);
    daemon.answer("/v1/apply", R"({"error":"cannot write /var/lib/weft/state: no space left"})", 500);
    const auto ran = daemon.weftctl({"apply", path});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "weftctl: cannot write /var/lib/weft/state: no space left\n");
    EXPECT_EQ(daemon.weftctl({"apply", "/nowhere.toml"}).code, 1);
}

TEST(Wait, ReturnsWhenConverged) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/status", status("syncing", 2, false));
    daemon.answer("/v1/status", status("synced", 3, true));
    const auto ran = daemon.weftctl({"wait"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, "converged at revision 3: 2 hosts\n");
}

TEST(Wait, NamesTheLaggards) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/status", status("down", 2, false));
    const auto ran = daemon.weftctl({"wait", "--timeout", "1s"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.err, "not converged at revision 3 after 1 s: kvm2 (down: connection refused)\n");
    ScriptedDaemon absent;
    EXPECT_EQ(absent.weftctl({"wait"}).code, 1); // 404: nobody to wait for
}

json::value plan_of(const std::string& host) {
    return json::parse(R"({"objects":[],"hosts":[{"name":"kvm1",)" + host + R"(}],"reachability":[]})");
}

TEST(PlanText, HasALineForEachHostThatChangesOrMay) {
    const auto plan = json::parse(R"({"objects":[{"op":"-","kind":"host","name":"kvm3"}],"hosts":[
        {"name":"kvm1","flows":{"add":1,"change":0,"remove":120},"groups":{"add":0,"change":2,"remove":0},
         "meters":{"add":0,"change":0,"remove":1},"rows":{"add":4,"change":2,"remove":0},"more":true,"leaves":false},
        {"name":"kvm2","flows":null,"groups":null,"meters":null,"rows":null,"forgetting":null,"more":false},
        {"name":"kvm3","flows":{"add":0,"change":0,"remove":0},"rows":{"add":0,"change":2,"remove":0},"leaves":true},
        {"name":"kvm4","flows":{"add":0,"change":0,"remove":0},"rows":{"add":0,"change":0,"remove":0},"forgetting":10},
        {"name":"kvm5","flows":{"add":0,"change":0,"remove":0},"rows":{"add":0,"change":0,"remove":0},"forgetting":0},
        {"name":"kvm6","flows":null,"groups":null,"meters":null,"rows":{"add":6,"change":2,"remove":0},"unplugs":true}],
        "reachability":[]})");
    std::ostringstream out;
    print_plan(out, plan, false);
    EXPECT_EQ(out.str(), "- host kvm3\n"
                         "\n"
                         "HOST  FLOWS    GROUPS  METERS  ROWS   NOTE\n"
                         "kvm1  +1 -120  ~2      -1      +4 ~2  and more once new ports have numbers\n"
                         "kvm2  ?        ?       ?       ?      ? is not known before the host is synced\n"
                         "kvm3  -        -       -       ~2     leaves: its bridge goes, and all flows with it\n"
                         "kvm4  -        -       -       -      its datapath forgets what it cached\n"
                         "kvm6  ?        ?       ?       +6 ~2  another bridge: what is plugged into the old one is "
                         "unplugged, and stays so\n"
                         "\n+ added  ~ changed  - removed\n");
}

TEST(PlanText, AnythingThatIsSentIsAChange) {
    EXPECT_FALSE(changes_anything(json::parse(kNoPlan)));
    EXPECT_FALSE(changes_anything(plan_of(R"("flows":null,"rows":null,"forgetting":null,"more":false)")));
    EXPECT_TRUE(changes_anything(plan_of(R"("meters":{"add":0,"change":2,"remove":0})")));
    EXPECT_TRUE(changes_anything(plan_of(R"("flows":null,"rows":{"add":0,"change":0,"remove":1})")));
    EXPECT_TRUE(changes_anything(plan_of(R"("flows":{"add":0},"forgetting":10)")));
}

} // namespace
} // namespace weft::cli
