#include "fabric/world.hpp"

#include "fabric/gateways.hpp"
#include "fabric/zones.hpp"
#include "topology/ids.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::fabric {
namespace {

/// `fresh`, or the previous part when it says the same.
template <class T>
std::shared_ptr<const T> shared_or_new(T fresh, const std::shared_ptr<const T>& previous) {
    if (previous && *previous == fresh) return previous;
    return std::make_shared<const T>(std::move(fresh));
}

template <class Map>
typename Map::mapped_type find_or_null(const Map& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? typename Map::mapped_type{} : found->second;
}

/// 06: is locally administered and unicast; ports have 0a:, gateways 0e:.
constexpr std::uint64_t kRouterMacs = 0x06'0000'0000'00;
constexpr std::uint64_t kHostMacs = 0x02'0000'0000'00;
constexpr std::uint64_t kServiceMacs = 0x16'0000'0000'00;

/// The first host in file order that has the uplink, not known to be dead, and is not lost.
std::string edge_of(const topology::Network& network, const Inputs& inputs) {
    for (const auto& name : inputs.topology->host_order) {
        const auto host = inputs.topology->hosts.find(name);
        if (host != inputs.topology->hosts.end() && host->second.uplinks.contains(network.physnet) &&
            !inputs.learnt.absent.contains(name) && !inputs.learnt.is_dead(name, network.physnet))
            return name;
    }
    return "";
}

/// What the topology says of routers and gateways, by network.
struct Roles {
    std::map<std::string, const topology::Router*> router; ///< of a network
    std::map<std::string, std::set<Ip>> nexthops;          ///< by public network
    std::set<topology::ZoneKey> tracked;                   ///< zones in which a port has groups

    topology::ZoneKey zone_of(const std::string& network) const {
        const auto found = router.find(network);
        if (found == router.end()) return {Kind::network, network};
        return {Kind::router, found->second->name};
    }
    explicit Roles(const topology::Topology& topology) {
        for (const auto& [_, entry] : topology.routers)
            for (const auto& network : entry.networks)
                router.emplace(network, &entry);
        for (const auto& [_, gateway] : topology.gateways)
            for (const auto& ip : {gateway.nexthop, gateway.nexthop6}) {
                auto& of_network = nexthops[gateway.network];
                if (ip) of_network.insert(*ip);
            }
        for (const auto& [_, port] : topology.ports)
            if (!port.security_groups.empty())
                for (const auto& network : networks_of(port))
                    tracked.insert(zone_of(network));
    }
};

/// Of a network that serves.
Service service_of(const topology::Network& network, const std::optional<Routed>& routed,
                   const topology::Allocations& allocations) {
    if (routed) return {routed->mac, routed->addresses()};
    Service service{service_mac(network.name), {}};
    if (const auto ip = allocations.services.find(network.name); ip != allocations.services.end())
        service.addresses.push_back(ip->second);
    if (network.subnet6) service.addresses.push_back(Ip::link_local(service.mac));
    return service;
}

NetworkCore core_of(const topology::Network& network, const Inputs& inputs, const Roles& roles) {
    const auto& allocations = inputs.allocations;
    NetworkCore core;
    core.name = network.name;
    core.id = object_id(Kind::network, network.name);
    core.group_number = topology::group_number(network.name);
    core.kind = network.kind;
    if (const auto vni = allocations.vnis.find(network.name); vni != allocations.vnis.end()) core.vni = vni->second;
    core.vlan = network.vlan.value_or(0);
    core.physnet = network.physnet;
    core.mtu = network.mtu;
    core.subnet = network.subnet;
    core.subnet6 = network.subnet6;
    core.addressed = network.subnet || network.subnet6;
    if (const auto found = roles.nexthops.find(network.name); found != roles.nexthops.end()) {
        core.has_gateways = true;
        core.nexthops = found->second;
    }
    std::set<ObjectId> said;
    for (const auto& entry : network.acl) {
        const auto id = topology::entry_id(network.name, entry);
        if (said.insert(id).second) core.acl.push_back({id, entry}); // a repeated entry never decides
    }
    if (const auto router = roles.router.find(network.name); router != roles.router.end()) {
        const auto& name = router->second->name;
        core.routed = {object_id(Kind::router, name), router_mac(name), network.gateway, network.gateway6};
        if (network.physical()) core.edge = edge_of(network, inputs);
    }
    if (network.dhcp) core.service = service_of(network, core.routed, allocations);
    const auto zone = roles.zone_of(network.name);
    core.tracked = roles.tracked.contains(zone);
    if (const auto found = allocations.zones.find(zone); found != allocations.zones.end()) core.zone = found->second;
    return core;
}

struct Membership {
    std::string network;
    std::optional<std::uint16_t> vlan;
};

/// The first one leads: it carries the flows of the port as a whole.
std::vector<Membership> memberships(const topology::Port& port) {
    std::vector<Membership> result;
    if (port.native || port.trunk.empty()) result.push_back({port.network, std::nullopt});
    for (const auto& entry : port.trunk)
        result.push_back({entry.network, entry.vlan});
    return result;
}

using Groups = std::map<std::string, GroupPtr>;

/// Nothing for a number beyond the queues that linux-htb can have (netdev-linux.c, HTB_N_QUEUES).
std::optional<std::uint32_t> guaranteed_queue(std::uint32_t ofport) {
    constexpr std::uint32_t kQueues = 0xf000;
    return ofport > 0 && ofport < kQueues ? std::optional(ofport) : std::nullopt;
}

std::optional<PortQos> qos_of(const topology::Port& port, const topology::Topology& topology) {
    const auto found = topology.qos.find(port.qos);
    if (found == topology.qos.end()) return std::nullopt;
    const auto& qos = found->second;
    return PortQos{qos.name, qos.egress, qos.ingress, qos.dscp, qos.guarantee_bits_per_second};
}

Attachment attach(const topology::Port& port, const Membership& membership, bool leads, const Binding& binding,
                  const Inputs& inputs, const Groups& groups) {
    Attachment attachment;
    attachment.port = port.name;
    attachment.owner = object_id(Kind::port, port.name);
    attachment.id = object_id(Kind::port, port.name + "\n" + membership.network);
    const auto addresses = inputs.allocations.attachments.find({port.name, membership.network});
    if (addresses != inputs.allocations.attachments.end()) {
        attachment.mac = addresses->second.mac;
        if (addresses->second.ip) attachment.ips.push_back(*addresses->second.ip);
        if (addresses->second.ip6) attachment.ips.push_back(*addresses->second.ip6);
    }
    if (leads) attachment.allowed = port.allowed_addresses;
    for (const auto& group : port.security_groups)
        if (const auto found = groups.find(group); found != groups.end()) attachment.groups.push_back(found->second);
    attachment.port_security = port.port_security;
    attachment.qos = qos_of(port, *inputs.topology);
    attachment.vlan = membership.vlan;
    attachment.leads = leads;
    const auto serves = [&](const std::string& name) {
        const auto network = inputs.topology->networks.find(name);
        return network != inputs.topology->networks.end() && network->second.dhcp;
    };
    attachment.served = leads && ((!membership.vlan && serves(port.network)) ||
                                  std::ranges::any_of(port.trunk, serves, &topology::TrunkEntry::network));
    attachment.binding = binding;
    if (const auto facts = inputs.facts.find(binding.host); facts != inputs.facts.end())
        attachment.vtep = facts->second.vtep;
    if (const auto& arriving = attachment.binding.arriving)
        if (const auto facts = inputs.facts.find(arriving->host); facts != inputs.facts.end())
            attachment.arriving_vtep = facts->second.vtep;
    return attachment;
}

bool is_in_one_of(const std::set<std::string>& networks, const topology::Port& port) {
    return networks.contains(port.network) ||
           std::ranges::any_of(port.trunk, [&](const auto& entry) { return networks.contains(entry.network); });
}

/// Bound attachments of the touched networks, by network.
std::map<std::string, std::vector<Attachment>> attachments(const Inputs& inputs, const Touched& touched,
                                                           const Groups& groups) {
    std::map<std::string, std::vector<Attachment>> result;
    for (const auto& [name, binding] : inputs.bindings) {
        const auto port = inputs.topology->ports.find(name);
        if (port == inputs.topology->ports.end()) continue;
        if (!touched.all && !is_in_one_of(touched.networks, port->second)) continue;
        bool leads = true;
        for (const auto& membership : memberships(port->second)) {
            if (touched.all || touched.networks.contains(membership.network))
                result[membership.network].push_back(attach(port->second, membership, leads, binding, inputs, groups));
            leads = false;
        }
    }
    return result;
}

/// Of all hosts.
std::map<std::string, RowsQos> rates_of(const Inputs& inputs) {
    std::map<std::string, RowsQos> rates;
    const auto& topology = *inputs.topology;
    if (topology.qos.empty()) return rates;
    bool marks = false;
    for (const auto& [name, port] : topology.ports) {
        const auto qos = qos_of(port, topology);
        if (!qos) continue;
        marks = marks || qos->dscp;
        const auto bound = inputs.bindings.find(name);
        if (bound == inputs.bindings.end()) continue;
        const auto& binding = bound->second;
        if (qos->ingress) {
            rates[binding.host].shaped.emplace(binding.interface, *qos->ingress);
            // The guest that arrives there is limited from its first frame on.
            if (const auto& arriving = binding.arriving)
                rates[arriving->host].shaped.emplace(arriving->interface, *qos->ingress);
        }
        const auto facts = inputs.facts.find(binding.host);
        const auto queue = guaranteed_queue(binding.ofport);
        if (qos->guarantee && queue && facts != inputs.facts.end() && facts->second.queues)
            rates[binding.host].guaranteed.emplace(*queue, *qos->guarantee);
    }
    for (const auto& [name, _] : topology.hosts)
        if (marks) rates[name].marks = true;
    return rates;
}

NetworkPtr build_network(const topology::Network& network, const std::vector<Attachment>& members, const Inputs& inputs,
                         const Roles& roles, const NetworkPtr& previous) {
    NetworkView view;
    view.core = core_of(network, inputs, roles);
    if (view.core.routed && view.core.physical())
        for (const auto& [key, mac] : inputs.learnt.neighbours)
            if (key.first == network.name) view.neighbours.emplace(key.second, mac);
    for (const auto& member : members) {
        const auto before = previous ? find_or_null(previous->bound, member.port) : AttachmentPtr{};
        view.bound.emplace(member.port, shared_or_new(member, before));
        view.hosts.emplace(member.binding.host, member.vtep);
        if (member.binding.arriving) view.hosts.emplace(member.binding.arriving->host, member.arriving_vtep);
    }
    return shared_or_new(std::move(view), previous);
}

RouterView router_of(const topology::Router& router, const topology::Topology& topology) {
    RouterView view;
    view.name = router.name;
    view.id = object_id(Kind::router, router.name);
    view.mac = router_mac(router.name);
    for (const auto& name : router.networks) {
        const auto& network = topology.networks.at(name);
        view.legs.push_back({name, object_id(Kind::network, name), network.subnet, network.subnet6, network.gateway,
                             network.gateway6, network.mtu});
        view.largest_mtu = std::max(view.largest_mtu, network.mtu);
    }
    for (const auto& route : router.routes) {
        const auto leg = std::ranges::find_if(view.legs, [&](const Leg& at) {
            return (at.subnet && at.subnet->contains(route.via)) || (at.subnet6 && at.subnet6->contains(route.via));
        });
        if (leg == view.legs.end()) continue; // validation says so
        view.routes.push_back({route.prefix, route.via, static_cast<std::size_t>(leg - view.legs.begin())});
    }
    if (const auto gateway = topology.gateways.find(router.gateway); gateway != topology.gateways.end()) {
        view.gateway = object_id(Kind::gateway, router.gateway);
        view.gateway_has_ip4 = gateway->second.address.has_value();
        view.gateway_has_ip6 = gateway->second.address6.has_value();
        view.gateway_mtu = topology.networks.at(gateway->second.network).mtu;
        view.largest_mtu = std::max(view.largest_mtu, view.gateway_mtu);
    }
    return view;
}

/// The hosts that send to each other for a router: those with a port in its networks, and its gateway's candidates.
using Spans = std::map<std::string, std::set<std::string>>;

Spans spans_of(const World& world) {
    Spans spans;
    for (const auto& [name, router] : world.topology->routers) {
        auto& span = spans[name];
        for (const auto& name_of : router.networks) {
            const auto& network = *world.networks.at(name_of);
            for (const auto& [host, _] : network.hosts)
                span.insert(host);
            if (!network.core.edge.empty()) span.insert(network.core.edge);
        }
        if (const auto gateway = world.gateways.find(router.gateway); gateway != world.gateways.end())
            for (const auto& candidate : gateway->second->candidates)
                span.insert(candidate.host);
    }
    return spans;
}

class HostBuilder {
  public:
    HostBuilder(const World& world, const Inputs& inputs, const Spans& spans, std::string name)
        : world_(world), inputs_(inputs), spans_(spans) {
        view_.name = std::move(name);
        view_.id = object_id(Kind::host, view_.name);
        if (const auto facts = inputs.facts.find(view_.name); facts != inputs.facts.end()) view_.facts = facts->second;
    }

    HostView build(const std::vector<NetworkPtr>& present) {
        for (const auto& network : present)
            view_.networks.emplace(network->core.name, network);
        add_routers();
        add_gateways();
        for (const auto& [_, network] : view_.networks)
            if (network->core.kind == topology::NetworkKind::vxlan)
                for (const auto& [host, _] : network->hosts)
                    add_host(view_.peers, host);
        for (const auto& [router, _] : view_.routers)
            for (const auto& host : spans_.at(router))
                add_host(view_.peers, host);
        return std::move(view_);
    }

  private:
    void add_host(std::set<Ip>& to, const std::string& host) {
        if (host == view_.name || !world_.topology->hosts.contains(host)) return;
        const auto vtep = vtep_of(inputs_, host);
        if (vtep && vtep != view_.facts.vtep) to.insert(*vtep);
    }

    void add_routers() {
        for (const auto& [name, span] : spans_)
            if (span.contains(view_.name)) view_.routers.emplace(name, world_.routers.at(name));
        for (const auto& [_, router] : view_.routers)
            for (const auto& leg : router->legs)
                if (const auto& network = world_.networks.at(leg.network); network->core.edge == view_.name)
                    view_.networks.emplace(leg.network, network);
                else if (!view_.networks.contains(leg.network))
                    view_.reached.emplace(leg.network, world_.networks.at(leg.network));
    }

    void add_gateways() {
        std::set<std::string> shared; // public networks where this host may be active
        for (const auto& [name, gateway] : world_.gateways) {
            const bool candidate = gateway->rank(view_.name).has_value();
            if (candidate) {
                shared.insert(gateway->network);
                for (const auto& other : gateway->candidates)
                    add_host(view_.watched, other.host);
            }
            for (const auto& router : gateway->routers) {
                if (!view_.routers.contains(router.router)) continue;
                view_.gateways.emplace(name, gateway);
                for (const auto& other : gateway->candidates)
                    add_host(view_.watched, other.host);
                if (candidate)
                    for (const auto& host : spans_.at(router.router))
                        add_host(view_.watched, host);
            }
        }
        for (const auto& [name, gateway] : world_.gateways)
            if (shared.contains(gateway->network) || translates(*gateway)) view_.gateways.emplace(name, gateway);
        for (const auto& [_, gateway] : view_.gateways) {
            if (!gateway->rank(view_.name) && !translates(*gateway)) continue;
            view_.translating.insert(gateway->network);
            view_.networks.emplace(gateway->network, world_.networks.at(gateway->network));
            view_.reached.erase(gateway->network);
        }
    }

    bool translates(const nat::Gateway& gateway) const {
        return std::ranges::any_of(gateway.floating_ips, [&](const auto& f) { return f.host == view_.name; });
    }

    const World& world_;
    const Inputs& inputs_;
    const Spans& spans_;
    HostView view_;
};

} // namespace

std::optional<std::uint32_t> queue_of(const HostView& host, const Attachment& attachment) {
    if (!attachment.qos || !attachment.qos->guarantee || !host.facts.queues || attachment.binding.host != host.name)
        return std::nullopt;
    return guaranteed_queue(attachment.binding.ofport);
}

Mac router_mac(std::string_view router) {
    return Mac::from_u64(kRouterMacs | (object_id(Kind::router, router).value & 0xff'ffff'ffff));
}

Mac service_mac(std::string_view network) {
    return Mac::from_u64(kServiceMacs | (content_hash(network) & 0xff'ffff'ffff));
}

Mac host_mac(std::string_view host, std::string_view physnet) {
    const auto id = object_id(Kind::host, fmt::format("{}\n{}", host, physnet));
    return Mac::from_u64(kHostMacs | (id.value & 0xff'ffff'ffff));
}

std::optional<Mac> NetworkCore::own_mac(const Ip& ip) const {
    const auto has = [&ip](const std::vector<Ip>& addresses) { return std::ranges::count(addresses, ip) > 0; };
    if (routed && has(routed->addresses())) return routed->mac;
    if (service && has(service->addresses)) return service->mac;
    return std::nullopt;
}

std::vector<Ip> Routed::addresses() const {
    std::vector<Ip> all;
    if (gateway) all.push_back(*gateway);
    if (gateway6) {
        all.push_back(*gateway6);
        all.push_back(Ip::link_local(mac));
    }
    return all;
}

bool NetworkView::operator==(const NetworkView& other) const {
    return core == other.core && hosts == other.hosts && neighbours == other.neighbours && bound == other.bound;
}

std::vector<std::string> networks_of(const topology::Port& port) {
    std::vector<std::string> names;
    for (const auto& membership : memberships(port))
        names.push_back(membership.network);
    return names;
}

WorldPtr build(const Inputs& inputs, const WorldPtr& previous, const Touched& touched) {
    auto world = std::make_shared<World>();
    world->topology = inputs.topology;
    const Touched everything{.all = true, .networks = {}, .hosts = {}};
    // A host's VTEP is in the attachments of every port on it.
    Touched reach = previous ? touched : everything;
    if (!reach.all)
        for (const auto& host : touched.hosts)
            if (const auto view = find_or_null(previous->hosts, host))
                for (const auto& [name, _] : view->networks)
                    reach.networks.insert(name);

    const Roles roles(*inputs.topology);
    static const Groups kNoGroups;
    world->groups = previous && !reach.all ? previous->groups
                                           : groups_of(*inputs.topology, previous ? previous->groups : kNoGroups);
    const auto members = attachments(inputs, reach, world->groups);
    auto rates = rates_of(inputs);
    std::map<std::string, std::vector<NetworkPtr>> present;
    for (const auto& [name, network] : inputs.topology->networks) {
        const auto before = previous ? find_or_null(previous->networks, name) : NetworkPtr{};
        NetworkPtr view = before;
        if (!before || reach.all || reach.networks.contains(name)) {
            static const std::vector<Attachment> kNone;
            const auto found = members.find(name);
            view = build_network(network, found == members.end() ? kNone : found->second, inputs, roles, before);
        }
        world->networks.emplace(name, view);
        for (const auto& [host, _] : view->hosts)
            present[host].push_back(view);
    }
    for (const auto& [name, router] : inputs.topology->routers) {
        const auto before = previous ? find_or_null(previous->routers, name) : RouterPtr{};
        world->routers.emplace(name, before && !reach.all ? before
                                                          : shared_or_new(router_of(router, *inputs.topology), before));
    }
    for (const auto& [name, gateway] : inputs.topology->gateways) {
        const auto before = previous ? find_or_null(previous->gateways, name) : nat::GatewayPtr{};
        world->gateways.emplace(
            name, shared_or_new(gateway_of(gateway, inputs, reach.all ? nat::GatewayPtr{} : before), before));
    }
    world->memberships = memberships_of(*world, previous);
    const auto spans = spans_of(*world);
    for (const auto& [name, _] : inputs.topology->hosts) {
        const auto before = previous ? find_or_null(previous->hosts, name) : HostPtr{};
        auto view = HostBuilder(*world, inputs, spans, name).build(present[name]);
        add_policies(view, *world, before);
        view.qos = std::move(rates[name]);
        world->hosts.emplace(name, shared_or_new(std::move(view), before));
    }
    return world;
}

} // namespace weft::fabric
