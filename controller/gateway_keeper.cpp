#include "controller/gateway_keeper.hpp"

#include "controller/frames.hpp"
#include "pipeline/fields.hpp"

#include <fmt/format.h>
#include <set>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 200ms;
constexpr auto kAskAgain = 1s;    ///< while it does not answer
constexpr auto kRefresh = 30s;    ///< once it has
constexpr int kPatience = 3;      ///< unanswered questions before a next hop is called silent
constexpr int kAnnouncements = 3; ///< RFC 5227 section 3 has two; a switch that is busy failing over may lose one
/// A range of SNAT addresses is announced up to here: more would be a flood.
constexpr std::size_t kMaxAnnounced = 256;

/// Out of the uplink of a physical network.
openflow::PacketOut onto(ObjectId network, Frame frame) {
    using namespace pipeline;
    return {std::move(frame),
            openflow::ofport::kController,
            {load(kNetwork, network.value), load(WayOut::uplink), again_to(Stage::output)}};
}

struct Answering {
    std::string host, network;
    Mac mac;
};

/// Every public address and who answers for it.
std::map<Ip, Answering> answering(const fabric::World& world, const std::map<std::string, std::string>& active) {
    std::map<Ip, Answering> result;
    for (const auto& [name, gateway] : world.gateways) {
        const auto host = active.find(name);
        if (host != active.end() && !host->second.empty())
            for (const auto& address : nat::public_addresses(*gateway)) {
                auto ip = address.block.network();
                for (std::size_t i = 0; i < kMaxAnnounced && address.block.contains(ip); ++i, ip = ip.plus(1))
                    result[ip] = {host->second, gateway->network, address.mac};
            }
        for (const auto& floating : gateway->floating_ips)
            if (!floating.host.empty()) result[floating.address] = {floating.host, gateway->network, floating.mac};
    }
    return result;
}

} // namespace

std::string_view name_of(NexthopState state) {
    switch (state) {
    case NexthopState::resolving:
        return "resolving";
    case NexthopState::resolved:
        return "resolved";
    case NexthopState::failed:
        return "failed";
    }
    return "";
}

void GatewayKeeper::publish(const fabric::WorldPtr& world, const std::map<std::string, std::string>& active) {
    world_ = world;
    active_ = active;
    std::map<Ip, std::string> now;
    for (const auto& [ip, by] : answering(*world, active)) {
        now.emplace(ip, by.host);
        const auto before = answering_.find(ip);
        if (before != answering_.end() && before->second == by.host) continue;
        pending_[{by.host, ip}] = {by.network, by.mac, kAnnouncements};
    }
    answering_ = std::move(now);
    std::erase_if(pending_, [this](const auto& entry) {
        const auto found = answering_.find(entry.first.second);
        return found == answering_.end() || found->second != entry.first.first;
    });
    std::erase_if(nexthops_, [&](const auto& entry) {
        return std::ranges::none_of(world->gateways, [&](const auto& gateway) {
            return gateway.second->network == entry.first.first &&
                   (gateway.second->nexthop == entry.first.second || gateway.second->nexthop6 == entry.first.second);
        });
    });
}

void GatewayKeeper::heard(const std::string& network, const Ip& ip) {
    const auto found = nexthops_.find({network, ip});
    if (found == nexthops_.end()) return;
    auto& nexthop = found->second;
    if (nexthop.state == NexthopState::failed)
        voice_.say(LogLevel::info, "nexthop_resolved", "", "network " + network,
                   fmt::format("next hop {} answers again", ip.to_string()));
    nexthop = {NexthopState::resolved, 0, SteadyClock::now() + kRefresh};
}

NexthopState GatewayKeeper::nexthop(const std::string& network, const Ip& ip) const {
    const auto found = nexthops_.find({network, ip});
    return found == nexthops_.end() ? NexthopState::resolving : found->second.state;
}

void GatewayKeeper::ask(const nat::Gateway& gateway, const Ip& ip, const std::string& host) {
    auto& nexthop = nexthops_[{gateway.network, ip}];
    const auto now = SteadyClock::now();
    if (now < nexthop.ask_at) return;
    const auto& own = ip.is_v4() ? gateway.address : gateway.address6;
    if (!own) return;
    auto question = ip.is_v4() ? arp_request(gateway.mac, *own, ip) : neighbour_solicitation(gateway.mac, *own, ip);
    if (!send_(host, onto(gateway.network_id, std::move(question)))) return;
    nexthop.ask_at = now + kAskAgain;
    if (++nexthop.unanswered <= kPatience || nexthop.state == NexthopState::failed) return;
    nexthop.state = NexthopState::failed;
    voice_.say(LogLevel::warning, "nexthop_failed", host, "gateway " + gateway.name,
               fmt::format("next hop {} on network {} does not answer", ip.to_string(), gateway.network));
}

void GatewayKeeper::announce() {
    for (auto& [where, announcement] : pending_) {
        const auto& [host, ip] = where;
        auto frame =
            ip.is_v4() ? gratuitous_arp(announcement.mac, ip) : unsolicited_advertisement(announcement.mac, ip, true);
        if (send_(host, onto(object_id(Kind::network, announcement.network), std::move(frame)))) --announcement.times;
    }
    std::erase_if(pending_, [](const auto& entry) { return entry.second.times <= 0; });
}

Task<void> GatewayKeeper::run() {
    while (!stopped_) {
        if (world_) {
            announce();
            for (const auto& [name, gateway] : world_->gateways) {
                const auto host = active_.find(name);
                if (host == active_.end() || host->second.empty()) continue;
                for (const auto& nexthop : {gateway->nexthop, gateway->nexthop6})
                    if (nexthop) ask(*gateway, *nexthop, host->second);
            }
        }
        co_await sleep_for(kTick);
    }
}

} // namespace weft::controller
