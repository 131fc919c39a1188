// Trials, confirmations and rollbacks by the daemon and its API. The hosts cannot be reached.
#include "controller/api.hpp"
#include "tests/controller/memory_store.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::controller {
namespace {

namespace json = boost::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kHost = R"([[host]]
name = "kvm1"
ovsdb = "tcp:127.0.0.1:1"
vtep = "192.0.2.11"
datapath = "netdev"
)";

std::string with_network(const std::string& name) {
    return fmt::format("{}[[network]]\nname = \"{}\"\nkind = \"vxlan\"\n", kHost, name);
}

class RevisionsTest : public testing::Test {
  protected:
    void SetUp() override { start(); }
    void TearDown() override { kill(); }

    void start() {
        supervisor_ = std::make_unique<Supervisor>(
            io_, Settings{.openflow = {Endpoint::Transport::tcp, "127.0.0.1", 0}}, store_, log_, events_);
        api_ = std::make_unique<Api>(*supervisor_);
        ASSERT_TRUE(supervisor_->start());
    }
    void kill() {
        store_.refuses = "*"; // a killed daemon saves nothing at its end
        supervisor_->stop();
        io_.restart();
        io_.run();
        store_.refuses.clear();
        api_.reset();
        supervisor_.reset();
        io_.restart();
    }
    void restart() {
        kill();
        start();
    }
    json::value call(const std::string& method, const std::string& path, const std::string& body, unsigned status) {
        std::optional<HttpResponse> response;
        asio::co_spawn(io_, api_->handle({.method = method, .path = path, .query = {}, .body = body}),
                       [&](const std::exception_ptr& thrown, HttpResponse answer) {
                           EXPECT_FALSE(thrown);
                           response = std::move(answer);
                       });
        io_.restart();
        while (!response)
            io_.run_one();
        EXPECT_EQ(response->status, status) << response->body;
        return json::parse(response->body);
    }
    json::value post(const std::string& path, const std::string& body = "", unsigned status = 200) {
        return call("POST", path, body, status);
    }
    json::value get(const std::string& path) { return call("GET", path, "", 200); }
    /// A topology with one network, called `name`.
    json::value apply(const std::string& name, std::optional<int> confirm_within = {}, unsigned status = 200) {
        json::object body{{"source", name + ".toml"},
                          {"sources", {json::object{{"name", name + ".toml"}, {"text", with_network(name)}}}}};
        if (confirm_within) body["confirm_within"] = *confirm_within;
        return post("/v1/apply", json::serialize(body), status);
    }
    /// "3 blue in_force"
    std::vector<std::string> history() {
        std::vector<std::string> lines;
        const auto answer = get("/v1/history");
        for (const auto& revision : answer.as_array()) {
            const auto source = std::string(revision.at("source").as_string());
            lines.push_back(fmt::format("{} {} {}", revision.at("revision").to_number<int>(),
                                        source.substr(0, source.find('.')),
                                        std::string_view(revision.at("state").as_string())));
        }
        return lines;
    }
    std::string network() const {
        const auto& networks = supervisor_->intent().topology().networks;
        return networks.empty() ? "" : networks.begin()->first;
    }
    std::vector<std::string> events(const std::string& kind) const {
        std::vector<std::string> texts;
        for (const auto& event : events_.since(0))
            if (event.kind == kind) texts.push_back(event.text);
        return texts;
    }
    void run_for(int milliseconds) {
        io_.restart();
        io_.run_for(Milliseconds(milliseconds));
    }

    test::MemoryStore store_;
    asio::io_context io_;
    Log log_{LogLevel::error, [](std::string_view) {}};
    EventLog events_{io_.get_executor(), {}, log_};
    std::unique_ptr<Supervisor> supervisor_;
    std::unique_ptr<Api> api_;
};

TEST_F(RevisionsTest, ATrialThatNobodyConfirmsEnds) {
    apply("blue");
    const auto answer = apply("red", 1);
    EXPECT_EQ(answer.at("revision"), 2);
    EXPECT_EQ(answer.at("else_back_to"), 1);
    const auto status = get("/v1/status");
    EXPECT_EQ(status.at("confirm_by"), answer.at("confirm_by"));
    EXPECT_EQ(status.at("else_back_to"), 1);
    EXPECT_THAT(history(), ElementsAre("1 blue superseded", "2 red awaiting_confirm"));
    EXPECT_EQ(network(), "red");
    run_for(1300);
    EXPECT_EQ(network(), "blue");
    EXPECT_THAT(history(), ElementsAre("1 blue superseded", "2 red rolled_back", "3 blue in_force"));
    EXPECT_TRUE(get("/v1/status").at("confirm_by").is_null());
    EXPECT_THAT(events("topology_rolled_back"),
                ElementsAre("revision 2 was taken back: nobody confirmed it in time: revision 1 is back in force, as "
                            "revision 3"));
    const auto late = post("/v1/confirm", "", 409);
    EXPECT_THAT(std::string(late.at("error").as_string()),
                HasSubstr("revision 3 is in force, which is revision 1 again"));
    restart();
    EXPECT_THAT(history(), ElementsAre("1 blue superseded", "2 red rolled_back", "3 blue in_force"));
}

TEST_F(RevisionsTest, AConfirmedRevisionStays) {
    apply("blue");
    apply("red", 1);
    EXPECT_EQ(post("/v1/confirm").at("revision"), 2);
    run_for(1300);
    EXPECT_EQ(network(), "red");
    EXPECT_THAT(history(), ElementsAre("1 blue superseded", "2 red in_force"));
    EXPECT_THAT(events("topology_confirmed"), ElementsAre("revision 2 is confirmed"));
    restart();
    EXPECT_EQ(network(), "red");
}

TEST_F(RevisionsTest, AStartEndsATrial) {
    apply("blue");
    apply("red", 3600);
    restart();
    EXPECT_EQ(network(), "blue");
    EXPECT_THAT(history(), ElementsAre("1 blue superseded", "2 red rolled_back", "3 blue in_force"));
    EXPECT_THAT(events("topology_rolled_back"), ElementsAre(HasSubstr("started again before it was confirmed")));
    restart();
    EXPECT_EQ(get("/v1/status").at("revision"), 3) << "once";
}

// RFC 6241, section 8.4: any commit that is no confirmed one confirms; a confirmed one sets the time anew.
TEST_F(RevisionsTest, AnApplyInTheWindowConfirmsAndSaysSo) {
    apply("blue");
    apply("red", 1);
    EXPECT_EQ(apply("green").at("confirmed"), 2);
    run_for(1300);
    EXPECT_EQ(network(), "green");
    EXPECT_THAT(history(), ElementsAre("1 blue superseded", "2 red superseded", "3 green in_force"));
    EXPECT_THAT(events("topology_confirmed"), ElementsAre(AllOf(HasSubstr("revision 2"), HasSubstr("revision 3"))));

    apply("red", 1);
    EXPECT_EQ(apply("red").at("confirmed"), 4) << "the same again, for good";
    EXPECT_TRUE(get("/v1/status").at("confirm_by").is_null());
    EXPECT_TRUE(apply("red").at("confirmed").is_null());
    EXPECT_EQ(history().back(), "4 red in_force");
}

TEST_F(RevisionsTest, AnotherTrialInTheWindowEndsWhereTheFirstBegan) {
    apply("blue");
    apply("red", 1);
    const auto first = get("/v1/status").at("confirm_by");
    EXPECT_EQ(apply("red", 3600).at("revision"), 2) << "longer";
    EXPECT_NE(get("/v1/status").at("confirm_by"), first);
    run_for(1300);
    EXPECT_EQ(network(), "red");
    EXPECT_EQ(apply("green", 1).at("else_back_to"), 1);
    run_for(1300);
    EXPECT_EQ(network(), "blue");
    EXPECT_THAT(history(),
                ElementsAre("1 blue superseded", "2 red rolled_back", "3 green rolled_back", "4 blue in_force"));
}

TEST_F(RevisionsTest, NothingIsOnTrialWhenNothingChanges) {
    apply("blue");
    const auto answer = apply("blue", 1);
    EXPECT_TRUE(answer.at("confirm_by").is_null());
    EXPECT_TRUE(answer.at("plan").at("objects").as_array().empty());
    EXPECT_THAT(history(), ElementsAre("1 blue in_force"));
    post("/v1/confirm", "", 409);
}

TEST_F(RevisionsTest, TheFirstTopologyCannotBeOnTrial) {
    const auto answer = apply("blue", 60, 409);
    EXPECT_THAT(std::string(answer.at("error").as_string()), HasSubstr("without --confirm-within"));
    EXPECT_EQ(network(), "");
}

TEST_F(RevisionsTest, ARollbackIsANewRevision) {
    apply("blue");
    apply("red");
    apply("green");
    const auto answer = post("/v1/rollback");
    EXPECT_EQ(answer.at("revision"), 4);
    EXPECT_EQ(answer.at("restores"), 2);
    EXPECT_EQ(answer.at("rolled_back"), 3);
    EXPECT_EQ(answer.at("plan").at("objects").as_array().size(), 2U);
    EXPECT_EQ(network(), "red");
    EXPECT_EQ(post("/v1/rollback", R"({"revision": 3})").at("revision"), 5);
    EXPECT_EQ(network(), "green");
    EXPECT_THAT(history(), ElementsAre("1 blue superseded", "2 red superseded", "3 green rolled_back",
                                       "4 red rolled_back", "5 green in_force"));
    EXPECT_EQ(get("/v1/history").at(4).at("restores"), 3);
    restart();
    EXPECT_EQ(network(), "green");
}

TEST_F(RevisionsTest, ARollbackInTheWindowEndsTheTrial) {
    apply("blue");
    apply("red", 3600);
    EXPECT_EQ(post("/v1/rollback", "{}").at("restores"), 1);
    EXPECT_TRUE(get("/v1/status").at("confirm_by").is_null());
    EXPECT_THAT(history(), ElementsAre("1 blue superseded", "2 red rolled_back", "3 blue in_force"));
}

TEST_F(RevisionsTest, ARollbackThatCannotBeSaysWhy) {
    const auto error = [&](const std::string& body, unsigned status) {
        return std::string(post("/v1/rollback", body, status).at("error").as_string());
    };
    EXPECT_THAT(error("", 409), HasSubstr("no revision before"));
    EXPECT_THAT(error(R"({"revision": 3})", 404), HasSubstr("none was applied yet"));
    apply("blue");
    apply("red", 60);
    EXPECT_EQ(error(R"({"revision": 9})", 404), "there is no revision 9: 1-2 are kept");
    EXPECT_EQ(error(R"({"revision": 2})", 409), "revision 2 is in force already: weftctl confirm keeps it");
    post("/v1/rollback");
    EXPECT_EQ(error(R"({"revision": 1})", 409), "revision 1 is in force already, as revision 3");
    for (const auto* wrong : {"[]", "{", R"({"revision": "1"})", R"({"revision": -1})"})
        error(wrong, 400);
    for (const auto* wrong : {"0", "-1", "\"60s\"", "1.5", "99999999999"})
        post("/v1/apply", fmt::format(R"({{"sources": [], "confirm_within": {}}})", wrong), 400);
}

TEST_F(RevisionsTest, ARevisionThatIsNotValidAnyMoreIsShownWithItsProblems) {
    apply("blue");
    apply("red");
    store_.blobs["revision-1"] = encode_sources({{"blue.toml", "[[network]]\nname = \"blue\"\nkind = \"vxlann\"\n"}});
    restart();
    const auto answer = post("/v1/rollback", "", 422);
    EXPECT_THAT(std::string(answer.at("problems").at(0).at("rendered").as_string()), HasSubstr("blue.toml:3"));
    EXPECT_EQ(network(), "red");
}

TEST_F(RevisionsTest, ATrialThatHasNothingToGoBackToStays) {
    apply("blue");
    apply("red", 3600);
    store_.blobs["revision-1"] = encode_sources({{"blue.toml", "[[network]]\nname = \"blue\"\nkind = \"vxlann\"\n"}});
    restart();
    EXPECT_EQ(network(), "red");
    EXPECT_TRUE(get("/v1/status").at("confirm_by").is_null());
    EXPECT_THAT(events("state"), ElementsAre(HasSubstr("stays in force: revision 1 is not valid")));
}

TEST_F(RevisionsTest, WhatCannotBeSavedChangesNothing) {
    const auto error = [](const json::value& answer) { return std::string(answer.at("error").as_string()); };
    apply("blue");
    store_.refuses = "*";
    EXPECT_THAT(error(apply("red", {}, 500)), HasSubstr("the disk is full: nothing was changed"));
    EXPECT_THAT(error(apply("red", 60, 500)), HasSubstr("nothing was changed"));
    EXPECT_EQ(network(), "blue");
    EXPECT_TRUE(get("/v1/status").at("confirm_by").is_null());
    store_.refuses.clear();
    apply("red", 3600);
    store_.refuses = "*";
    EXPECT_THAT(error(post("/v1/confirm", "", 500)), HasSubstr("revision 2 still awaits confirmation, until "));
    EXPECT_THAT(error(post("/v1/rollback", "", 500)), HasSubstr("nothing was changed"));
    EXPECT_EQ(network(), "red");
    EXPECT_FALSE(get("/v1/status").at("confirm_by").is_null());
}

// It may be what the admin is locked out by.
TEST_F(RevisionsTest, ATrialEndsThoughItsEndCannotBeSaved) {
    apply("blue");
    apply("red", 1);
    store_.refuses = "*";
    run_for(1300);
    EXPECT_EQ(network(), "blue");
    EXPECT_THAT(events("state").front(), HasSubstr("the rollback is in force all the same"));
    EXPECT_EQ(history().back(), "3 blue in_force");
    restart(); // the store still has the trial
    EXPECT_EQ(history().back(), "3 blue in_force");
    EXPECT_EQ(network(), "blue");
}

TEST_F(RevisionsTest, WhatWasAllocatedAndIsNotKnownAnyMoreIsSaid) {
    apply("blue");
    apply("red");
    store_.blobs.erase("allocated-1");
    restart();
    EXPECT_THAT(json::serialize(post("/v1/rollback").at("notices")), HasSubstr("is not known any more"));
    EXPECT_EQ(network(), "blue");
}

} // namespace
} // namespace weft::controller
