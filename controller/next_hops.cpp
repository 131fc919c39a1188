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

bool NextHops::doubted(const NextHopAt& at) const {
    const auto found = asked_.find(at);
    return found != asked_.end() && found->second.unanswered >= kDoubt;
}

/// The active hosts; and, to probe, candidates that were not answered and those that may have to take over.
std::map<NextHopAt, NextHops::Asker> NextHops::askers() const {
    std::map<NextHopAt, Asker> result;
    const auto active_host = [this](const nat::Gateway& gateway) {
        const auto found = active_.find(gateway.name);
        return found == active_.end() ? std::string() : found->second;
    };
    for_each_next_hop(*world_, [&](const nat::Gateway& gateway, const Ip& ip, const Ip& own) {
        if (const auto host = active_host(gateway); !host.empty())
            result[{host, gateway.network, ip}] = {gateway.mac, own, gateway.name};
    });
    for_each_next_hop(*world_, [&](const nat::Gateway& gateway, const Ip& ip, const Ip&) {
        const bool in_doubt = doubted({active_host(gateway), gateway.network, ip});
        for (const auto& candidate : gateway.candidates) {
            const NextHopAt at{candidate.host, gateway.network, ip};
            const auto mac = fabric::host_mac(candidate.host, gateway.physnet);
            if (in_doubt || unanswered_.contains(at))
                result.emplace(at, Asker{mac, ip.is_v4() ? Ip() : Ip::link_local(mac), ""});
        }
    });
    return result;
}

void NextHops::heard(const std::string& host, const std::string& network, const Ip& ip) {
    const auto found = asked_.find({host, network, ip});
    if (found == asked_.end()) return;
    auto& asked = found->second;
    if (asked.state == Resolution::failed && !asked.probes)
        voice_.say(LogLevel::info, "nexthop_resolved", host, "network " + network,
                   fmt::format("next hop {} answers again", ip.to_string()));
    asked.state = Resolution::resolved;
    asked.unanswered = 0;
    asked.ask_at = SteadyClock::now() + kRefresh;
}

Resolution NextHops::state(const std::string& host, const std::string& network, const Ip& ip) const {
    const auto found = asked_.find({host, network, ip});
    return found == asked_.end() ? Resolution::resolving : found->second.state;
}

void NextHops::ask(const NextHopAt& at, const Asker& asker, SteadyClock::time_point now) {
    const auto [entry, anew] = asked_.try_emplace(at);
    auto& asked = entry->second;
    if (anew && unanswered_.contains(at)) asked.state = Resolution::failed;
    if (const bool probes = asker.gateway.empty(); probes != asked.probes) {
        asked.probes = probes;
        asked.ask_at = now; // it speaks for another now: the next hop shall know
    }
    if (now < asked.ask_at) return;
    if (!send_(at.host, onto_wire(at.network, who_has(asker.mac, asker.ip, at.ip)))) return;
    asked.ask_at = now + kAskAgain;
    if (++asked.unanswered <= kPatience || asked.state == Resolution::failed) return;
    asked.state = Resolution::failed;
    if (!asked.probes)
        voice_.say(LogLevel::warning, "nexthop_failed", at.host, "gateway " + asker.gateway,
                   fmt::format("next hop {} on network {} does not answer", at.ip.to_string(), at.network));
}

void NextHops::judge() {
    std::map<std::pair<std::string, Ip>, std::map<std::string, Resolution>> by_next_hop;
    for (const auto& [at, asked] : asked_)
        by_next_hop[{at.network, at.ip}].emplace(at.host, asked.state);
    auto unanswered = unanswered_;
    for (const auto& [next_hop, states] : by_next_hop) {
        const auto any = [&states](Resolution wanted) {
            return std::ranges::any_of(states, [wanted](const auto& state) { return state.second == wanted; });
        };
        const bool to_all = !any(Resolution::resolved) && !any(Resolution::resolving);
        for (const auto& [host, state] : states) {
            const NextHopAt at{host, next_hop.first, next_hop.second};
            if (to_all || state == Resolution::resolved)
                unanswered.erase(at);
            else if (state == Resolution::failed && any(Resolution::resolved))
                unanswered.insert(at);
        }
    }
    std::erase_if(unanswered, [this](const NextHopAt& at) { return !asked_.contains(at); });
    if (unanswered != unanswered_) tell_(unanswered);
}

Task<void> NextHops::run() {
    while (!stopped_) {
        if (world_) {
            const auto wanted = askers();
            std::erase_if(asked_, [&](const auto& entry) { return !wanted.contains(entry.first); });
            for (const auto& [at, asker] : wanted)
                ask(at, asker, SteadyClock::now());
            judge();
        }
        co_await sleep_for(kTick);
    }
}

} // namespace weft::controller
