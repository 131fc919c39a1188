#include "controller/switch_agent.hpp"

#include "controller/failpoint.hpp"
#include "pipeline/cookie.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

/// Changes by others come in bursts (`ovs-ofctl del-flows` is an event a flow): one read-back for all of them.
constexpr auto kDriftSettles = 100ms;
/// Even when nothing was seen to change, what a switch holds is read back now and then.
constexpr auto kRoutineCheck = 10min;

openflow::Change difference(openflow::Dump held, const fabric::SwitchState& desired) {
    std::vector<openflow::Flow> flows;
    flows.reserve(held.flows.size());
    for (auto& stats : held.flows)
        flows.push_back(std::move(stats.flow));
    return {openflow::diff(flows, desired.flows), openflow::diff(held.groups, desired.groups),
            openflow::diff(held.meters, desired.meters)};
}

/// Somebody who deletes all flows leaves the meters, and what they have counted.
bool is_new(const openflow::Dump& held) {
    return held.meters.empty() && std::ranges::none_of(held.flows, [](const auto& stats) {
               return pipeline::owner_of(stats.flow.cookie).has_value();
           });
}

std::string count(const openflow::Change& change) {
    return fmt::format("{} flows added, {} changed, {} removed; groups +{} ~{} -{}", change.flows.add.size(),
                       change.flows.change.size(), change.flows.remove.size(), change.groups.add.size(),
                       change.groups.change.size(), change.groups.remove.size());
}

template <class Delta>
SwitchAgent::ToSend::Counts counts(const Delta& delta) {
    return {delta.add.size(), delta.change.size(), delta.remove.size()};
}

void add(openflow::SessionCounters& sum, const openflow::SessionCounters& more) {
    using Counters = openflow::SessionCounters;
    for (const auto counter : {&Counters::flow_mods, &Counters::group_mods, &Counters::meter_mods,
                               &Counters::packet_ins, &Counters::packet_ins_dropped, &Counters::packet_outs,
                               &Counters::refused, &Counters::bytes_sent, &Counters::bytes_received})
        sum.*counter += more.*counter;
}

fabric::HostPtr view_of(const fabric::WorldPtr& world, const std::string& host) {
    if (!world) return nullptr;
    const auto found = world->hosts.find(host);
    return found == world->hosts.end() ? nullptr : found->second;
}

} // namespace

std::string_view SwitchAgent::sentence(Phase phase) {
    switch (phase) {
    case SwitchAgent::Phase::absent:
        return "the bridge is not connected to weftd";
    case SwitchAgent::Phase::waiting:
        return "waiting for the host's OVSDB";
    case SwitchAgent::Phase::syncing:
        return "sending what differs";
    case SwitchAgent::Phase::synced:
        return "";
    case SwitchAgent::Phase::refused:
        return "the switch refused a change";
    }
    return "";
}

SwitchAgent::SwitchAgent(asio::io_context& io, std::string host, Voice voice, std::function<void()> changed)
    : io_(io), host_(std::move(host)), voice_(voice), changed_(std::move(changed)), wake_(io.get_executor()) {}

void SwitchAgent::publish(const Published& target) {
    const bool was_behind = behind();
    target_ = target;
    if (phase_ == Phase::synced && view_of(have_, host_) == view_of(target_.world, host_)) {
        acknowledge(target_); // nothing about this host changed
        return;
    }
    if (!was_behind) behind_since_ = SteadyClock::now();
    wake_.raise();
}

void SwitchAgent::forget_cached() {
    forgets_ = true;
    wake_.raise();
}

void SwitchAgent::set_ready(bool ready) {
    ready_ = ready;
    wake_.raise();
}

void SwitchAgent::adopt(std::shared_ptr<openflow::Session> session) {
    if (stopped_) return session->close();
    if (session_) {
        session_->close();
        add(past_, session_->counters());
    }
    session_ = std::move(session);
    ++sessions_;
    have_.reset();
    refused_.reset();
    behind_since_ = SteadyClock::now();
    enter(ready_ ? Phase::syncing : Phase::waiting);
    asio::co_spawn(
        io_,
        [](auto self, auto mine) -> Task<void> { co_await self->serve(std::move(mine)); }(shared_from_this(), session_),
        asio::detached);
}

void SwitchAgent::stop() {
    stopped_ = true;
    changed_ = [] {};
    if (session_) session_->close();
    wake_.raise();
}

bool SwitchAgent::behind() const {
    return phase_ != Phase::synced || have_ != target_.world;
}

std::int64_t SwitchAgent::lag_ms() const {
    if (!behind()) return 0;
    return std::chrono::duration_cast<Milliseconds>(SteadyClock::now() - behind_since_).count();
}

std::optional<SwitchAgent::ToSend> SwitchAgent::to_send(const fabric::WorldPtr& next, bool forgets) const {
    if (behind() || drifted_) return std::nullopt;
    const auto delta = fabric::delta(*have_, *next, host_);
    const bool moves = keeps_stale(next) && (!delta.empty() || forgets || forgets_);
    return ToSend{counts(delta.flows), counts(delta.groups), counts(delta.meters), moves ? cache_.size_of_move() : 0};
}

openflow::SessionCounters SwitchAgent::counters() const {
    return session_ ? session_->counters() : openflow::SessionCounters{};
}

openflow::SessionCounters SwitchAgent::total() const {
    auto sum = past_;
    add(sum, counters());
    return sum;
}

void SwitchAgent::enter(Phase phase, std::string reason) {
    if (reason.empty()) reason = sentence(phase);
    const bool changed = phase != phase_ || reason != reason_;
    phase_ = phase;
    reason_ = std::move(reason);
    if (!changed) return;
    if (phase == Phase::refused)
        voice_.say(LogLevel::error, "flows_refused", host_, "", reason_);
    else
        voice_.log.debug(host_, reason_.empty() ? "switch synced" : reason_);
    changed_();
}

void SwitchAgent::acknowledge(const Published& reached) {
    have_ = reached.world;
    revision_ = reached.revision;
    number_ = reached.number;
    refused_.reset();
}

Task<void> SwitchAgent::listen_for_drift(std::shared_ptr<openflow::Session> session) {
    while (!session->ended()) {
        co_await session->foreign_change().wait();
        if (!session->ended()) {
            co_await sleep_for(kDriftSettles);
            session->foreign_change().take();
            drifted_ = true;
        }
        wake_.raise();
    }
}

Task<void> SwitchAgent::serve(std::shared_ptr<openflow::Session> session) {
    auto self = shared_from_this();
    drifted_ = false;
    asio::co_spawn(
        io_,
        [](auto agent, auto mine) -> Task<void> { co_await agent->listen_for_drift(std::move(mine)); }(self, session),
        asio::detached);
    // A session that another replaced serves no longer: its successor owns the agent's state.
    while (session == session_ && !session->ended()) {
        Result<> done;
        const auto before = have_;
        tried_ = target_.world;
        if (!ready_ || !target_.world)
            enter(Phase::waiting);
        else if (refused_ && refused_ == target_.world && !drifted_)
            enter(Phase::refused, reason_);
        else if (!have_ || drifted_)
            done = co_await read_back_and_sync(*session);
        else if (have_ != target_.world || (forgets_ && keeps_stale(have_)))
            done = co_await follow(*session);
        else
            enter(Phase::synced);

        if (session != session_ || session->ended()) break;
        if (have_ != before) changed_();
        if (!done && done.error().kind == ErrorKind::refused) {
            refused_ = tried_; // a newer one may have been published meanwhile
            have_.reset();     // the next attempt reads back
            enter(Phase::refused, done.error().text);
        } else if (!done) {
            break;
        }
        const bool settled = phase_ == Phase::synced || phase_ == Phase::refused || phase_ == Phase::waiting;
        if (settled && !co_await wake_.wait(kRoutineCheck) && phase_ == Phase::synced) drifted_ = true;
    }
    if (session != session_) co_return;
    const auto why = co_await session->closed();
    add(past_, session->counters());
    session_.reset();
    have_.reset();
    behind_since_ = SteadyClock::now();
    enter(Phase::absent, fmt::format("{}: {}", sentence(Phase::absent), why.text));
}

Task<Result<>> SwitchAgent::read_back_and_sync(openflow::Session& session) {
    const bool repair = drifted_ && have_ != nullptr;
    drifted_ = false;
    if (!repair) enter(Phase::syncing, "reading back what the switch holds");
    const auto watched = co_await session.watch();
    if (!watched) co_return std::unexpected(watched.error());
    auto dump = co_await session.dump();
    if (!dump) co_return std::unexpected(dump.error());
    if (is_new(*dump)) ++lives_;
    failpoint("switch.read_back");
    // After the waits: the newest world, and no wait between it and what is sent.
    const Published target = target_;
    tried_ = target.world;
    const auto desired = fabric::compile(*target.world, host_);
    if (keeps_stale(target.world)) cache_.take_from(dump->flows);
    const auto change = difference(std::move(*dump), desired);
    failpoint("switch.compared");
    if (!change.empty() || (keeps_stale(target.world) && (forgets_ || !cache_.whole()))) {
        if (!repair) enter(Phase::syncing);
        const auto applied = co_await send(session, change, target.world);
        failpoint("switch.applied");
        if (!applied) co_return std::unexpected(applied.error());
        if (repair)
            voice_.say(LogLevel::warning, "drift_repaired", host_, "",
                       "flows changed by hand were put back: " + count(change));
        else
            voice_.log.info(host_, "switch brought up to date: " + count(change));
    }
    flows_ = desired.flows.size();
    groups_ = desired.groups.size();
    acknowledge(target);
    co_return Result<>{};
}

bool SwitchAgent::keeps_stale(const fabric::WorldPtr& world) const {
    const auto view = view_of(world, host_);
    return view && view->facts.userspace;
}

Task<Result<>> SwitchAgent::send(openflow::Session& session, openflow::Change change, const fabric::WorldPtr& world) {
    const bool moves = keeps_stale(world);
    // A change that goes in portions is all there before the cache is looked at anew.
    const bool apart = change.flows.size() > openflow::SessionOptions{}.portion / 2;
    if (moves && !apart) cache_.add_to(change);
    if (const auto applied = co_await session.apply(change); !applied) co_return std::unexpected(applied.error());
    if (moves && apart) {
        openflow::Change move;
        cache_.add_to(move);
        if (const auto applied = co_await session.apply(move); !applied) co_return std::unexpected(applied.error());
    }
    if (moves) {
        cache_.moved();
        forgets_ = false;
    }
    co_return Result<>{};
}

Task<Result<>> SwitchAgent::follow(openflow::Session& session) {
    const Published target = target_;
    auto delta = fabric::delta(*have_, *target.world, host_);
    const openflow::Change change{std::move(delta.flows), std::move(delta.groups), std::move(delta.meters)};
    if (!change.empty() || (forgets_ && keeps_stale(target.world))) {
        enter(Phase::syncing);
        failpoint("switch.before_delta");
        const auto applied = co_await send(session, change, target.world);
        failpoint("switch.delta_applied");
        if (!applied) co_return std::unexpected(applied.error());
    }
    flows_ = flows_ + change.flows.add.size() - change.flows.remove.size();
    groups_ = groups_ + change.groups.add.size() - change.groups.remove.size();
    acknowledge(target);
    co_return Result<>{};
}

} // namespace weft::controller
