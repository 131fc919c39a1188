#include "controller/announcer.hpp"

#include "controller/frames.hpp"

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 200ms;
constexpr int kTimes = 3; ///< RFC 5227 section 3 has two; a switch that is busy failing over may lose one
/// A block of SNAT addresses is announced up to here: more would be a flood.
constexpr std::size_t kMostOfABlock = 256;

} // namespace

std::map<Announcer::Address, Announcer::Answering>
Announcer::answering(const fabric::World& world, const std::map<std::string, std::string>& active) {
    std::map<Address, Answering> result;
    for (const auto& [name, gateway] : world.gateways) {
        const auto host = active.find(name);
        if (host != active.end() && !host->second.empty())
            for (const auto& address : nat::public_addresses(*gateway)) {
                auto ip = address.block.network();
                for (std::size_t i = 0; i < kMostOfABlock && address.block.contains(ip); ++i, ip = ip.plus(1))
                    result[{gateway->network, ip}] = {host->second, address.mac};
            }
        for (const auto& floating : gateway->floating_ips)
            if (!floating.host.empty()) result[{gateway->network, floating.address}] = {floating.host, floating.mac};
    }
    for (const auto& [name, network] : world.networks)
        if (network->core.routed && !network->core.edge.empty())
            for (const auto& ip : network->core.routed->addresses())
                if (!ip.is_link_local()) result[{name, ip}] = {network->core.edge, network->core.routed->mac};
    return result;
}

void Announcer::publish(const fabric::World& world, const std::map<std::string, std::string>& active) {
    auto now = answering(world, active);
    for (const auto& [address, by] : now) {
        const auto before = answering_.find(address);
        if (before == answering_.end() || before->second != by) due_[address] = {by, kTimes};
    }
    answering_ = std::move(now);
    std::erase_if(due_, [this](const auto& due) {
        const auto found = answering_.find(due.first);
        return found == answering_.end() || found->second != due.second.by;
    });
}

Task<void> Announcer::run() {
    while (!stopped_) {
        for (auto& [address, due] : due_) {
            const auto& [network, ip] = address;
            auto frame = ip.is_v4() ? gratuitous_arp(due.by.mac, ip) : unsolicited_advertisement(due.by.mac, ip, true);
            if (send_(due.by.host, onto_wire(network, std::move(frame)))) --due.times;
        }
        std::erase_if(due_, [](const auto& due) { return due.second.times <= 0; });
        co_await sleep_for(kTick);
    }
}

} // namespace weft::controller
