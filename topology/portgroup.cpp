#include "topology/portgroup.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::topology {
namespace {

bool is_name(std::string_view text) {
    return !text.empty() && text != kPlainPortgroup && text.find_first_of("+@") == std::string_view::npos;
}

} // namespace

PortProfile port_profile(std::vector<std::string> security_groups, std::string qos) {
    std::ranges::sort(security_groups);
    const auto twice = std::ranges::unique(security_groups);
    security_groups.erase(twice.begin(), twice.end());
    return {std::move(security_groups), std::move(qos)};
}

std::string portgroup_name(const PortProfile& profile) {
    if (profile == PortProfile{}) return std::string(kPlainPortgroup);
    auto name = fmt::format("{}", fmt::join(profile.security_groups, "+"));
    return profile.qos.empty() ? name : name + "@" + profile.qos;
}

std::optional<PortProfile> parse_portgroup(std::string_view name) {
    PortProfile profile;
    if (name == kPlainPortgroup) return profile;
    auto groups = name;
    if (const auto at = name.find('@'); at != std::string_view::npos) {
        groups = name.substr(0, at);
        profile.qos = name.substr(at + 1);
        if (!is_name(profile.qos)) return std::nullopt;
    }
    while (!groups.empty()) {
        const auto end = std::min(groups.find('+'), groups.size());
        if (!is_name(groups.substr(0, end)) || end + 1 == groups.size()) return std::nullopt;
        profile.security_groups.emplace_back(groups.substr(0, end));
        groups.remove_prefix(std::min(end + 1, groups.size()));
    }
    if (profile == PortProfile{} || port_profile(profile.security_groups, profile.qos) != profile) return std::nullopt;
    return profile;
}

} // namespace weft::topology
