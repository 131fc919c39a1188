// The agent against a switch that answers every request, holds nothing or a meter, and refuses bundles when told to.
#include "controller/switch_agent.hpp"
#include "tests/fabric/fixture.hpp"
#include "tests/openflow/memory_stream.hpp"
#include "tests/openflow/run.hpp"

namespace weft::controller {
namespace {

using fabric::Fixture;
using Phase = SwitchAgent::Phase;

class SwitchAgentTest : public testing::Test {
  protected:
    /// Answers what was sent so far. A barrier behind a bundle waits while `held`.
    void answer() {
        auto& sent = far.from_session;
        while (at < sent.size()) {
            const auto length = static_cast<std::size_t>(number(at + 2, 2));
            const auto type = number(at, 2) & 0xff;
            const auto xid = number(at + 4, 4);
            if (type == 20 && in_bundle != 0 && held) return;
            if (type == 0) say(0, xid, {0, 1, 0, 8, 0, 0, 0, 0x60}); // 1.4 and 1.5
            if (type == 2) say(3, xid, {});
            if (type == 5) say(6, xid, std::vector<std::uint8_t>(24));
            if (type == 18) {
                std::vector<std::uint8_t> body{sent_byte(at + 8), sent_byte(at + 9), 0, 0, 0, 0, 0, 0};
                if (holds && body[1] == 10) body.insert(body.end(), std::begin(kMeter), std::end(kMeter));
                say(19, xid, body);
            }
            if (type == 20) say(21, xid, {});
            if (type == 34 && in_bundle == 0) in_bundle = xid;
            if (type == 20 && in_bundle != 0 && refusing) refuse(in_bundle);
            if (type == 33) {
                auto body = std::vector<std::uint8_t>(8);
                for (std::size_t i = 0; i < body.size(); ++i)
                    body[i] = sent_byte(at + 8 + i);
                ++body[5]; // the request's kind is made its reply's
                say(33, xid, body);
            }
            if (type == 20) in_bundle = 0;
            at += length;
        }
    }
    void settle() {
        for (int i = 0; i < 40; ++i) {
            openflow::run_for(io, Milliseconds(2));
            answer();
        }
    }
    void connect() {
        std::shared_ptr<openflow::Session> session;
        asio::co_spawn(io, openflow::Session::open(std::make_unique<openflow::MemoryStream>(far)),
                       [&](std::exception_ptr, Result<std::unique_ptr<openflow::Session>> opened) {
                           if (opened) session = std::move(*opened);
                       });
        settle();
        ASSERT_TRUE(session);
        agent->set_ready(true);
        agent->adopt(session);
    }
    /// The same switch, with nothing in it.
    void connect_anew() {
        far.closed = false;
        far.to_session.clear();
        far.from_session.clear();
        at = 0;
        connect();
    }
    fabric::WorldPtr another_world() {
        fixture.bind("a", "kvm1", next_ofport++);
        return fixture.world();
    }
    void TearDown() override {
        agent->stop();
        openflow::run_for(io, Milliseconds(20));
    }

    asio::io_context io;
    openflow::FarEnd far{io};
    Log log{LogLevel::error, [](std::string_view) {}};
    EventLog events{io.get_executor(), {}, log};
    Fixture fixture{fabric::kThreeHosts};
    std::shared_ptr<SwitchAgent> agent = std::make_shared<SwitchAgent>(io, "kvm1", Voice{log, events}, [] {});
    bool held = false;
    bool refusing = false;
    bool holds = false; ///< a meter

  private:
    /// Of OFPMP_METER_DESC: meter 77, in packets, with a band that drops.
    static constexpr std::uint8_t kMeter[]{0, 24, 0, 2, 0, 0, 0, 77, 0, 1, 0, 16, 0, 0, 3, 232, 0, 0, 0, 0, 0, 0, 0, 0};
    std::uint8_t sent_byte(std::size_t index) const { return std::to_integer<std::uint8_t>(far.from_session[index]); }
    std::uint32_t number(std::size_t index, std::size_t bytes) const {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value = value << 8 | sent_byte(index + i);
        return value;
    }
    void say(std::uint8_t type, std::uint32_t xid, const std::vector<std::uint8_t>& body) {
        std::vector<std::uint8_t> message{6, type, 0, static_cast<std::uint8_t>(8 + body.size())};
        for (int shift = 24; shift >= 0; shift -= 8)
            message.push_back(static_cast<std::uint8_t>(xid >> shift));
        message.insert(message.end(), body.begin(), body.end());
        far.say(std::as_bytes(std::span(message)));
    }
    void refuse(std::uint32_t xid) { say(1, xid, {0, 5, 0, 1}); } // FLOW_MOD_FAILED, TABLE_FULL

    std::size_t at = 0;
    std::uint32_t in_bundle = 0; ///< transaction id of the first message of the bundle under way
    std::uint32_t next_ofport = 10;
};

TEST_F(SwitchAgentTest, AWorldThatTheSwitchTakesIsAcknowledged) {
    agent->publish({another_world(), 1, {}});
    connect();
    settle();
    EXPECT_EQ(agent->phase(), Phase::synced) << agent->reason();
    EXPECT_EQ(agent->revision(), 1U);
    EXPECT_GT(agent->flows(), 0U);
}

TEST_F(SwitchAgentTest, ARefusedWorldIsNotTriedAgainAndAnotherIs) {
    refusing = true;
    agent->publish({another_world(), 1, {}});
    connect();
    settle();
    EXPECT_EQ(agent->phase(), Phase::refused);
    const auto sent = far.from_session.size();
    settle();
    EXPECT_EQ(far.from_session.size(), sent);
    refusing = false;
    agent->publish({another_world(), 2, {}});
    settle();
    EXPECT_EQ(agent->phase(), Phase::synced) << agent->reason();
}

// The refusal is of what was sent, not of what was published while the switch had not answered.
TEST_F(SwitchAgentTest, AWorldPublishedWhileAnotherIsBeingRefusedIsTried) {
    refusing = held = true;
    agent->publish({another_world(), 1, {}});
    connect();
    settle();
    ASSERT_EQ(agent->phase(), Phase::syncing);
    agent->publish({another_world(), 2, {}});
    held = false;
    answer();
    refusing = false;
    settle();
    EXPECT_EQ(agent->phase(), Phase::synced) << agent->reason();
    EXPECT_EQ(agent->revision(), 2U);
}

TEST_F(SwitchAgentTest, ForetellsHowManyMessagesAWorldTakes) {
    for (auto& [_, facts] : fixture.facts)
        facts.userspace = true;
    const auto first = another_world();
    agent->publish({first, 1, {}});
    EXPECT_FALSE(agent->to_send(first, false)) << "it is read back first";
    connect();
    settle();
    ASSERT_EQ(agent->phase(), Phase::synced) << agent->reason();
    EXPECT_EQ(agent->to_send(first, false), SwitchAgent::ToSend{});
    EXPECT_EQ(agent->to_send(first, true)->forgetting, 10U) << "another host became active for a gateway";

    const auto second = another_world();
    const auto foretold = agent->to_send(second, true);
    ASSERT_TRUE(foretold);
    EXPECT_GT(foretold->flows.add + foretold->flows.change, 0U);
    EXPECT_EQ(foretold->forgetting, 10U) << "once a change";
    const auto before = agent->counters();
    agent->publish({second, 2, {}});
    EXPECT_FALSE(agent->to_send(second, false)) << "a change is on its way";
    agent->forget_cached();
    settle();
    const auto after = agent->counters();
    EXPECT_EQ(after.flow_mods - before.flow_mods,
              foretold->flows.add + foretold->flows.change + foretold->flows.remove + foretold->forgetting);
    EXPECT_EQ(after.group_mods - before.group_mods,
              foretold->groups.add + foretold->groups.change + foretold->groups.remove);
    EXPECT_EQ(after.meter_mods - before.meter_mods,
              foretold->meters.add + foretold->meters.change + foretold->meters.remove);
}

TEST_F(SwitchAgentTest, WhatWasSentIsCountedOnOverReconnects) {
    agent->publish({another_world(), 1, {}});
    connect();
    settle();
    ASSERT_EQ(agent->phase(), Phase::synced) << agent->reason();
    const auto before = agent->total();
    EXPECT_GT(before.flow_mods, 0U);
    EXPECT_EQ(before.flow_mods, agent->counters().flow_mods);
    agent->session()->close();
    settle();
    EXPECT_EQ(agent->phase(), Phase::absent);
    EXPECT_EQ(agent->counters().flow_mods, 0U);
    EXPECT_EQ(agent->total().flow_mods, before.flow_mods);
    EXPECT_EQ(agent->sessions(), 1U);
    connect_anew();
    settle();
    EXPECT_EQ(agent->phase(), Phase::synced) << agent->reason();
    EXPECT_EQ(agent->total().flow_mods, before.flow_mods + agent->counters().flow_mods);
    EXPECT_EQ(agent->sessions(), 2U);
}

// What it counts begins anew with a life, and with no other session.
TEST_F(SwitchAgentTest, ASwitchThatHasItsFlowsStillIsInTheSameLife) {
    agent->publish({another_world(), 1, {}});
    connect();
    settle();
    EXPECT_EQ(agent->lives(), 1U) << "it had nothing";
    agent->session()->close();
    settle();
    holds = true;
    connect_anew();
    settle();
    ASSERT_EQ(agent->phase(), Phase::synced) << agent->reason();
    EXPECT_EQ(agent->lives(), 1U);
    agent->session()->close();
    settle();
    holds = false;
    connect_anew();
    settle();
    EXPECT_EQ(agent->lives(), 2U);
}

} // namespace
} // namespace weft::controller
