#include "fabric/zones.hpp"

#include "topology/ids.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace weft::fabric {
namespace {

template <class Map, class T>
typename Map::mapped_type shared_or_new(T fresh, const Map& previous, const typename Map::key_type& key) {
    const auto found = previous.find(key);
    if (found != previous.end() && *found->second == fresh) return found->second;
    return std::make_shared<const T>(std::move(fresh));
}

GroupView group_of(const topology::SecurityGroup& group) {
    GroupView view;
    view.name = group.name;
    view.id = object_id(Kind::security_group, group.name);
    view.number = topology::security_group_number(group.name);
    std::set<std::string> said;
    for (const auto& rule : group.rules) {
        const auto text = rule.to_string();
        if (rule.direction == topology::Direction::egress) view.restricts_egress = true;
        if (said.insert(text).second) view.rules.push_back({topology::rule_id(group.name, rule), rule});
    }
    std::string all = group.name;
    for (const auto& text : said)
        all += "\n" + text;
    view.digest = content_hash(all);
    return view;
}

/// Zones in which a member may have come, gone or changed its address.
std::set<std::uint16_t> changed_zones(const World& world, const World& previous) {
    std::set<std::uint16_t> zones;
    for (const auto& [name, network] : world.networks) {
        const auto before = previous.networks.find(name);
        if (before != previous.networks.end() && before->second == network) continue;
        zones.insert(network->core.zone);
        if (before != previous.networks.end()) zones.insert(before->second->core.zone);
    }
    for (const auto& [name, network] : previous.networks)
        if (!world.networks.contains(name)) zones.insert(network->core.zone);
    return zones;
}

Members members_of(std::vector<Prefix> addresses) {
    Members members{joined(std::move(addresses)), 0};
    std::string all;
    for (const auto& prefix : members.addresses)
        fmt::format_to(std::back_inserter(all), "{} ", prefix.to_string());
    members.digest = content_hash(all);
    return members;
}

bool is_local(const HostView& view, const Attachment& attachment) {
    return attachment.binding.host == view.name;
}

/// Puts together the zones of one host.
class ZoneBuilder {
  public:
    ZoneBuilder(const HostView& view, const World& world) : view_(view), world_(world) {
        for (const auto& [_, network] : view.networks)
            if (network->core.tracked && network->hosts.contains(view.name)) zones_[network->core.zone];
        if (zones_.empty()) return;
        for (const auto& [_, network] : view.networks)
            if (const auto zone = zones_.find(network->core.zone); zone != zones_.end()) add(zone->second, *network);
        for (auto& [number, zone] : zones_) {
            zone.view.number = number;
            zone.view.policy = policy_of(number, zone);
            add_routes(zone);
        }
    }

    std::map<std::uint16_t, ZoneView> views() && {
        std::map<std::uint16_t, ZoneView> views;
        for (auto& [number, zone] : zones_)
            views.emplace(number, std::move(zone.view));
        return views;
    }
    /// The groups of this host's ports, and the zones where they are.
    const std::map<std::string, std::set<std::uint16_t>>& groups() const { return groups_; }

  private:
    struct Zone {
        ZoneView view;
        std::set<std::string> groups;
        std::string judged; ///< which ports are in which groups, as text
        const RouterView* router = nullptr;
    };

    void add(Zone& zone, const NetworkView& network) {
        const auto& core = network.core;
        const auto* router = core.routed ? router_of(core.routed->router) : nullptr;
        if (core.routed) {
            zone.view.router = core.routed->router;
            if (router != nullptr && translates_for(*router)) zone.view.gateway = router->gateway;
            zone.view.edge = zone.view.edge || core.edge == view_.name;
        }
        zone.view.network = core.id;
        ZoneNetwork part{.id = core.id, .physical = core.physical(), .public_macs = public_macs(core)};
        part.beside_gateway = view_.translating.contains(core.name);
        if (core.routed) {
            part.router = core.routed->addresses();
            part.router_mac = core.routed->mac;
        }
        for (const auto& [_, attachment] : network.bound)
            if (is_local(view_, *attachment)) add(zone, core, *attachment);
        zone.view.networks.push_back(std::move(part));
        if (router != nullptr) zone.router = router;
    }

    /// Where the router leads, for packets that come by their destination's address.
    void add_routes(Zone& zone) const {
        if (zone.router == nullptr || (!zone.view.edge && !zone.view.gateway)) return;
        std::set<Ip> local;
        for (const auto& port : zone.view.ports)
            local.insert(port.ips.begin(), port.ips.end());
        for (const auto& leg : zone.router->legs)
            for (const auto& subnet : {leg.subnet, leg.subnet6})
                if (subnet) zone.view.routes.push_back({*subnet, true, false});
        for (const auto& route : zone.router->routes)
            zone.view.routes.push_back({route.prefix, false, local.contains(route.via)});
    }

    void add(Zone& zone, const NetworkCore& core, const Attachment& attachment) {
        zone.view.ports.push_back({.owner = attachment.owner,
                                   .id = attachment.id,
                                   .network = core.id,
                                   .physical = core.physical(),
                                   .beside_gateway = view_.translating.contains(core.name),
                                   .grouped = !attachment.groups.empty(),
                                   .mac = attachment.mac,
                                   .ips = attachment.ips,
                                   .ofport = attachment.binding.ofport});
        if (attachment.groups.empty()) return;
        fmt::format_to(std::back_inserter(zone.judged), "{:x}:", attachment.id.value);
        for (const auto& group : attachment.groups) {
            zone.groups.insert(group->name);
            groups_[group->name].insert(core.zone);
            fmt::format_to(std::back_inserter(zone.judged), "{:x},", group->id.value);
        }
    }

    /// Whatever can change what the groups say of a connection of this zone here.
    std::uint32_t policy_of(std::uint16_t number, const Zone& zone) const {
        auto all = zone.judged;
        for (const auto& name : zone.groups) {
            const auto& group = *world_.groups.at(name);
            fmt::format_to(std::back_inserter(all), "\n{:x}", group.digest);
            for (const auto& [_, rule] : group.rules)
                if (const auto members = world_.memberships.find({rule.remote_group, number});
                    members != world_.memberships.end())
                    fmt::format_to(std::back_inserter(all), " {}={:x}", rule.remote_group, members->second->digest);
        }
        const auto hash = static_cast<std::uint32_t>(content_hash(all));
        return hash == 0 ? 1 : hash;
    }

    const RouterView* router_of(ObjectId id) const {
        for (const auto& [_, router] : view_.routers)
            if (router->id == id) return router.get();
        return nullptr;
    }
    bool translates_for(const RouterView& router) const {
        return router.gateway && std::ranges::any_of(view_.gateways, [&](const auto& entry) {
                   return entry.second->id == *router.gateway && view_.translating.contains(entry.second->network);
               });
    }
    std::vector<Mac> public_macs(const NetworkCore& core) const {
        std::vector<Mac> macs;
        if (!view_.translating.contains(core.name)) return macs;
        for (const auto& [_, gateway] : view_.gateways) {
            if (gateway->network != core.name) continue;
            if (gateway->rank(view_.name)) macs.push_back(gateway->mac);
            for (const auto* floating : nat::translated_by(*gateway, view_.name))
                macs.push_back(floating->mac);
        }
        return macs;
    }

    const HostView& view_;
    const World& world_;
    std::map<std::uint16_t, Zone> zones_;
    std::map<std::string, std::set<std::uint16_t>> groups_;
};

} // namespace

std::vector<Prefix> joined(std::vector<Prefix> prefixes) {
    for (auto& prefix : prefixes)
        prefix.address = prefix.network();
    // The shorter of two that begin alike comes first and covers the other.
    std::ranges::sort(prefixes, {}, [](const Prefix& p) { return std::tuple(p.address, p.length); });
    std::vector<Prefix> result;
    for (const auto& prefix : prefixes) {
        if (!result.empty() && result.back().contains(prefix.address)) continue;
        result.push_back(prefix);
        while (result.size() >= 2) {
            const auto& left = result[result.size() - 2];
            const auto& right = result.back();
            if (left.length != right.length || left.length == 0) break;
            const Prefix both{left.address, left.length - 1};
            if (both.has_host_bits() || !both.contains(right.address)) break;
            result.pop_back();
            result.back() = both;
        }
    }
    return result;
}

bool HostGroup::operator==(const HostGroup& other) const {
    return group == other.group && remotes == other.remotes;
}

std::map<std::string, GroupPtr> groups_of(const topology::Topology& topology,
                                          const std::map<std::string, GroupPtr>& previous) {
    std::map<std::string, GroupPtr> groups;
    for (const auto& [name, group] : topology.security_groups)
        groups.emplace(name, shared_or_new(group_of(group), previous, name));
    return groups;
}

Memberships memberships_of(const World& world, const WorldPtr& previous) {
    std::set<std::string> named;
    for (const auto& [_, group] : world.groups)
        for (const auto& [id, rule] : group->rules)
            if (!rule.remote_group.empty()) named.insert(rule.remote_group);
    if (named.empty()) return {};

    static const Memberships kNone;
    const auto& before = previous ? previous->memberships : kNone;
    const bool same_groups = previous && previous->groups == world.groups;
    const auto changed = same_groups ? changed_zones(world, *previous) : std::set<std::uint16_t>{};
    Memberships result;
    if (same_groups)
        for (const auto& [key, members] : before)
            if (!changed.contains(key.second)) result.emplace(key, members);

    std::map<std::pair<std::string, std::uint16_t>, std::vector<Prefix>> fresh;
    for (const auto& [_, network] : world.networks) {
        const auto zone = network->core.zone;
        if (!network->core.tracked || (same_groups && !changed.contains(zone))) continue;
        for (const auto& [port, attachment] : network->bound) {
            for (const auto& group : attachment->groups) {
                if (!named.contains(group->name)) continue;
                auto& addresses = fresh[{group->name, zone}];
                for (const auto& ip : attachment->ips)
                    addresses.push_back(Prefix::host(ip));
                addresses.insert(addresses.end(), attachment->allowed.begin(), attachment->allowed.end());
            }
        }
    }
    for (auto& [key, addresses] : fresh)
        result.emplace(key, shared_or_new(members_of(std::move(addresses)), before, key));
    return result;
}

void add_policies(HostView& view, const World& world, const HostPtr& previous) {
    ZoneBuilder builder(view, world);
    static const std::map<std::string, HostGroupPtr> kNoGroups;
    static const std::map<std::uint16_t, ZonePtr> kNoZones;
    for (const auto& [name, zones] : builder.groups()) {
        HostGroup group{world.groups.at(name), {}};
        for (const auto& [id, rule] : group.group->rules)
            for (const auto zone : zones)
                if (const auto members = world.memberships.find({rule.remote_group, zone});
                    members != world.memberships.end())
                    group.remotes.emplace(members->first, members->second);
        view.groups.emplace(name, shared_or_new(std::move(group), previous ? previous->groups : kNoGroups, name));
    }
    for (auto& [number, zone] : std::move(builder).views())
        view.zones.emplace(number, shared_or_new(std::move(zone), previous ? previous->zones : kNoZones, number));
}

} // namespace weft::fabric
