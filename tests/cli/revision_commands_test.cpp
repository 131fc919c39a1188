#include "tests/cli/scripted_daemon.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::cli {
namespace {

namespace json = boost::json;
using test::ScriptedDaemon;
using testing::HasSubstr;

constexpr const char* kGood = "[[host]]\nname = \"kvm1\"\n";
constexpr const char* kTrial =
    "revision 5 awaits confirmation: `weftctl confirm` keeps it, else revision 4 comes back at 2024-05-01T12:01:00Z\n";

std::string plan(const std::string& objects) {
    return R"({"objects":[)" + objects + R"(],"hosts":[],"reachability":[]})";
}
const std::string kChange = plan(R"({"op":"+","kind":"network","name":"red"})");

std::string applied(const std::string& more, const std::string& planned = kChange) {
    return R"({"revision":5,"converged":false,"hosts":[],"notices":[],"plan":)" + planned + more + "}";
}
const std::string kOnTrial = R"(,"confirmed":null,"confirm_by":"2024-05-01T12:01:00.123Z","else_back_to":4)";
const std::string kForGood = R"(,"confirm_by":null,"else_back_to":null,"confirmed":)";

std::string status(int revision, const std::string& more = "") {
    const auto number = std::to_string(revision);
    return R"({"revision":)" + number + R"(,"converged":true,"hosts":[{"name":"kvm1","state":"synced","revision":)" +
           number + R"(,"reason":""}])" + more + "}";
}

TEST(Trial, IsAskedForAndToldWithItsRemedy) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/apply", applied(kOnTrial));
    daemon.answer("/v1/status", status(5));
    const auto path = daemon.file("demo.toml", kGood);
    const auto ran = daemon.weftctl({"apply", path, "--confirm-within", "5m"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_THAT(ran.out, HasSubstr(std::string("\nrevision 5 is in force\n") + kTrial + "kvm1: synced\n"));
    EXPECT_EQ(json::parse(daemon.asked()[0].body).at("confirm_within"), 300);
    const auto as_json = json::parse(daemon.weftctl({"apply", path, "--confirm-within", "60s", "-o", "json"}).out);
    EXPECT_EQ(as_json.at("confirm_by"), "2024-05-01T12:01:00.123Z");
    EXPECT_EQ(as_json.at("hosts").at(0).at("name"), "kvm1");
    daemon.weftctl({"apply", path});
    EXPECT_FALSE(json::parse(daemon.asked().at(4).body).as_object().contains("confirm_within"));
    for (const auto* wrong : {"60", "soon", "0s", ""})
        EXPECT_EQ(daemon.weftctl({"apply", path, "--confirm-within", wrong}).code, 1) << wrong;
}

TEST(Trial, IsNoneWhenNothingChanges) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/apply", applied(kForGood + "null", plan("")));
    daemon.answer("/v1/status", status(5));
    EXPECT_EQ(daemon.weftctl({"apply", daemon.file("demo.toml", kGood), "--confirm-within", "60s"}).out,
              "nothing would change\n\nrevision 5 is in force\nnothing to confirm: nothing changed\nkvm1: synced\n");
}

TEST(Trial, IsConfirmedByAnotherApply) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/apply", applied(kForGood + "4"));
    daemon.answer("/v1/apply", applied(kForGood + "5", plan("")));
    daemon.answer("/v1/status", status(5));
    const auto path = daemon.file("demo.toml", kGood);
    EXPECT_THAT(daemon.weftctl({"apply", path}).out,
                HasSubstr("\nrevision 4 is confirmed by this apply\nrevision 5 is in force\n"));
    EXPECT_EQ(daemon.weftctl({"apply", path}).out, "nothing would change\n\nrevision 5 is confirmed\nkvm1: synced\n");
}

TEST(Trial, ThatEndsWhileOneWaitsIsANo) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/apply", applied(kOnTrial));
    daemon.answer("/v1/status", status(6));
    const auto ran = daemon.weftctl({"apply", daemon.file("demo.toml", kGood), "--confirm-within", "1s"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.err, "revision 5 is not in force any more, revision 6 is: weftctl history\n");
}

TEST(Trial, IsShownByStatus) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/status", status(5, R"(,"confirm_by":"2024-05-01T12:01:00.123Z","else_back_to":4)"));
    daemon.answer("/v1/status", status(5, R"(,"confirm_by":null,"else_back_to":null)"));
    EXPECT_THAT(daemon.weftctl({"status"}).out,
                testing::StartsWith(std::string("revision 5, converged\n") + kTrial + "\n"));
    EXPECT_THAT(daemon.weftctl({"status"}).out, testing::StartsWith("revision 5, converged\n\n"));
}

TEST(Confirm, SaysWhatStays) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/confirm", R"({"revision":5,"converged":true,"hosts":[]})");
    const auto ran = daemon.weftctl({"confirm"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, "revision 5 is confirmed: it stays in force\n");
    EXPECT_EQ(daemon.asked().at(0).method, "POST");
    EXPECT_EQ(json::parse(daemon.weftctl({"confirm", "-o", "json"}).out).at("revision"), 5);
}

TEST(Confirm, IsAnErrorWhenNothingAwaits) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/confirm", R"({"error":"no revision awaits confirmation: revision 6 is in force"})", 409);
    const auto ran = daemon.weftctl({"confirm"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "weftctl: no revision awaits confirmation: revision 6 is in force\n");
    EXPECT_EQ(ran.out, "");
}

const std::string kRolledBack = R"(,"restores":3,"rolled_back":4)";

TEST(Rollback, ShowsWhatItChangesAndWaits) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/rollback", applied(kRolledBack));
    daemon.answer("/v1/status", status(4));
    daemon.answer("/v1/status", status(5));
    const auto ran = daemon.weftctl({"rollback"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_THAT(ran.out, testing::StartsWith("+ network red\n"));
    EXPECT_THAT(ran.out, HasSubstr("\nrevision 4 was taken back: revision 3 is in force again, as revision 5\n"
                                   "kvm1: synced\n"));
    EXPECT_EQ(daemon.asked().size(), 3U);
    EXPECT_EQ(daemon.asked()[0].body, "{}");
    const auto as_json = json::parse(daemon.weftctl({"rollback", "3", "-o", "json"}).out);
    EXPECT_EQ(as_json.at("restores"), 3);
    EXPECT_EQ(as_json.at("converged"), true);
    EXPECT_EQ(daemon.asked().at(3).body, R"({"revision":3})");
}

TEST(Rollback, ExitsAsApplyDoes) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/rollback", applied(kRolledBack));
    daemon.answer("/v1/status", status(4));
    EXPECT_EQ(daemon.weftctl({"rollback", "--timeout", "1s"}).code, 2);
    for (const auto* wrong : {"0", "x", "-1"})
        EXPECT_EQ(daemon.weftctl({"rollback", wrong}).code, 1) << wrong;
    ScriptedDaemon refusing;
    refusing.answer("/v1/rollback", R"({"error":"there is no revision 9: 1-4 are kept"})", 404);
    EXPECT_EQ(refusing.weftctl({"rollback", "9"}).err, "weftctl: there is no revision 9: 1-4 are kept\n");
    ScriptedDaemon invalid;
    invalid.answer("/v1/rollback", R"({"problems":[{"rendered":"a.toml:1:1: error: x\n"}]})", 422);
    EXPECT_EQ(invalid.weftctl({"rollback", "2"}).err,
              "a.toml:1:1: error: x\nrevision 2: 1 problem, nothing was changed\n");
    EXPECT_EQ(invalid.weftctl({"rollback"}).code, 1);
}

TEST(History, ListsTheRevisions) {
    ScriptedDaemon daemon;
    constexpr const char* kHistory =
        R"([{"revision":1,"time":"2024-05-01T12:00:00.123Z","source":"a.toml","state":"superseded","restores":null,"confirm_by":null},
            {"revision":2,"time":"2024-05-01T13:00:00.123Z","source":"b.toml","state":"rolled_back","restores":null,"confirm_by":null},
            {"revision":3,"time":"2024-05-01T14:00:00.123Z","source":"a.toml","state":"in_force","restores":1,"confirm_by":null}])";
    daemon.answer("/v1/history", kHistory);
    EXPECT_EQ(daemon.weftctl({"history"}).out,
              "REVISION  TIME                      STATE        SOURCE\n"
              "       1  2024-05-01T12:00:00.123Z  superseded   a.toml\n"
              "       2  2024-05-01T13:00:00.123Z  rolled_back  b.toml\n"
              "       3  2024-05-01T14:00:00.123Z  in_force     a.toml (revision 1 again)\n");
    EXPECT_EQ(json::parse(daemon.weftctl({"history", "-o", "json"}).out), json::parse(kHistory));
    daemon.pauses = 1;
    EXPECT_THAT(daemon.weftctl({"history", "--watch"}).out, HasSubstr("in_force"));
    ScriptedDaemon fresh;
    fresh.answer("/v1/history", "[]");
    EXPECT_EQ(fresh.weftctl({"history"}).out, "no revisions: weftctl apply makes the first\n");
}

} // namespace
} // namespace weft::cli
