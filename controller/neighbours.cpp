#include "controller/neighbours.hpp"

#include "controller/frames.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 200ms;
constexpr auto kAskAgain = 1s;   ///< while it does not answer
constexpr auto kRefresh = 10s;   ///< once it has
constexpr auto kForget = 5s;     ///< how long "does not answer" holds for one that nobody knew
constexpr int kPatience = 3;     ///< unanswered questions before it is called silent
constexpr std::size_t kHeld = 3; ///< packets that wait for one neighbour, as in Linux (RFC 1122 2.3.2.2 asks for one)
constexpr std::size_t kMostUnderWay = 4096; ///< a scan of a large subnet must not fill the memory

/// A next hop that is a port of weft's needs no asking.
bool is_port(const fabric::World& world, const std::string& network, const Ip& ip) {
    const auto found = world.networks.find(network);
    return found != world.networks.end() && std::ranges::any_of(found->second->bound, [&](const auto& member) {
               return std::ranges::find(member.second->ips, ip) != member.second->ips.end();
           });
}

} // namespace

std::string_view name_of(NeighbourState state) {
    switch (state) {
    case NeighbourState::resolving:
        return "resolving";
    case NeighbourState::resolved:
        return "resolved";
    case NeighbourState::failed:
        return "failed";
    }
    return "";
}

void Neighbours::publish(const fabric::WorldPtr& world, const std::map<std::string, std::string>& active) {
    world_ = world;
    active_ = active;
    const auto wanted = askers();
    std::erase_if(neighbours_, [&](const auto& entry) { return !wanted.contains(entry.first); });
}

/// Of next hops, of neighbours that are known, and of those that are under way and still could be there.
std::map<Neighbours::Key, Neighbours::Asker> Neighbours::askers() const {
    std::map<Key, Asker> result;
    const auto from_edge = [&](const fabric::NetworkCore& core, const Ip& ip) {
        if (!core.routed || core.edge.empty()) return;
        const auto& own = ip.is_v4() ? core.routed->gateway : core.routed->gateway6;
        if (own) result[{core.name, ip}] = {core.edge, core.routed->mac, *own, ""};
    };
    for (const auto& [_, network] : world_->networks)
        for (const auto& [ip, mac] : network->neighbours)
            from_edge(network->core, ip);
    for (const auto& [key, _] : neighbours_)
        if (const auto network = world_->networks.find(key.first); network != world_->networks.end())
            from_edge(network->second->core, key.second);
    for (const auto& [name, gateway] : world_->gateways) {
        const auto host = active_.find(name);
        for (const auto& ip : {gateway->nexthop, gateway->nexthop6}) {
            if (!ip) continue;
            const auto& own = ip->is_v4() ? gateway->address : gateway->address6;
            if (own && host != active_.end() && !host->second.empty() && !is_port(*world_, gateway->network, *ip))
                result[{gateway->network, *ip}] = {host->second, gateway->mac, *own, name};
        }
    }
    return result;
}

void Neighbours::heard(const std::string& network, const Ip& ip) {
    const auto found = neighbours_.find({network, ip});
    if (found == neighbours_.end()) return;
    auto& neighbour = found->second;
    if (neighbour.state == NeighbourState::failed && neighbour.nexthop)
        voice_.say(LogLevel::info, "nexthop_resolved", "", "network " + network,
                   fmt::format("next hop {} answers again", ip.to_string()));
    neighbour.state = NeighbourState::resolved;
    neighbour.unanswered = 0;
    neighbour.ask_at = SteadyClock::now() + kRefresh;
}

bool Neighbours::need(const std::string& network, const Ip& ip, const std::string& host, openflow::PacketOut again) {
    const Key key{network, ip};
    if (!neighbours_.contains(key) && neighbours_.size() >= kMostUnderWay) return false;
    auto& neighbour = neighbours_[key];
    if (neighbour.state == NeighbourState::failed) return false;
    if (neighbour.held.size() < kHeld) neighbour.held.push_back({host, std::move(again)});
    return true;
}

NeighbourState Neighbours::state(const std::string& network, const Ip& ip) const {
    const auto found = neighbours_.find({network, ip});
    return found == neighbours_.end() ? NeighbourState::resolving : found->second.state;
}

void Neighbours::ask(const Key& key, const Asker& asker, SteadyClock::time_point now) {
    auto& neighbour = neighbours_[key];
    const auto& [network, ip] = key;
    neighbour.nexthop = !asker.gateway.empty();
    if (now < neighbour.ask_at) return;
    if (neighbour.state == NeighbourState::failed && asker.gateway.empty()) {
        neighbours_.erase(key); // the next packet that needs it asks afresh
        return;
    }
    auto question = ip.is_v4() ? arp_request(asker.mac, asker.ip, ip) : neighbour_solicitation(asker.mac, asker.ip, ip);
    // Of somebody nobody could ask for, the packets that wait are not kept for ever either.
    const bool sent = send_(asker.host, onto_wire(network, std::move(question)));
    if (!sent && neighbour.nexthop) return;
    neighbour.ask_at = now + kAskAgain;
    if (++neighbour.unanswered <= kPatience || neighbour.state == NeighbourState::failed) return;
    neighbour.state = NeighbourState::failed;
    neighbour.held.clear();
    if (!asker.gateway.empty())
        return voice_.say(LogLevel::warning, "nexthop_failed", asker.host, "gateway " + asker.gateway,
                          fmt::format("next hop {} on network {} does not answer", ip.to_string(), network));
    neighbour.ask_at = now + kForget;
    gone_(network, ip);
}

Task<void> Neighbours::run() {
    while (!stopped_) {
        if (world_) {
            const auto now = SteadyClock::now();
            for (const auto& [key, asker] : askers())
                ask(key, asker, now);
            // By now the flows that lead to those who have answered are there.
            for (auto& [_, neighbour] : neighbours_)
                if (neighbour.state == NeighbourState::resolved)
                    for (const auto& held : std::exchange(neighbour.held, {}))
                        send_(held.host, held.packet);
        }
        co_await sleep_for(kTick);
    }
}

} // namespace weft::controller
