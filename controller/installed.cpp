#include "controller/installed.hpp"

#include <fmt/format.h>

namespace weft::controller {

bool Liveness::operator()(const std::string& host, std::uint32_t ofport) const {
    const auto view = world_->hosts.find(host);
    if (view == world_->hosts.end()) return true;
    for (const auto& [vtep, port] : view->second->facts.watched) {
        if (port != ofport) continue;
        const auto seen = reachable_.find(host);
        if (seen == reachable_.end()) return true;
        const auto forwards = seen->second.find(vtep);
        return forwards != seen->second.end() && forwards->second;
    }
    for (const auto& [physnet, port] : view->second->facts.uplinks)
        if (port == ofport) {
            const auto dead = dead_links_.find(host);
            return dead == dead_links_.end() || !dead->second.contains(physnet);
        }
    return true;
}

Task<Result<>> Installed::read(std::string host) {
    const auto agent = supervisor_.hosts().find(host);
    const auto session = agent == supervisor_.hosts().end() ? nullptr : agent->second.flows->session();
    if (!session)
        co_return fail(ErrorKind::io,
                       fmt::format("{} is not connected, so its flows cannot be read: see `weftctl status`", host));
    auto dump = co_await session->dump();
    if (!dump) co_return fail(ErrorKind::io, fmt::format("{}: {}", host, dump.error().text));
    auto& held = held_[host];
    for (auto& stats : dump->flows)
        held.flows.push_back(std::move(stats.flow));
    held.groups = std::move(dump->groups);
    held.tables = std::make_unique<openflow::Tables>(held.flows, held.groups);
    co_return Result<>{};
}

const openflow::Tables* Installed::tables(const std::string& host) {
    const auto found = held_.find(host);
    return found == held_.end() ? nullptr : found->second.tables.get();
}

} // namespace weft::controller
