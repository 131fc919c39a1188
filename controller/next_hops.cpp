#include "controller/next_hops.hpp"

#include "controller/frames.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;
using fabric::NextHopAt;

constexpr auto kTick = 200ms;
constexpr auto kAskAgain = 1s; ///< while it does not answer
constexpr auto kRefresh = 3s;  ///< once it has
constexpr int kDoubt = 2;      ///< unanswered questions before the other candidates ask too
constexpr int kPatience = 3;   ///< before it is called silent

/// A next hop that is a port of weft's needs no asking.
bool is_port(const fabric::World& world, const std::string& network, const Ip& ip) {
    const auto found = world.networks.find(network);
    return found != world.networks.end() && std::ranges::any_of(found->second->bound, [&](const auto& member) {
               return std::ranges::find(member.second->ips, ip) != member.second->ips.end();
           });
}

template <class Then>
void for_each_next_hop(const fabric::World& world, Then then) {
    for (const auto& [_, gateway] : world.gateways)
        for (const auto& [ip, own] :
             {std::pair(gateway->nexthop, gateway->address), std::pair(gateway->nexthop6, gateway->address6)})
            if (ip && own && !is_port(world, gateway->network, *ip)) then(*gateway, *ip, *own);
}

} // namespace

void NextHops::publish(const fabric::WorldPtr& world, const std::map<std::string, std::string>& active,
                       const fabric::Unanswered& unanswered) {
    world_ = world;
    active_ = active;
    unanswered_ = unanswered;
}

/// Of the active hosts; and probes of candidates that were not answered and of those that may have to take over.
std::map<NextHops::Question, NextHops::Asker> NextHops::questions() const {
    std::map<Question, Asker> result;
    for_each_next_hop(*world_, [&](const nat::Gateway& gateway, const Ip& ip, const Ip& own) {
        const auto found = active_.find(gateway.name);
        const auto active = found == active_.end() ? std::string() : found->second;
        const Question question{{active, gateway.network, ip}, gateway.name};
        if (!active.empty()) result[question] = {gateway.mac, own};
        const auto asked = asked_.find(question);
        const bool in_doubt = asked != asked_.end() && asked->second.unanswered >= kDoubt;
        for (const auto& candidate : gateway.candidates) {
            const NextHopAt at{candidate.host, gateway.network, ip};
            if (candidate.host == active || (!in_doubt && !unanswered_.contains(at))) continue;
            const auto mac = fabric::host_mac(candidate.host, gateway.physnet);
            result[{at, ""}] = {mac, ip.is_v4() ? Ip() : Ip::link_local(mac)};
        }
    });
    return result;
}

void NextHops::heard(const std::string& host, const std::string& network, const Ip& ip) {
    const auto now = SteadyClock::now();
    const NextHopAt at{host, network, ip};
    for (auto entry = asked_.lower_bound({at, ""}); entry != asked_.end() && entry->first.at == at; ++entry) {
        auto& [question, asked] = *entry;
        if (asked.state == Resolution::failed && !question.gateway.empty())
            voice_.say(LogLevel::info, "nexthop_resolved", host, "gateway " + question.gateway,
                       fmt::format("next hop {} answers again", ip.to_string()));
        asked = {Resolution::resolved, 0, now + kRefresh, now};
    }
}

Resolution NextHops::state(const nat::Gateway& gateway, const std::string& host, const Ip& ip) const {
    const auto found = asked_.find({{host, gateway.network, ip}, gateway.name});
    return found == asked_.end() ? Resolution::resolving : found->second.state;
}

void NextHops::ask(const Question& question, const Asker& asker, SteadyClock::time_point now) {
    const auto& at = question.at;
    const auto [entry, anew] = asked_.try_emplace(question);
    auto& asked = entry->second;
    if (anew && unanswered_.contains(at)) asked.state = Resolution::failed;
    if (now < asked.ask_at || !send_(at.host, onto_wire(at.network, who_has(asker.mac, asker.ip, at.ip)))) return;
    asked.ask_at = now + kAskAgain;
    if (++asked.unanswered == kDoubt) asked.doubted = now;
    if (asked.unanswered <= kPatience || asked.state == Resolution::failed) return;
    asked.state = Resolution::failed;
    if (!question.gateway.empty())
        voice_.say(LogLevel::warning, "nexthop_failed", at.host, "gateway " + question.gateway,
                   fmt::format("next hop {} on network {} does not answer", at.ip.to_string(), at.network));
}

/// A host is judged by questions that it asked after the next hop answered another, and by answers that came when there
/// was doubt already: one that has fallen silent to all, or speaks again, is not seen so by all at once.
void NextHops::judge() {
    struct Seen {
        bool silent_to_all = true;
        SteadyClock::time_point answered{};
    };
    std::map<std::pair<std::string, Ip>, Seen> next_hops;
    for (const auto& [question, asked] : asked_) {
        auto& seen = next_hops[{question.at.network, question.at.ip}];
        seen.silent_to_all = seen.silent_to_all && asked.state == Resolution::failed;
        if (asked.state == Resolution::resolved) seen.answered = std::max(seen.answered, asked.answered);
    }
    fabric::Unanswered unanswered;
    for (const auto& [question, asked] : asked_) {
        if (asked.state == Resolution::resolved) continue;
        const auto& seen = next_hops.at({question.at.network, question.at.ip});
        const auto last_but_one = asked.ask_at - 2 * kAskAgain;
        const bool silent_to_it =
            asked.state == Resolution::failed && asked.doubted < seen.answered && seen.answered < last_but_one;
        if (!seen.silent_to_all && (silent_to_it || unanswered_.contains(question.at))) unanswered.insert(question.at);
    }
    if (unanswered != unanswered_) tell_(unanswered);
}

Task<void> NextHops::run() {
    while (!stopped_) {
        if (world_) {
            const auto wanted = questions();
            std::erase_if(asked_, [&](const auto& entry) { return !wanted.contains(entry.first); });
            for (const auto& [question, asker] : wanted)
                ask(question, asker, SteadyClock::now());
            judge();
        }
        co_await sleep_for(kTick);
    }
}

} // namespace weft::controller
