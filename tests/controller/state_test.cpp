#include "controller/state.hpp"

#include "controller/failpoint.hpp"
#include "tests/controller/memory_store.hpp"
#include "tests/controller/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::controller {
namespace {

using test::TemporaryDirectory;

Timestamp at(int millisecond) {
    return Timestamp(std::chrono::milliseconds(1'700'000'000'000 + millisecond));
}

State full_state() {
    State state;
    state.add_revision("a.toml", {{"a.toml", "# first\n"}}, at(1));
    state.add_revision("net.d", {{"a.toml", "x = \"\u00e9\"\n"}, {"b.toml", ""}}, at(2));
    state.allocations.vnis["private1"] = 5001;
    state.allocations.attachments[{"web1", "private1"}] = {*Mac::parse("52:54:00:00:01:10"), Ip::parse("10.0.1.10"),
                                                           Ip::parse("fd00:1::10")};
    state.allocations.attachments[{"web1", "office"}] = {*Mac::parse("0a:00:00:00:00:01"), std::nullopt, std::nullopt};
    topology::Port port;
    port.name = "guest-1";
    port.network = "private1";
    port.vm = "guest";
    port.mac = Mac::parse("52:54:00:00:01:11");
    port.security_groups = {"web", "ssh"};
    port.qos = "gold";
    state.dynamic_ports["guest-1"] = {port, "uuid-of-guest", {"kvm1"}};
    state.vm_nics["web1"] = {*Mac::parse("52:54:00:00:01:10"), "uuid-of-web1"};
    state.allocations.gateways["igw"] = {16'777'215, 7};
    state.allocations.zones = {{{Kind::router, "main"}, 1}, {{Kind::network, "main"}, 2}};
    state.allocations.services = {{"island", *Ip::parse("10.9.0.7")}};
    state.allocations.declined = {{{"web1", "private1"}, {Ip::parse("10.0.1.5"), Ip::parse("fd00::5")}}};
    state.leases = {
        {{"web1", "private1"},
         {Lease{*Ip::parse("10.0.1.10"), Timestamp{}, Timestamp{} + std::chrono::hours(12), "web"}, std::nullopt}}};
    const auto nexthop = *Ip::parse("203.0.113.1");
    state.learnt.neighbours[{"public", nexthop}] = *Mac::parse("52:54:00:00:01:12");
    state.learnt.out_of_service = {"kvm3"};
    state.learnt.dead_links["kvm2"] = {"physnet1"};
    state.learnt.returning = {{"igw", "kvm2"}};
    state.learnt.absent = {"kvm3"};
    state.learnt.unanswered = {{"kvm1", "public", nexthop}};
    state.holders = {{"guest-1", "kvm1"}, {"web1", "kvm2"}};
    state.revisions.front().restores = 7;
    return state;
}

State without_texts(State state) {
    for (auto& revision : state.revisions)
        revision.sources.clear();
    return state;
}

TEST(State, DecodesWhatItEncodes) {
    EXPECT_EQ(decode(encode(State{})), State{});
    EXPECT_EQ(decode(encode(full_state())), without_texts(full_state()));
    auto on_trial = full_state();
    on_trial.add_revision("c.toml", {}, at(3), at(60'000));
    EXPECT_EQ(decode(encode(on_trial)), without_texts(on_trial));
    EXPECT_EQ(decode_recollection(encode(full_state().recollection())), full_state().recollection());
    const auto sources = full_state().revisions.back().sources;
    EXPECT_EQ(decode_sources(encode_sources(sources)), sources);
}

TEST(State, RefusesWhatItDoesNotUnderstand) {
    for (const auto* text : {"", "[]", "{}", "{\"format\":1}", "{\"format\":\"1\"}"})
        EXPECT_FALSE(decode(text)) << text;
    const auto newer = decode("{\"format\":2}");
    ASSERT_FALSE(newer);
    EXPECT_NE(newer.error().text.find("install the version of weft that wrote it"), std::string::npos);
    // Every key is needed, each with its type.
    const auto whole = encode(full_state());
    for (const auto* wrong : {"\"current\":2", "\"10.0.1.10\"", "\"superseded\"", "\"52:54:00:00:01:10\"", "5001"}) {
        auto text = whole;
        text.replace(text.find(wrong), std::string_view(wrong).size(),
                     std::string_view(wrong).starts_with("\"cu") ? "\"x\":1" : "\"?\"");
        EXPECT_FALSE(decode(text)) << text;
    }
}

TEST(State, KeepsFiftyRevisionsAndNeverReusesANumber) {
    State state;
    for (int i = 1; i <= 60; ++i)
        state.add_revision("t.toml", {}, at(i));
    EXPECT_EQ(state.revisions.size(), kMaxRevisions);
    EXPECT_EQ(state.revisions.front().number, 11U);
    EXPECT_EQ(state.current, 60U);
    EXPECT_EQ(state.find(60)->state, RevisionState::in_force);
    EXPECT_EQ(state.find(59)->state, RevisionState::superseded);
    EXPECT_EQ(state.find(10), nullptr);
    state.current = 59;
    EXPECT_EQ(state.add_revision("t.toml", {}, at(61)).number, 61U);
}

std::vector<RevisionState> states_of(const State& state) {
    std::vector<RevisionState> states;
    for (const auto& revision : state.revisions)
        states.push_back(revision.state);
    return states;
}

TEST(State, ATrialEndsWhereItsFirstRevisionBegan) {
    using enum RevisionState;
    State state;
    state.add_revision("a", {}, at(1));
    state.add_revision("b", {}, at(2), at(60));
    EXPECT_EQ(state.awaiting, (Awaiting{at(60), 1}));
    state.add_revision("c", {}, at(3), at(90));
    EXPECT_EQ(state.awaiting, (Awaiting{at(90), 1}));
    EXPECT_EQ(states_of(state), (std::vector{superseded, superseded, awaiting_confirm}));
    ASSERT_NE(state.previous(), nullptr);
    EXPECT_EQ(state.previous()->number, 1U);

    auto confirmed = state;
    confirmed.confirm();
    EXPECT_EQ(confirmed.awaiting, std::nullopt);
    EXPECT_EQ(confirmed.find(3)->state, in_force);
    EXPECT_EQ(confirmed.previous()->number, 2U);
    auto applied = state;
    applied.add_revision("d", {}, at(4));
    EXPECT_EQ(applied.awaiting, std::nullopt);
    EXPECT_EQ(states_of(applied), (std::vector{superseded, superseded, superseded, in_force}));

    EXPECT_EQ(state.roll_back(1, at(5)).source, "a");
    EXPECT_EQ(state.awaiting, std::nullopt);
    EXPECT_EQ(states_of(state), (std::vector{superseded, rolled_back, rolled_back, in_force}));
    EXPECT_EQ(state.revisions.back().restores, 1U);
}

TEST(State, WhatATrialGoesBackToIsKeptHoweverLongItIs) {
    State state;
    state.add_revision("a", {}, at(1));
    for (int i = 2; i <= 70; ++i)
        state.add_revision("b", {}, at(i), at(100));
    EXPECT_EQ(state.revisions.size(), kMaxRevisions);
    ASSERT_NE(state.previous(), nullptr);
    EXPECT_EQ(state.previous()->number, 1U);
}

TEST(State, RollbacksGoBackStepByStep) {
    State state;
    const auto back = [&] {
        const auto* to = state.previous();
        if (to == nullptr) return RevisionNumber{0};
        const auto number = to->number;
        state.roll_back(number, at(9));
        return number;
    };
    for (int i = 1; i <= 3; ++i)
        state.add_revision("t", {}, at(i));
    EXPECT_EQ(back(), 2U); // as 4
    EXPECT_EQ(back(), 1U); // as 5
    EXPECT_EQ(back(), 0U);
    state.add_revision("t", {}, at(6));
    EXPECT_EQ(back(), 5U); // as 7
    EXPECT_EQ(back(), 0U) << "revision 5 was 1 again, and none was before that";
    EXPECT_EQ(state.current, 7U);
    EXPECT_EQ(State{}.previous(), nullptr);
}

TEST(StateStore, GivesBackWhatWasSaved) {
    const TemporaryDirectory directory;
    const auto files = *FileStore::open(directory.path());
    EXPECT_EQ(StateStore(*files).load()->state, State{});
    ASSERT_TRUE(StateStore(*files).save(full_state()));
    const auto loaded = StateStore(*files).load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->state, full_state());
    EXPECT_TRUE(loaded->notices.empty());
}

TEST(StateStore, WritesATextOnceAndRemovesItWhenNothingNamesIt) {
    const TemporaryDirectory directory;
    const auto files = *FileStore::open(directory.path());
    StateStore store(*files);
    State state;
    for (int i = 1; i <= 55; ++i) {
        state.add_revision("t.toml", {{"t.toml", std::to_string(i)}}, at(i));
        ASSERT_TRUE(store.save(state));
    }
    const auto exists = [&](int number) {
        return std::filesystem::exists(directory.path() / ("revision-" + std::to_string(number)));
    };
    EXPECT_FALSE(exists(4));
    EXPECT_TRUE(exists(5)); // the "state" before names it still
    EXPECT_TRUE(exists(6));
    const auto written = std::filesystem::last_write_time(directory.path() / "revision-6");
    state.holders["web1"] = "kvm1";
    ASSERT_TRUE(store.save(state));
    EXPECT_EQ(std::filesystem::last_write_time(directory.path() / "revision-6"), written);
    EXPECT_FALSE(exists(5));
    EXPECT_EQ(StateStore(*files).load()->state, state);
}

// Its number is given to the next one, which has another text.
TEST(StateStore, ForgetsTheTextOfARevisionThatCouldNotBeSaved) {
    test::MemoryStore blobs;
    StateStore store(blobs);
    State state;
    auto refused = state;
    refused.add_revision("t.toml", {{"t.toml", "refused"}}, at(1));
    blobs.refuses = "state";
    EXPECT_FALSE(store.save(refused));
    blobs.refuses.clear();
    state.add_revision("t.toml", {{"t.toml", "taken"}}, at(2));
    ASSERT_TRUE(store.save(state));
    EXPECT_EQ(StateStore(blobs).load()->state, state);
}

TEST(StateStore, RemembersWhatARevisionHadAsLongAsTheRevision) {
    test::MemoryStore blobs;
    StateStore store(blobs);
    State state;
    state.add_revision("t.toml", {}, at(1));
    EXPECT_EQ(*store.recall(1), std::nullopt);
    store.remember(1, full_state().recollection());
    EXPECT_EQ(*store.recall(1), full_state().recollection());
    blobs.refuses = "state";
    EXPECT_FALSE(store.save(state));
    blobs.refuses.clear();
    ASSERT_TRUE(store.save(state));
    EXPECT_EQ(*StateStore(blobs).recall(1), full_state().recollection());
    for (int i = 2; i <= 55; ++i) {
        state.add_revision("t.toml", {}, at(i));
        ASSERT_TRUE(store.save(state));
    }
    EXPECT_EQ(*store.recall(1), std::nullopt);
    blobs.blobs["allocated-55"] = "rubbish";
    EXPECT_FALSE(store.recall(55));
}

TEST(StateStore, FallsBackToTheStateBeforeWithItsTexts) {
    const TemporaryDirectory directory;
    const auto files = *FileStore::open(directory.path());
    StateStore store(*files);
    State state = full_state();
    ASSERT_TRUE(store.save(state));
    const auto before = state;
    state.add_revision("c.toml", {{"c.toml", ""}}, at(3));
    ASSERT_TRUE(store.save(state));
    directory.write("state", "rubbish");
    const auto loaded = StateStore(*files).load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->state, before);
    EXPECT_EQ(loaded->notices.size(), 1U);
}

TEST(StateStore, DropsALostPastRevisionButNotTheCurrentOne) {
    const TemporaryDirectory directory;
    const auto files = *FileStore::open(directory.path());
    ASSERT_TRUE(StateStore(*files).save(full_state()));
    std::filesystem::remove(directory.path() / "revision-1");
    const auto loaded = StateStore(*files).load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->state.revisions.size(), 1U);
    ASSERT_EQ(loaded->notices.size(), 1U);
    EXPECT_NE(loaded->notices[0].find("revision 1 is lost"), std::string::npos);

    directory.write("revision-2", "rubbish");
    const auto lost = StateStore(*files).load();
    ASSERT_FALSE(lost);
    EXPECT_NE(lost.error().text.find("it is the one in force"), std::string::npos) << lost.error().text;
}

TEST(StateStore, IsOldOrNewAfterAKillAtAnyInstant) {
    State old_state = full_state();
    State new_state = old_state;
    new_state.add_revision("c.toml", {{"c.toml", "new"}}, at(3));
    for (const auto* point :
         {"store.created", "store.half_written", "store.synced", "store.kept_previous", "store.renamed"}) {
        for (int hit = 1; hit <= 2; ++hit) { // the text's file, then the state's
            const TemporaryDirectory directory;
            {
                const auto files = *FileStore::open(directory.path());
                ASSERT_TRUE(StateStore(*files).save(old_state));
            }
            const pid_t child = ::fork();
            if (child == 0) {
                auto files = FileStore::open(directory.path());
                StateStore store(**files);
                (void)store.load();
                failpoints::arm(std::string(point) + ":" + std::to_string(hit));
                (void)store.save(new_state);
                ::_exit(0);
            }
            int status = 0;
            ::waitpid(child, &status, 0);
            EXPECT_EQ(WEXITSTATUS(status), 137);
            const auto files = *FileStore::open(directory.path());
            const auto loaded = StateStore(*files).load();
            ASSERT_TRUE(loaded) << point << " " << loaded.error().text;
            const bool expect_new = hit == 2 && std::string_view(point) == "store.renamed";
            EXPECT_EQ(loaded->state, expect_new ? new_state : old_state) << point << ":" << hit;
        }
    }
}

} // namespace
} // namespace weft::controller
