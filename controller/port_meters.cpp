#include "controller/port_meters.hpp"

#include "fabric/special.hpp"
#include "pipeline/punt.hpp"

#include <fmt/format.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;
using pipeline::Reason;

constexpr auto kSayAgain = 1min;

std::string sentence(const MeterDrops& drops) {
    if (drops.reason == Reason::punt_limit)
        return fmt::format("asks for addresses and names more than {} times a second; {} packets of its were dropped "
                           "so far",
                           pipeline::kPortServiceRate, drops.packets);
    return fmt::format("begins more than {} connections a second; {} packets that would have begun one were dropped "
                       "so far",
                       fabric::kNewConnections, drops.packets);
}

} // namespace

std::vector<MeterDrops> meter_drops(const fabric::HostView& host, const std::vector<openflow::MeterStats>& stats) {
    std::map<std::uint32_t, const openflow::MeterStats*> by_id;
    for (const auto& meter : stats)
        if (meter.dropped_packets > 0) by_id.emplace(meter.id, &meter);
    std::map<std::pair<std::string, std::uint32_t>, MeterDrops> result; // a trunk's port is in several networks
    if (by_id.empty()) return {};
    for (const auto& [_, network] : host.networks)
        for (const auto& [port, attachment] : network->bound) {
            if (attachment->binding.host != host.name) continue;
            const auto ofport = attachment->binding.ofport;
            for (const auto& [id, reason] :
                 {std::pair(fabric::new_connections_meter(ofport), Reason::new_connection_rate),
                  std::pair(fabric::egress_meter(ofport), Reason::rate),
                  std::pair(fabric::ingress_meter(ofport), Reason::rate),
                  std::pair(pipeline::port_service_meter(ofport), Reason::punt_limit)})
                if (const auto meter = by_id.find(id); meter != by_id.end())
                    result.insert_or_assign({port, id}, MeterDrops{port, reason, meter->second->dropped_packets,
                                                                   meter->second->dropped_bytes,
                                                                   id == fabric::ingress_meter(ofport)});
        }
    std::vector<MeterDrops> all;
    for (auto& [_, drops] : result)
        all.push_back(std::move(drops));
    return all;
}

void PortMeters::note(const fabric::HostView& host, const std::vector<openflow::MeterStats>& stats,
                      SteadyClock::time_point now) {
    // What a meter had dropped when it was first looked at is no news.
    const bool first = seen_.insert(host.name).second;
    for (const auto& drops : meter_drops(host, stats)) {
        if (drops.reason == Reason::rate) continue;
        auto& known = known_[{host.name, drops.port, drops.reason}];
        const bool rose = !first && drops.packets > known.packets;
        known.packets = drops.packets;
        if (!rose || (known.said && now - *known.said < kSayAgain)) continue;
        known.said = now;
        voice_.say(LogLevel::warning, std::string(pipeline::name_of(drops.reason)), host.name, "port " + drops.port,
                   sentence(drops));
    }
}

} // namespace weft::controller
