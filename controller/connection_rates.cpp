#include "controller/connection_rates.hpp"

#include "fabric/special.hpp"

#include <fmt/format.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

constexpr auto kSayAgain = 1min;

} // namespace

std::vector<DroppedConnections> dropped_connections(const fabric::HostView& host,
                                                    const std::vector<openflow::MeterStats>& stats) {
    std::map<std::uint32_t, const openflow::MeterStats*> by_id;
    for (const auto& meter : stats)
        if (meter.dropped_packets > 0) by_id.emplace(meter.id, &meter);
    std::map<std::string, DroppedConnections> result; // a trunk's port is in several networks
    if (by_id.empty()) return {};
    for (const auto& [_, network] : host.networks)
        for (const auto& [port, attachment] : network->bound) {
            if (attachment->binding.host != host.name) continue;
            const auto meter = by_id.find(fabric::new_connections_meter(attachment->binding.ofport));
            if (meter != by_id.end())
                result.insert_or_assign(
                    port, DroppedConnections{port, meter->second->dropped_packets, meter->second->dropped_bytes});
        }
    std::vector<DroppedConnections> all;
    for (auto& [_, dropped] : result)
        all.push_back(std::move(dropped));
    return all;
}

void ConnectionRates::note(const fabric::HostView& host, const std::vector<openflow::MeterStats>& stats,
                           SteadyClock::time_point now) {
    // What a meter had dropped when it was first looked at is no news.
    const bool first = seen_.insert(host.name).second;
    for (const auto& dropped : dropped_connections(host, stats)) {
        auto& known = known_[{host.name, dropped.port}];
        const bool rose = !first && dropped.packets > known.packets;
        known.packets = dropped.packets;
        if (!rose || (known.said && now - *known.said < kSayAgain)) continue;
        known.said = now;
        voice_.say(LogLevel::warning, "new_connection_rate", host.name, "port " + dropped.port,
                   fmt::format("begins more than {} connections a second; {} packets that would have begun one were "
                               "dropped so far",
                               fabric::kNewConnections, dropped.packets));
    }
}

} // namespace weft::controller
