#include "cli/import_networks.hpp"

#include "topology/form.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::cli {
namespace {

namespace form = topology::form;
using topology::AddressRange;
using topology::NetworkKind;

bool is_routed_mode(std::string_view mode) {
    return mode == "nat" || mode == "route" || mode == "open";
}

/// What the reader of the file would accept.
bool legal(const Prefix& subnet) {
    const auto text = subnet.to_string();
    return subnet.address.is_v6() ? form::subnet6(text).has_value() : form::subnet(text).has_value();
}

bool overlap(const topology::Network& network, const Prefix& prefix) {
    return (network.subnet && network.subnet->overlaps(prefix)) ||
           (network.subnet6 && network.subnet6->overlaps(prefix));
}

bool overlap(const topology::Network& a, const topology::Network& b) {
    return (b.subnet && overlap(a, *b.subnet)) || (b.subnet6 && overlap(a, *b.subnet6));
}

} // namespace

bool fits(const Ip& ip, const Prefix& subnet) {
    return subnet.contains(ip) && ip != subnet.network() && (ip.is_v6() || ip != subnet.last()) &&
           form::ip(ip.to_string()).has_value();
}

void Networks::lose(const LibvirtNetwork& network, std::string_view what) {
    draft_.lost.push_back(fmt::format("network '{}': {}", clean(network.name), clean(what)));
}

void Networks::add(LibvirtNetwork given) {
    if (find(given.name) != nullptr) return; // libvirt has no two of a name
    const auto& network = sources_.emplace_back(std::move(given));
    if (network.mark) return; // weft made it of a topology
    for (const auto& other : network.others)
        lose(network, other);
    if (network.forward.empty() || is_routed_mode(network.forward))
        add_virtual(network);
    else if (network.forward == "bridge" && !network.bridge.empty())
        add_bridged(network);
    else
        lose(network, fmt::format("<forward mode='{}'> without a bridge: weft has no macvtap and no device assignment",
                                  network.forward));
}

void Networks::add_bridged(const LibvirtNetwork& network) {
    if (network.virtualport == virt::kOpenVSwitch) is_openvswitch(network.bridge);
    if (!network.vlan.trunk) {
        const auto vlan = network.vlan.tags.empty() ? std::uint16_t{0} : network.vlan.tags.front();
        const auto name = segment(network.bridge, vlan, network.name);
        const auto drafted = std::ranges::find(draft_.networks, name, [](const auto& d) { return d.object.name; });
        index_.emplace(network.name, static_cast<std::size_t>(drafted - draft_.networks.begin()));
        if (const auto own = legal_name(network.name); !name.starts_with(own))
            lose(network, fmt::format("it is on the segment of network '{}', which stands for both", name));
    }
    for (const auto& [group, limits] : network.limits) {
        if (limits.vlan.tags.empty() || limits.vlan.trunk) continue;
        const auto name = segment(network.bridge, limits.vlan.tags.front(), network.name + "-" + group);
        lose(network, fmt::format("portgroup '{}' is the network '{}' here", group, name));
    }
}

std::string Networks::segment(const std::string& bridge, std::uint16_t vlan, const std::string& wanted) {
    const auto [found, made] = segments_.try_emplace({bridge, vlan});
    if (!made) return found->second;
    auto physnet = physnets_.find(bridge);
    if (physnet == physnets_.end()) physnet = physnets_.emplace(bridge, names_.take("physnet", bridge)).first;
    topology::Network network;
    network.name = names_.take("network", !wanted.empty() ? wanted
                                          : vlan == 0     ? bridge
                                                          : fmt::format("{}-vlan{}", bridge, vlan));
    network.kind = vlan == 0 ? NetworkKind::flat : NetworkKind::vlan;
    network.physnet = physnet->second;
    if (vlan != 0) network.vlan = vlan;
    draft_.networks.push_back(
        {network, {fmt::format("Bridge {}{}.", bridge, vlan == 0 ? "" : fmt::format(", tag {}", vlan))}});
    found->second = network.name;
    return network.name;
}

void Networks::add_virtual(const LibvirtNetwork& source) {
    const bool routed = is_routed_mode(source.forward);
    Drafted<topology::Network> drafted;
    auto& [network, comments] = drafted;
    network.name = names_.take("network", source.name);
    network.kind = routed ? NetworkKind::vxlan : NetworkKind::local;
    comments.push_back(
        fmt::format("{}{}.", source.bridge.empty() ? "" : source.bridge + ", ",
                    routed ? fmt::format("<forward mode='{}'>", source.forward) : std::string("isolated")));
    if (!routed)
        comments.emplace_back("For VMs of several hosts make the kind vxlan: a local network never leaves its host.");
    for (const auto& subnet : source.subnets) {
        auto& into = subnet.prefix.address.is_v6() ? network.subnet6 : network.subnet;
        if (into || !legal(subnet.prefix)) {
            lose(source, fmt::format("subnet {}: {}", subnet.prefix.to_string(),
                                     into ? "a network has one of each family" : "no subnet of weft's has that size"));
            continue;
        }
        into = subnet.prefix;
        // Nobody is the gateway of an isolated network: then its guests are told no default route, as before.
        auto& gateway = subnet.prefix.address.is_v6() ? network.gateway6 : network.gateway;
        if (routed && fits(subnet.address, subnet.prefix)) gateway = subnet.address;
        if (subnet.prefix.address.is_v6() && !subnet.ranges.empty())
            lose(source, "the range of IPv6 DHCP: in a /64 a port without `ip6` makes its address");
    }
    if (network.subnet || network.subnet6) serve(source, network, comments);
    if (source.mtu && *source.mtu != 1500) {
        const bool legal_mtu = *source.mtu >= (network.subnet6 ? 1280 : 68) && *source.mtu <= 9216;
        if (legal_mtu)
            network.mtu = static_cast<std::uint16_t>(*source.mtu);
        else
            lose(source, fmt::format("mtu {}", *source.mtu));
        if (legal_mtu && routed)
            comments.emplace_back("The underlay must carry 50 bytes more than the MTU, over IPv6 70.");
    }
    if (!source.portgroups.empty()) lose(source, "its portgroups: their rates are of the ports here");
    index_.emplace(source.name, draft_.networks.size());
    draft_.networks.push_back(drafted);
    if (routed && (network.subnet || network.subnet6)) add_to_router(source, network);
}

void Networks::serve(const LibvirtNetwork& source, topology::Network& network, std::vector<std::string>& comments) {
    const auto served = [](const LibvirtSubnet& subnet) { return subnet.dhcp || subnet.prefix.address.is_v6(); };
    if (!std::ranges::any_of(source.subnets, served)) return;
    auto& dhcp = network.dhcp.emplace();
    for (const auto& subnet : source.subnets) {
        if (subnet.prefix != network.subnet) continue;
        if (!subnet.dhcp)
            comments.emplace_back("libvirt gave no IPv4 addresses here. weft does: `dhcp` is of both families.");
        if (subnet.dhcp && subnet.ranges.empty())
            comments.emplace_back("libvirt gave addresses only to those it knows. weft gives every port one.");
        add_ranges(subnet, network);
        if (subnet.lease) {
            constexpr std::chrono::seconds kLongest{365 * 86400};
            dhcp.lease =
                std::clamp(subnet.lease->count() == 0 ? kLongest : *subnet.lease, dhcp.kShortestLease, kLongest);
            if (dhcp.lease != *subnet.lease) lose(source, fmt::format("a lease of {} s", subnet.lease->count()));
        }
        break;
    }
    if (!source.domain.empty()) {
        if (form::domain(source.domain))
            dhcp.domain = source.domain;
        else
            lose(source, fmt::format("domain '{}'", source.domain));
    }
    if (source.forwarders.empty()) return;
    if (!network.gateway && !network.gateway6) {
        lose(source, "its DNS forwarders: write them into `resolvers` of weftd.toml");
        return;
    }
    // weft's own address first: only it knows the guests' names.
    for (const auto& gateway : {network.gateway, network.gateway6})
        if (gateway) dhcp.dns.push_back(*gateway);
    for (const auto& forwarder : source.forwarders)
        if (std::ranges::find(dhcp.dns, forwarder) == dhcp.dns.end()) dhcp.dns.push_back(forwarder);
}

/// weft has one range: from the first address of libvirt's to the last, and what lies between two is reserved.
void Networks::add_ranges(const LibvirtSubnet& subnet, topology::Network& network) {
    auto ranges = subnet.ranges;
    std::erase_if(ranges, [](const AddressRange& range) { return !form::range(range.to_string()); });
    if (ranges.empty()) return;
    std::ranges::sort(ranges);
    auto last = ranges.front().last;
    for (const auto& range : ranges) {
        if (last < range.first && last.plus(1) < range.first) {
            // What the end of the gap is: the address before the range begins.
            const auto before = Ip::v4(range.first.v4() - 1);
            network.reserved.push_back({last.plus(1), before});
        }
        last = std::max(last, range.last);
    }
    network.dhcp->range = AddressRange{ranges.front().first, last};
}

void Networks::add_to_router(const LibvirtNetwork& source, const topology::Network& network) {
    const bool translates = source.forward == "nat";
    if (source.forward == "open")
        lose(source, "mode 'open': the host's own firewall rules are not read; write [[security_group]]s");
    const auto free = [&](const Drafted<topology::Router>& router) {
        return !this->translates(router.object) &&
               std::ranges::none_of(draft_.networks, [&](const Drafted<topology::Network>& other) {
                   return std::ranges::find(router.object.networks, other.object.name) !=
                              router.object.networks.end() &&
                          overlap(other.object, network);
               });
    };
    // libvirt lets no connection into a NAT network: two of them do not reach each other. Routed ones do.
    auto router = translates ? draft_.routers.end() : std::ranges::find_if(draft_.routers, free);
    if (router == draft_.routers.end()) {
        topology::Router made;
        made.name = names_.take("router", translates ? network.name : "routed");
        if (translates) translating_.insert(made.name);
        draft_.routers.push_back({made, {}});
        router = std::prev(draft_.routers.end());
    }
    router->object.networks.push_back(network.name);
}

void Networks::add_routes() {
    for (const auto& source : sources_) {
        if (source.routes.empty()) continue;
        const auto* network = drafted(source);
        const auto router = std::ranges::find_if(draft_.routers, [&](const Drafted<topology::Router>& candidate) {
            return network != nullptr &&
                   std::ranges::find(candidate.object.networks, network->name) != candidate.object.networks.end();
        });
        for (const auto& [prefix, via] : source.routes) {
            const auto says = fmt::format("the route to {} via {}", prefix.to_string(), via.to_string());
            if (router == draft_.routers.end()) {
                lose(source, says + ": no router is in the network");
                continue;
            }
            const auto& subnet = via.is_v6() ? network->subnet6 : network->subnet;
            const auto gateway = via.is_v6() ? network->gateway6 : network->gateway;
            const bool taken = prefix.length > 0 && routed(prefix);
            if (!subnet || !fits(via, *subnet) || gateway == via || taken || !form::prefix(prefix.to_string()) ||
                (!gateway && via == subnet->network().plus(1)))
                lose(source, says);
            else if (std::ranges::find(router->object.routes, prefix, &topology::Route::prefix) !=
                     router->object.routes.end())
                lose(source, says + ": there is another to the same prefix");
            else
                router->object.routes.push_back({.prefix = prefix, .via = via});
        }
    }
}

void Networks::add_uplinks() {
    int number = 1;
    std::set<std::string> devices;
    for (const auto& [bridge, physnet] : physnets_) {
        const bool known = openvswitch_.contains(bridge) && form::interface(bridge) && devices.insert(bridge).second;
        auto device = bridge;
        while (!known && !devices.insert(device = fmt::format("eth{}", number)).second)
            ++number;
        draft_.uplinks.push_back({physnet, device, known});
        draft_.lost.push_back(
            known ? fmt::format("bridge {} stays, and a patch leads to it: `uplinks` of the host", clean(bridge))
                  : fmt::format("bridge {}: write the NIC that is in it into `uplinks` of the host", clean(bridge)));
    }
}

const LibvirtNetwork* Networks::find(const std::string& libvirt_name) const {
    const auto found = std::ranges::find(sources_, libvirt_name, &LibvirtNetwork::name);
    return found == sources_.end() ? nullptr : &*found;
}

const LibvirtNetwork* Networks::of_bridge(const std::string& bridge) const {
    // Several libvirt networks may be on a bridge that is not theirs: these are segments.
    const auto found = std::ranges::find_if(sources_, [&](const LibvirtNetwork& network) {
        return network.bridge == bridge && (network.forward.empty() || is_routed_mode(network.forward));
    });
    return found == sources_.end() || bridge.empty() ? nullptr : &*found;
}

Drafted<topology::Network>* Networks::drafted_with_comments(const LibvirtNetwork& network) {
    const auto found = index_.find(network.name);
    return found == index_.end() ? nullptr : &draft_.networks[found->second];
}

topology::Network* Networks::drafted(const LibvirtNetwork& network) {
    auto* found = drafted_with_comments(network);
    return found == nullptr ? nullptr : &found->object;
}

const topology::Router* Networks::router_of(const std::string& network) const {
    for (const auto& router : draft_.routers)
        if (std::ranges::find(router.object.networks, network) != router.object.networks.end()) return &router.object;
    return nullptr;
}

bool Networks::routed(const Prefix& prefix) const {
    for (const auto& [router, comments] : draft_.routers) {
        for (const auto& route : router.routes)
            if (route.prefix.length > 0 && route.prefix.overlaps(prefix)) return true;
    }
    return std::ranges::any_of(draft_.networks, [&](const Drafted<topology::Network>& network) {
        return router_of(network.object.name) != nullptr && overlap(network.object, prefix);
    });
}

} // namespace weft::cli
