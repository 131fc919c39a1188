#include "fabric/world.hpp"

#include "topology/ids.hpp"

#include <algorithm>

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

NetworkCore core_of(const topology::Network& network, const topology::Allocations& allocations) {
    NetworkCore core;
    core.name = network.name;
    core.id = object_id(Kind::network, network.name);
    core.group_number = topology::group_number(network.name);
    core.kind = network.kind;
    if (const auto vni = allocations.vnis.find(network.name); vni != allocations.vnis.end()) core.vni = vni->second;
    core.vlan = network.vlan.value_or(0);
    core.physnet = network.physnet;
    core.addressed = network.subnet || network.subnet6;
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

Attachment attach(const topology::Port& port, const Membership& membership, bool leads, const Binding& binding,
                  const Inputs& inputs) {
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
    attachment.port_security = port.port_security;
    attachment.vlan = membership.vlan;
    attachment.leads = leads;
    attachment.binding = binding;
    if (const auto facts = inputs.facts.find(binding.host); facts != inputs.facts.end())
        attachment.vtep = facts->second.vtep;
    return attachment;
}

bool is_in_one_of(const std::set<std::string>& networks, const topology::Port& port) {
    return networks.contains(port.network) ||
           std::ranges::any_of(port.trunk, [&](const auto& entry) { return networks.contains(entry.network); });
}

/// Bound attachments of the touched networks, by network.
std::map<std::string, std::vector<Attachment>> attachments(const Inputs& inputs, const Touched& touched) {
    std::map<std::string, std::vector<Attachment>> result;
    for (const auto& [name, binding] : inputs.bindings) {
        const auto port = inputs.topology->ports.find(name);
        if (port == inputs.topology->ports.end()) continue;
        if (!touched.all && !is_in_one_of(touched.networks, port->second)) continue;
        bool leads = true;
        for (const auto& membership : memberships(port->second)) {
            if (touched.all || touched.networks.contains(membership.network))
                result[membership.network].push_back(attach(port->second, membership, leads, binding, inputs));
            leads = false;
        }
    }
    return result;
}

NetworkPtr build_network(const topology::Network& network, const std::vector<Attachment>& members, const Inputs& inputs,
                         const NetworkPtr& previous) {
    NetworkView view;
    view.core = core_of(network, inputs.allocations);
    for (const auto& member : members) {
        const auto before = previous ? find_or_null(previous->bound, member.port) : AttachmentPtr{};
        view.bound.emplace(member.port, shared_or_new(member, before));
        view.hosts.emplace(member.binding.host, member.vtep);
    }
    return shared_or_new(std::move(view), previous);
}

HostPtr build_host(const std::string& name, const World& world, const Inputs& inputs, const HostPtr& previous,
                   const std::map<std::string, std::vector<NetworkPtr>>& present) {
    HostView view;
    view.name = name;
    view.id = object_id(Kind::host, name);
    if (const auto facts = inputs.facts.find(name); facts != inputs.facts.end()) view.facts = facts->second;
    if (const auto networks = present.find(name); networks != present.end())
        for (const auto& network : networks->second)
            view.networks.emplace(network->core.name, network);
    for (const auto& [_, network] : view.networks) {
        if (network->core.kind != topology::NetworkKind::vxlan) continue;
        for (const auto& [host, vtep] : network->hosts)
            if (host != name && vtep && world.topology->hosts.contains(host)) view.peers.insert(*vtep);
    }
    return shared_or_new(std::move(view), previous);
}

} // namespace

bool NetworkView::operator==(const NetworkView& other) const {
    return core == other.core && hosts == other.hosts && bound == other.bound;
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

    const auto members = attachments(inputs, reach);
    std::map<std::string, std::vector<NetworkPtr>> present;
    for (const auto& [name, network] : inputs.topology->networks) {
        const auto before = previous ? find_or_null(previous->networks, name) : NetworkPtr{};
        NetworkPtr view = before;
        if (!before || reach.all || reach.networks.contains(name)) {
            static const std::vector<Attachment> kNone;
            const auto found = members.find(name);
            view = build_network(network, found == members.end() ? kNone : found->second, inputs, before);
        }
        world->networks.emplace(name, view);
        for (const auto& [host, _] : view->hosts)
            present[host].push_back(view);
    }
    for (const auto& [name, _] : inputs.topology->hosts) {
        const auto before = previous ? find_or_null(previous->hosts, name) : HostPtr{};
        world->hosts.emplace(name, build_host(name, *world, inputs, before, present));
    }
    return world;
}

} // namespace weft::fabric
