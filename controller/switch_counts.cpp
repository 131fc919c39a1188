#include "controller/switch_counts.hpp"

#include "controller/port_meters.hpp"
#include "pipeline/punt.hpp"

#include <algorithm>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;
using pipeline::Reason;

/// Between two looks whether the hosts have answered.
constexpr Milliseconds kLook = 5ms;

/// Those that flows drop by; the rest is dropped by meters.
std::vector<Reason> reasons_of_flows() {
    std::vector<Reason> reasons;
    for (std::size_t reason = 1; reason < pipeline::kReasonNames.size(); ++reason)
        if (const auto value = static_cast<Reason>(reason);
            value != Reason::new_connection_rate && value != Reason::punt_limit && value != Reason::rate)
            reasons.push_back(value);
    return reasons;
}

openflow::FlowFilter dropped_for(Reason reason) {
    return {.cookie = static_cast<std::uint64_t>(reason) << 48, .cookie_mask = std::uint64_t{0xff} << 48};
}

openflow::FlowFilter exhausted_at(ObjectId gateway) {
    return {.cookie = pipeline::cookie({Kind::gateway, gateway, Reason::snat_exhausted}), .cookie_mask = ~0ULL};
}

} // namespace

struct SwitchCounts::Question {
    std::shared_ptr<openflow::Session> session;
    std::uint64_t life = 0; ///< of the switch's counters, as Rising has it
    fabric::HostPtr view;
    std::vector<ObjectId> gateways; ///< that may be active there
    bool translates = false;
};

Task<void> SwitchCounts::read(Question question, std::shared_ptr<Host> host, std::shared_ptr<Round> round) {
    struct Reading {
        Host& host;
        Round& round;
        SteadyClock::time_point began = SteadyClock::now();
        ~Reading() {
            const auto now = SteadyClock::now();
            host.next_read = now + std::min<SteadyClock::duration>(kRest * (now - began), kLongestRest);
            host.reading = false;
            --round.left;
        }
    } const reading{*host, *round};
    const auto reasons = reasons_of_flows();
    std::vector<openflow::FlowFilter> filters;
    filters.reserve(reasons.size() + question.gateways.size());
    for (const auto reason : reasons)
        filters.push_back(dropped_for(reason));
    for (const auto gateway : question.gateways)
        filters.push_back(exhausted_at(gateway));
    const auto sums = co_await question.session->aggregate(std::move(filters));
    if (!sums) co_return; // it went down meanwhile, and is read when it is back
    for (std::size_t i = 0; i < reasons.size(); ++i)
        host->drops[reasons[i]].note(sums->at(i).packets, question.life);
    for (std::size_t i = 0; i < question.gateways.size(); ++i)
        host->exhausted[question.gateways[i]].note(sums->at(reasons.size() + i).packets, question.life);

    const auto meters = co_await question.session->meter_stats();
    if (!meters) co_return;
    std::map<Reason, std::uint64_t> by_meters{
        {Reason::new_connection_rate, 0}, {Reason::punt_limit, 0}, {Reason::rate, 0}};
    for (const auto& drops : meter_drops(*question.view, *meters))
        by_meters[drops.reason] += drops.packets;
    for (const auto& [reason, packets] : by_meters)
        host->drops[reason].note(packets, question.life);
    for (const auto& meter : *meters)
        if (meter.id == pipeline::kPuntMeter || meter.id == pipeline::kSampleMeter ||
            meter.id == pipeline::kServiceMeter)
            host->punt_meters[meter.id].note(meter.dropped_packets, question.life);

    if (question.translates) {
        const auto counts = co_await read_translations(question.session);
        if (!counts) co_return;
        for (const auto& [key, count] : *counts) {
            const auto known = host->translations.contains(key);
            auto& [packets, bytes] = host->translations[key];
            if (!known && host->read_at) { // it is new since the last look
                packets.note(0, question.life);
                bytes.note(0, question.life);
            }
            packets.note(count.packets, question.life);
            bytes.note(count.bytes, question.life);
        }
    }
    host->read_at = SteadyClock::now();
}

void SwitchCounts::begin(const Supervisor& supervisor, const asio::any_io_executor& executor) {
    round_ = std::make_shared<Round>(Round{SteadyClock::now()});
    const auto& world = *supervisor.intent().published().world;
    const auto translating = translating_hosts(world);
    std::erase_if(hosts_, [&](const auto& host) { return !supervisor.hosts().contains(host.first); });
    for (const auto& [name, agent] : supervisor.hosts()) {
        auto& host = hosts_[name];
        if (!host) host = std::make_shared<Host>();
        const auto view = world.hosts.find(name);
        auto session = agent.flows->session();
        if (host->reading || round_->began < host->next_read || !session || view == world.hosts.end()) continue;
        Question question{std::move(session), agent.flows->lives(), view->second, {}, translating.contains(name)};
        for (const auto& [_, gateway] : world.gateways)
            if (gateway->rank(name)) question.gateways.push_back(gateway->id);
        host->reading = true;
        ++round_->left;
        asio::co_spawn(executor, read(std::move(question), host, round_), asio::detached);
    }
    shown_.clear();
    shown_.insert(hosts_.begin(), hosts_.end());
}

Task<void> SwitchCounts::refresh(const Supervisor& supervisor) {
    if (!round_ || SteadyClock::now() - round_->began >= kFresh) begin(supervisor, co_await asio::this_coro::executor);
    const auto round = round_;
    while (round->left > 0 && SteadyClock::now() - round->began < kPatience)
        co_await sleep_for(kLook);
}

} // namespace weft::controller
