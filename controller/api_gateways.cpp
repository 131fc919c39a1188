// Routers, gateways and their translations: what is, in the keys of docs/api.md.
#include "controller/api.hpp"
#include "controller/translation_counts.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

/// Of names, which are never empty.
json::value name_or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
}

template <class Values>
json::array texts(const Values& values) {
    json::array result;
    for (const auto& value : values)
        result.emplace_back(value.to_string());
    return result;
}

std::string joined(const json::array& texts) {
    std::vector<std::string_view> views;
    for (const auto& text : texts)
        views.emplace_back(text.get_string());
    return fmt::format("{}", fmt::join(views, ","));
}

std::string active_host(const Supervisor& supervisor, const std::string& gateway) {
    const auto found = supervisor.intent().active().find(gateway);
    return found == supervisor.intent().active().end() ? "" : found->second;
}

json::object router_object(const fabric::World& world, const fabric::RouterView& router) {
    json::array networks;
    for (const auto& leg : router.legs) {
        json::array addresses;
        for (const auto& address : {leg.gateway, leg.gateway6})
            if (address) addresses.emplace_back(address->to_string());
        networks.push_back({{"name", leg.network}, {"addresses", std::move(addresses)}});
    }
    json::array routes;
    for (const auto& route : router.routes)
        routes.push_back({{"prefix", route.prefix.to_string()},
                          {"via", route.via.to_string()},
                          {"network", router.legs.at(route.leg).network}});
    json::array hosts;
    for (const auto& [name, host] : world.hosts)
        if (host->routers.contains(router.name)) hosts.emplace_back(name);
    return {{"name", router.name},           {"networks", std::move(networks)},
            {"mac", router.mac.to_string()}, {"gateway", name_or_null(world.topology->routers.at(router.name).gateway)},
            {"routes", std::move(routes)},   {"hosts", std::move(hosts)}};
}

json::value nexthop_object(const Supervisor& supervisor, const nat::Gateway& gateway, const std::optional<Ip>& ip,
                           const std::optional<Mac>& mac) {
    if (!ip) return nullptr;
    return json::object{{"address", ip->to_string()},
                        {"mac", text_or_null(mac)},
                        {"state", name_of(next_hop(supervisor, gateway, *ip, mac))}};
}

json::object gateway_object(const Supervisor& supervisor, const nat::Gateway& gateway) {
    json::array candidates;
    for (const auto& candidate : gateway.candidates)
        candidates.push_back(
            {{"host", candidate.host}, {"state", nat::state_of(candidate, gateway, supervisor.intent().health())}});
    json::array routers;
    for (const auto& served : gateway.routers)
        routers.emplace_back(served.router);
    return {{"name", gateway.name},
            {"network", gateway.network},
            {"address", text_or_null(gateway.address)},
            {"address6", text_or_null(gateway.address6)},
            {"mac", gateway.mac.to_string()},
            {"active", name_or_null(active_host(supervisor, gateway.name))},
            {"candidates", std::move(candidates)},
            {"nexthop", nexthop_object(supervisor, gateway, gateway.nexthop, gateway.nexthop_mac)},
            {"nexthop6", nexthop_object(supervisor, gateway, gateway.nexthop6, gateway.nexthop6_mac)},
            {"snat", texts(gateway.snat)},
            {"routers", std::move(routers)}};
}

Task<TranslationCounts> read_counts(const Supervisor& supervisor) {
    std::vector<std::shared_ptr<openflow::Session>> sessions; // hosts may come and go while we wait
    for (const auto& name : translating_hosts(*supervisor.intent().published().world))
        if (const auto host = supervisor.hosts().find(name); host != supervisor.hosts().end())
            if (const auto session = host->second.flows->session()) sessions.push_back(session);
    TranslationCounts counts;
    for (const auto& session : sessions) {
        const auto of_host = co_await read_translations(session);
        if (!of_host) continue; // the host went down meanwhile: its counters are gone with it
        for (const auto& [key, count] : *of_host)
            counts[key] += count;
    }
    co_return counts;
}

/// Those of one gateway.
class Lister {
  public:
    Lister(const Supervisor& supervisor, const nat::Gateway& gateway, std::vector<Translation>& all)
        : gateway_(gateway), active_(active_host(supervisor, gateway.name)), all_(all) {}

    void list() {
        if (!gateway_.snat.empty())
            for (const auto& router : gateway_.routers)
                snat(router);
        for (const auto& floating : gateway_.floating_ips)
            add("floating_ip", floating.address.to_string(), inside(floating), {Kind::floating_ip, floating.id},
                floating.host.empty() ? active_ : floating.host);
        for (const auto& forward : gateway_.forwards)
            add("port_forward", forward.name, inside(forward) + ":" + forward.inside_ports.to_string(),
                {Kind::port_forward, forward.id}, active_);
    }

  private:
    /// IPv6 keeps its sources.
    void snat(const nat::Served& router) {
        auto behind = router.behind;
        std::erase_if(behind, [](const Prefix& prefix) { return prefix.address.is_v6(); });
        if (behind.empty()) return;
        add("snat", addresses_of_snat(gateway_), joined(texts(behind)), {Kind::router, router.id}, active_,
            router.router);
    }

    template <class Object>
    static std::string inside(const Object& object) {
        return fmt::format("{} {}", object.port, object.inside.to_string());
    }

    void add(std::string_view kind, const std::string& outside, const std::string& inside,
             const TranslationCounts::key_type& key, const std::string& host, const std::string& router = {}) {
        all_.push_back({key, gateway_.name, std::string(kind), outside, inside, router, host});
    }

    const nat::Gateway& gateway_;
    const std::string active_;
    std::vector<Translation>& all_;
};

/// Of `rows`, those whose `key` is `text`.
json::array only(const json::value& rows, std::string_view key, std::string_view text) {
    json::array result;
    for (const auto& row : rows.as_array())
        if (const auto& value = row.at(key); value.is_string() && value.get_string() == text) result.push_back(row);
    return result;
}

/// Takes the translation of one object into what is shown of it: where, and how much.
void add_translation(json::object& object, const json::value& translations, std::string_view name) {
    const auto rows = only(translations, "public", name);
    for (const auto* key : {"private", "host", "packets", "bytes"})
        object[key] = rows.empty() ? json::value(nullptr) : rows.front().at(key);
}

json::value describe(const Supervisor& supervisor, const std::string& kind, const std::string& name,
                     const json::value& translations) {
    const auto& world = *supervisor.intent().published().world;
    const auto& topology = *world.topology;
    if (kind == "router" && world.routers.contains(name)) {
        auto object = router_object(world, *world.routers.at(name));
        object["declared"] = topology.routers.at(name).origin.to_string();
        object["translations"] = only(translations, "router", name);
        return object;
    }
    if (kind == "gateway" && world.gateways.contains(name)) {
        const auto& gateway = *world.gateways.at(name);
        auto object = gateway_object(supervisor, gateway);
        object["transit_vni"] = gateway.numbers.vni;
        object["conntrack_zone"] = gateway.numbers.zone;
        object["declared"] = topology.gateways.at(name).origin.to_string();
        object["translations"] = only(translations, "gateway", name);
        return object;
    }
    if (const auto address = Ip::parse(name); kind == "floating_ip" && address)
        if (const auto found = topology.floating_ips.find(*address); found != topology.floating_ips.end()) {
            const auto& floating = found->second;
            json::object object{{"name", address->to_string()},
                                {"gateway", floating.gateway},
                                {"port", floating.port},
                                {"distributed", floating.distributed}};
            add_translation(object, translations, address->to_string());
            object["declared"] = floating.origin.to_string();
            return object;
        }
    if (const auto found = topology.port_forwards.find(name);
        kind == "port_forward" && found != topology.port_forwards.end()) {
        const auto& forward = found->second;
        json::object object{{"name", name},
                            {"gateway", forward.gateway},
                            {"address", forward.address.to_string()},
                            {"protocol", forward.protocol.to_string()},
                            {"ports", forward.ports.to_string()},
                            {"to_port", forward.to_port},
                            {"to_ports", forward.to_ports.to_string()}};
        add_translation(object, translations, name);
        object["declared"] = forward.origin.to_string();
        return object;
    }
    return nullptr;
}

} // namespace

json::value routers(const Supervisor& supervisor) {
    const auto& world = *supervisor.intent().published().world;
    json::array result;
    for (const auto& [_, router] : world.routers)
        result.push_back(router_object(world, *router));
    return result;
}

json::value gateways(const Supervisor& supervisor) {
    json::array result;
    for (const auto& [_, gateway] : supervisor.intent().published().world->gateways)
        result.push_back(gateway_object(supervisor, *gateway));
    return result;
}

std::string addresses_of_snat(const nat::Gateway& gateway) {
    return joined(texts(gateway.snat));
}

std::vector<Translation> all_translations(const Supervisor& supervisor) {
    std::vector<Translation> all;
    for (const auto& [_, gateway] : supervisor.intent().published().world->gateways)
        Lister(supervisor, *gateway, all).list();
    return all;
}

Task<json::value> translations(const Supervisor& supervisor) {
    const auto counts = co_await read_counts(supervisor);
    json::array rows;
    for (const auto& translation : all_translations(supervisor)) {
        const auto found = counts.find(translation.key);
        const auto count = found == counts.end() ? Count{} : found->second;
        rows.push_back({{"gateway", translation.gateway},
                        {"kind", translation.kind},
                        {"public", translation.outside},
                        {"private", translation.inside},
                        {"router", name_or_null(translation.router)},
                        {"host", name_or_null(translation.host)},
                        {"packets", count.packets},
                        {"bytes", count.bytes}});
    }
    co_return json::value(std::move(rows));
}

Resolution next_hop(const Supervisor& supervisor, const nat::Gateway& gateway, const Ip& ip,
                    const std::optional<Mac>& mac) {
    const auto state = supervisor.next_hops().state(gateway, active_host(supervisor, gateway.name), ip);
    // Known from before a restart, or a port of weft's.
    return mac && state == Resolution::resolving ? Resolution::resolved : state;
}

Task<json::value> show_routed(const Supervisor& supervisor, std::string kind, std::string name) {
    constexpr std::array<std::string_view, 4> kKinds{"router", "gateway", "floating_ip", "port_forward"};
    if (std::ranges::find(kKinds, kind) == kKinds.end()) co_return json::value(nullptr);
    const auto listed = co_await translations(supervisor);
    co_return describe(supervisor, kind, name, listed);
}

} // namespace weft::controller::view
