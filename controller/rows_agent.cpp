#include "controller/rows_agent.hpp"

#include "controller/certificate.hpp"
#include "controller/failpoint.hpp"
#include "ovsdb/plan_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

constexpr Milliseconds kConnectTimeout = 5s;
constexpr Milliseconds kConfigureTimeout = 10s;
/// Between two repairs of rows, so that weft and whoever fights it for a row do not spin.
constexpr Milliseconds kRepairPause = 200ms;
/// Until ovs-vswitchd is asked again for a port that it could not make, and at most so long.
constexpr Milliseconds kTryAgain = 500ms;
constexpr Milliseconds kTryAgainAtMost = 60s;

/// Who puts back so often within this time what weft takes off is no hand, and after so long without it is gone.
constexpr std::size_t kRivalReturns = 3;
constexpr Milliseconds kRivalry = 60s;

std::string bracketed(const std::string& address) {
    if (address.empty()) return "127.0.0.1"; // a unix socket: the host is this machine
    return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

std::string with_local_address(std::string target, const std::string& address) {
    static constexpr std::string_view kPlaceholder = "{local}";
    if (const auto at = target.find(kPlaceholder); at != std::string::npos)
        target.replace(at, kPlaceholder.size(), bracketed(address));
    return target;
}

/// Every host's certificate is of the same authority: only the name in it tells one host from another.
Result<std::unique_ptr<Stream>> of_host(std::unique_ptr<Stream> stream, const std::string& host,
                                        const Endpoint& endpoint) {
    const auto certified = host_of_certificate(stream->peer_common_name());
    if (endpoint.transport != Endpoint::Transport::ssl || certified == host) return stream;
    return fail(ErrorKind::refused, fmt::format("{}: it showed the certificate of '{}', not of {}: refused",
                                                endpoint.to_string(), certified, host));
}

} // namespace

bool RowsAgent::Wanted::same_as(const Wanted& other) const {
    return reached_as(other) && host == other.host && controllers == other.controllers && watched == other.watched &&
           withdrawn == other.withdrawn && qos == other.qos && leaving == other.leaving;
}

RowsAgent::RowsAgent(asio::io_context& io, std::string host, Voice voice, Observer observer, Changed changed)
    : io_(io), host_(std::move(host)), voice_(voice), observer_(std::move(observer)), changed_(std::move(changed)),
      wake_(std::make_shared<Signal>(io.get_executor())) {}

void RowsAgent::start(Wanted wanted) {
    wanted_ = std::move(wanted);
    rewanted_ = true;
    asio::co_spawn(io_, [](auto self) -> Task<void> { co_await self->run(); }(shared_from_this()), asio::detached);
}

void RowsAgent::want(Wanted wanted) {
    if (wanted_.same_as(wanted)) {
        wanted_.view = std::move(wanted.view);
        if (observed_ && !observed_->tunnels.empty()) wake_->raise(); // the host may have other peers
        return;
    }
    const bool elsewhere = !wanted_.reached_as(wanted);
    wanted_ = std::move(wanted);
    rewanted_ = true;
    if (elsewhere && session_) session_->close();
    wake_->raise();
}

void RowsAgent::leave(std::function<void()> cleaned) {
    observer_ = [](const fabric::Observation&) {};
    changed_ = [] {};
    cleaned_ = std::move(cleaned);
    wanted_.leaving = true;
    rewanted_ = true;
    wake_->raise();
}

void RowsAgent::stop() {
    stopped_ = true;
    observer_ = [](const fabric::Observation&) {};
    changed_ = [] {};
    cleaned_ = {};
    if (session_) session_->close();
    wake_->raise();
}

void RowsAgent::enter(Phase phase, std::string reason) {
    if (phase == phase_ && reason == reason_) return;
    if (phase == Phase::refused) voice_.say(LogLevel::error, "rows_refused", host_, "", reason);
    phase_ = phase;
    reason_ = std::move(reason);
    changed_();
}

ovsdb::DesiredRows RowsAgent::rows(const Wanted& wanted) const {
    std::vector<std::string> targets;
    targets.reserve(wanted.controllers.size());
    for (const auto& target : wanted.controllers)
        targets.push_back(with_local_address(target, local_address_));
    auto rows = fabric::desired_rows(wanted.host, {std::move(targets), wanted.watched, wanted.withdrawn, wanted.qos});
    rows.keeps_shapers = !observed_; // a daemon that has just begun knows of no binding, and limits go on
    return rows;
}

std::optional<ovsdb::RowCounts> RowsAgent::to_send(const Wanted& wanted) const {
    const bool settled = phase_ == Phase::refused || (phase_ == Phase::configured && !rewanted_);
    if (!session_ || session_->ended() || !settled || !wanted.reached_as(wanted_)) return std::nullopt;
    if (wanted.leaving) return ovsdb::cleanup_rows(session_->replica()).rows;
    const auto plan = ovsdb::plan_rows(session_->replica(), rows(wanted));
    return plan ? plan->rows : ovsdb::RowCounts{}; // what is in its way stays in its way
}

std::map<std::string, ovsdb::Shaper> RowsAgent::shapers() const {
    std::map<std::string, ovsdb::Shaper> result;
    if (!session_ || session_->ended() || wanted_.leaving) return result;
    for (const auto& [interface, _] : wanted_.qos.shaped)
        result.emplace(interface, ovsdb::shaper_of(session_->replica(), interface));
    return result;
}

void RowsAgent::tell_of_foreign_shapers() {
    std::set<std::string> foreign;
    for (const auto& [interface, shaper] : shapers())
        if (shaper == ovsdb::Shaper::foreign) foreign.insert(interface);
    for (const auto& interface : foreign)
        if (!foreign_shapers_.contains(interface))
            voice_.say(LogLevel::warning, "foreign_qos", host_, "interface " + interface,
                       fmt::format("its port has a QoS that is not weft's, so what goes to it is not limited; to hand "
                                   "it over: ovs-vsctl clear port {} qos",
                                   interface));
    foreign_shapers_ = std::move(foreign);
}

void RowsAgent::tell_of_uplinks() {
    auto uplinks = fabric::uplinks_of(session_->replica(), wanted_.host);
    for (const auto& [physnet, uplink] : uplinks) {
        const auto told = idle_uplinks_.find(physnet);
        const auto trouble = fabric::trouble_of(uplink);
        const auto object = "uplink " + physnet;
        if (trouble.empty() && told != idle_uplinks_.end())
            voice_.say(LogLevel::info, "uplink_up", host_, object, uplink.interface + " has a link");
        else if (!trouble.empty() && (told == idle_uplinks_.end() || told->second != uplink))
            voice_.say(LogLevel::warning, "uplink_down", host_, object, trouble);
    }
    std::erase_if(uplinks, [](const auto& entry) { return fabric::trouble_of(entry.second).empty(); });
    idle_uplinks_ = std::move(uplinks);
}

bool RowsAgent::note_rival(const std::set<std::string>& controllers) {
    if (controllers.empty()) return false;
    rivalry_.push_back(SteadyClock::now());
    if (rivalry_.size() > kRivalReturns) rivalry_.pop_front();
    if (rivalry_.size() < kRivalReturns || rivalry_.back() - rivalry_.front() > kRivalry) return false;
    rival_ = fmt::format("another weftd ({}) manages this bridge: stop one of them", fmt::join(controllers, ", "));
    enter(Phase::refused, rival_);
    return true;
}

Task<RowsAgent::Statistics> RowsAgent::statistics() {
    auto self = shared_from_this();
    if (!session_ || session_->ended()) co_return Statistics{};
    auto counters = co_await session_->interface_statistics();
    co_return counters ? std::move(*counters) : Statistics{};
}

Task<void> RowsAgent::run() {
    auto self = shared_from_this();
    Backoff backoff(100ms, 1s);
    while (!stopped_ && !done_) {
        const auto endpoint = wanted_.endpoint;
        auto stream = co_await connect(endpoint, wanted_.tls, kConnectTimeout);
        if (stopped_) break;
        if (stream) stream = of_host(std::move(*stream), host_, endpoint);
        if (!stream) {
            enter(Phase::down, "OVSDB at " + stream.error().text); // which begins with the endpoint
        } else {
            const auto connected = SteadyClock::now();
            const auto ended = co_await serve(std::move(*stream));
            past_operations_ += operations();
            session_.reset();
            observed_.reset();
            if (stopped_ || done_) break;
            enter(Phase::down, fmt::format("OVSDB at {}: {}", wanted_.endpoint.to_string(), ended.text));
            if (SteadyClock::now() - connected > 5s) backoff.reset();
        }
        wake_->take();
        co_await wake_->wait(backoff.next());
    }
    if (done_ && cleaned_) cleaned_();
}

Task<Error> RowsAgent::serve(std::unique_ptr<Stream> stream) {
    local_address_ = stream->local_address();
    ovsdb::SessionOptions options;
    options.changed = wake_;
    auto session = co_await ovsdb::Session::open(std::move(stream), options);
    if (!session) co_return session.error();
    session_.emplace(std::move(*session));
    ++sessions_;
    rewanted_ = true;
    Backoff again(kTryAgain, kTryAgainAtMost);
    while (!stopped_ && !session_->ended()) {
        const auto updated = co_await bring_up_to_date();
        if (stopped_ || session_->ended()) break;
        if (!updated && updated.error().kind != ErrorKind::refused && updated.error().kind != ErrorKind::invalid) break;
        if (done_) co_return Error{ErrorKind::io, "cleaned"};
        observe(updated);
        if (!co_await wait_for_change(again)) break;
    }
    co_return session_->ended().value_or(Error{ErrorKind::io, "stopped"});
}

Task<Result<>> RowsAgent::wait_for_change(Backoff& again) {
    if (observed_->troubles.empty() && observed_->unmade.empty()) {
        again.reset();
        if (rival_.empty())
            co_await wake_->wait();
        else
            co_await wake_->wait(kRivalry);
        co_return Result<>{};
    }
    if (co_await wake_->wait(again.next())) co_return Result<>{};
    if (stopped_ || session_->ended()) co_return Result<>{};
    const auto applied = co_await session_->transact(ovsdb::try_again());
    if (!applied && applied.error().kind != ErrorKind::refused) co_return std::unexpected(applied.error());
    co_return Result<>{};
}

Task<Result<>> RowsAgent::bring_up_to_date() {
    for (;;) {
        bool repair = !rewanted_;
        const Wanted wanted = wanted_;
        auto plan = wanted.leaving ? Result<ovsdb::Transaction>(ovsdb::cleanup_rows(session_->replica()))
                                   : ovsdb::plan_rows(session_->replica(), rows(wanted));
        if (!plan) co_return std::unexpected(plan.error());
        if (plan->empty()) {
            rewanted_ = !wanted_.same_as(wanted);
            if (rewanted_) continue;
            done_ = wanted.leaving;
            co_return Result<>{};
        }
        repair = repair && plan->tidied < plan->changes.size();
        const auto changes = fmt::format("{}", fmt::join(plan->changes, ", "));
        const bool fought = repair && note_rival(ovsdb::other_controllers(session_->replica(), rows(wanted)));
        if (!repair) enter(Phase::configuring, "rows are being brought up to date");
        failpoint("rows.planned");
        const auto applied = co_await session_->transact(std::move(*plan));
        failpoint("rows.transacted");
        if (!applied) co_return std::unexpected(applied.error());
        if (repair && !fought)
            voice_.say(LogLevel::warning, "drift_repaired", host_, "",
                       "rows changed by hand were put back: " + changes);
        else if (!repair)
            voice_.log.info(host_, "rows: " + changes);
        if (applied->next_cfg != 0) {
            const auto configured = co_await session_->wait_configured(applied->next_cfg, kConfigureTimeout);
            failpoint("rows.configured");
            if (!configured && configured.error().kind != ErrorKind::timeout)
                co_return std::unexpected(configured.error());
        }
        if (repair) co_await sleep_for(kRepairPause);
    }
}

std::vector<std::string> RowsAgent::in_the_way() const {
    auto all = observed_->troubles;
    all.insert(all.end(), observed_->unfit.begin(), observed_->unfit.end());
    if (wanted_.view)
        for (auto& taken : fabric::taken_by(observed_->tunnels, *wanted_.view))
            all.push_back(std::move(taken));
    if (!rival_.empty()) all.push_back(rival_);
    return all;
}

void RowsAgent::observe(const Result<>& updated) {
    auto seen = fabric::observe(session_->replica(), wanted_.host);
    const bool first = !observed_;
    const bool news = observed_ != seen;
    const bool remade = unmade() != seen.unmade;
    observed_ = std::move(seen);
    if (!rival_.empty() && SteadyClock::now() - rivalry_.back() >= kRivalry) rival_.clear();
    if (const auto troubles = in_the_way(); !updated)
        enter(Phase::refused, updated.error().text);
    else if (!troubles.empty())
        enter(Phase::refused, fmt::format("{}", fmt::join(troubles, "; ")));
    else
        enter(Phase::configured, "");
    if (remade) changed_();
    tell_of_foreign_shapers();
    tell_of_uplinks();
    if (!news) return;
    if (first) wake_->raise(); // now what nobody needs may go
    observer_(*observed_);
}

} // namespace weft::controller
