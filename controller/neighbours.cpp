#include "controller/neighbours.hpp"

#include "controller/frames.hpp"

#include <utility>

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

} // namespace

void Neighbours::publish(const fabric::WorldPtr& world) {
    world_ = world;
    const auto wanted = askers();
    std::erase_if(neighbours_, [&](const auto& entry) { return !wanted.contains(entry.first); });
}

/// Of neighbours that are known, and of those that are under way and still could be there.
std::map<Neighbours::Key, Neighbours::Asker> Neighbours::askers() const {
    std::map<Key, Asker> result;
    const auto from_edge = [&](const fabric::NetworkCore& core, const Ip& ip) {
        if (!core.routed || core.edge.empty()) return;
        const auto& own = ip.is_v4() ? core.routed->gateway : core.routed->gateway6;
        if (own) result[{core.name, ip}] = {core.edge, core.routed->mac, *own};
    };
    for (const auto& [_, network] : world_->networks)
        for (const auto& [ip, mac] : network->neighbours)
            from_edge(network->core, ip);
    for (const auto& [key, _] : neighbours_)
        if (const auto network = world_->networks.find(key.first); network != world_->networks.end())
            from_edge(network->second->core, key.second);
    return result;
}

bool Neighbours::heard(const std::string& network, const Ip& ip) {
    const auto found = neighbours_.find({network, ip});
    if (found == neighbours_.end()) return false;
    auto& neighbour = found->second;
    neighbour.state = Resolution::resolved;
    neighbour.unanswered = 0;
    neighbour.ask_at = SteadyClock::now() + kRefresh;
    return true;
}

bool Neighbours::need(const std::string& network, const Ip& ip, const std::string& host, openflow::PacketOut again) {
    const Key key{network, ip};
    if (!neighbours_.contains(key) && neighbours_.size() >= kMostUnderWay) return false;
    auto& neighbour = neighbours_[key];
    if (neighbour.state == Resolution::failed) return false;
    if (neighbour.held.size() < kHeld) neighbour.held.push_back({host, std::move(again)});
    return true;
}

void Neighbours::ask(const Key& key, const Asker& asker, SteadyClock::time_point now) {
    auto& neighbour = neighbours_[key];
    if (now < neighbour.ask_at) return;
    if (neighbour.state == Resolution::failed) {
        neighbours_.erase(key); // the next packet that needs it asks afresh
        return;
    }
    const auto& [network, ip] = key;
    // That it could not be sent counts too: the packets that wait are not kept for ever.
    send_(asker.host, onto_wire(network, who_has(asker.mac, asker.ip, ip)));
    neighbour.ask_at = now + kAskAgain;
    if (++neighbour.unanswered <= kPatience) return;
    neighbour.state = Resolution::failed;
    neighbour.held.clear();
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
                if (neighbour.state == Resolution::resolved)
                    for (const auto& held : std::exchange(neighbour.held, {}))
                        send_(held.host, held.packet);
        }
        co_await sleep_for(kTick);
    }
}

} // namespace weft::controller
