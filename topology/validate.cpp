#include "base/ids.hpp"
#include "topology/ids.hpp"
#include "topology/rules.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <tuple>

namespace weft::topology {

void Findings::unique(const std::vector<std::string>& names, const Origin& origin, std::string_view key) {
    std::map<std::string_view, std::size_t> first;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto [known, added] = first.emplace(names[i], i);
        if (!added) {
            error(origin.at(element(key, i)), fmt::format("'{}' is listed twice in '{}'", names[i], key),
                  "remove one of the two", origin.at(element(key, known->second)));
        }
    }
}

std::string unfit(const Ip& ip, const Prefix& subnet) {
    if (!subnet.contains(ip)) return fmt::format("is outside {}", subnet.to_string());
    if (ip == subnet.network())
        return fmt::format("is the {} address of {}", ip.is_v6() ? "subnet-router anycast" : "network",
                           subnet.to_string());
    if (ip.is_v4() && ip == subnet.last()) return fmt::format("is the broadcast address of {}", subnet.to_string());
    return {};
}

void sort_by_place(std::vector<Problem>& problems) {
    std::ranges::sort(problems, {}, [](const Problem& problem) {
        return std::tie(problem.where.file, problem.where.line, problem.where.column, problem.severity, problem.text);
    });
}

bool earlier(const Origin& a, const Origin& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
}

namespace {

std::string label(const std::string& name) {
    return name;
}
std::string label(const Ip& address) {
    return address.to_string();
}

/// Reports the objects of a map that share a number. `number` takes a name.
template <class Map, class Number>
void check_numbers(const Map& objects, std::string_view kind, Number number, Findings& findings) {
    std::map<std::uint64_t, const typename Map::value_type*> by_number;
    for (const auto& object : objects) {
        const auto [other, added] = by_number.emplace(number(label(object.first)), &object);
        if (added) continue;
        const auto* first = other->second;
        const auto* later = &object;
        if (earlier(later->second.origin, first->second.origin)) std::swap(first, later);
        findings.error(later->second.origin,
                       fmt::format("{} '{}' gets the same number on the switches as '{}'", kind, label(later->first),
                                   label(first->first)),
                       "rename one of them", first->second.origin);
    }
}

/// Groups of networks and of gateways are numbered alike.
void check_gateway_numbers(const Topology& topology, Findings& findings) {
    std::map<std::uint32_t, std::string> taken;
    for (const auto& [name, _] : topology.networks)
        taken.emplace(group_number(name), fmt::format("network '{}'", name));
    for (const auto& [name, gateway] : topology.gateways) {
        const auto [holder, fresh] = taken.emplace(gateway_group_number(name), fmt::format("gateway '{}'", name));
        if (!fresh)
            findings.error(gateway.origin,
                           fmt::format("gateway '{}' gets the same number on the switches as {}", name, holder->second),
                           "rename one of them");
    }
}

} // namespace

void check_ids(const Topology& topology, Findings& findings) {
    const auto check = [&](Kind kind, const auto& objects) {
        check_numbers(
            objects, name_of(kind), [&](const std::string& name) { return object_id(kind, name).value; }, findings);
    };
    check(Kind::host, topology.hosts);
    check(Kind::network, topology.networks);
    check(Kind::port, topology.ports);
    check(Kind::router, topology.routers);
    check(Kind::gateway, topology.gateways);
    check(Kind::floating_ip, topology.floating_ips);
    check(Kind::port_forward, topology.port_forwards);
    check(Kind::security_group, topology.security_groups);
    check(Kind::qos, topology.qos);
    check_numbers(topology.networks, "network", group_number, findings);
    check_numbers(topology.security_groups, "security_group", security_group_number, findings);
    check_gateway_numbers(topology, findings);
}

std::vector<Problem> validate(const Topology& topology) {
    Findings findings;
    for (const auto check : {check_hosts, check_networks, check_ports, check_duplicates, check_routers, check_gateways,
                             check_translations, check_policy, check_ids})
        check(topology, findings);
    auto problems = std::move(findings).take();
    sort_by_place(problems);
    return problems;
}

} // namespace weft::topology
