#include "topology/allocate.hpp"

#include "base/ids.hpp"
#include "topology/addresses.hpp"
#include "topology/pool.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

namespace weft::topology {
namespace {

constexpr std::uint32_t kFirstVni = 4096;
constexpr std::uint32_t kLastVni = 0xff'ffff;
constexpr std::uint16_t kLastZone = 0xffff;

Problem problem(Severity severity, Origin where, std::string text, std::string remedy) {
    return {severity, std::move(where), std::move(text), std::move(remedy), {}};
}

/// Explicit ones, then those that were allocated before, then fresh ones.
void allocate_vnis(const Topology& topology, const Allocations& previous, Allocated& result) {
    auto& vnis = result.allocations.vnis;
    std::set<std::uint32_t> taken;
    for (const auto& [name, network] : topology.networks) {
        if (network.kind == NetworkKind::vxlan && network.vni) {
            vnis.emplace(name, *network.vni);
            taken.insert(*network.vni);
        }
    }
    for (const auto& [name, vni] : previous.vnis) {
        const auto network = topology.networks.find(name);
        if (network == topology.networks.end() || network->second.kind != NetworkKind::vxlan || vnis.contains(name))
            continue;
        if (vni >= 1 && vni <= kLastVni && taken.insert(vni).second) vnis.emplace(name, vni);
    }
    auto next = kFirstVni;
    for (const auto& [name, network] : topology.networks) {
        if (network.kind != NetworkKind::vxlan || vnis.contains(name)) continue;
        while (next <= kLastVni && taken.contains(next))
            ++next;
        if (next > kLastVni) {
            result.problems.push_back(problem(Severity::error, network.origin,
                                              fmt::format("no VNI is left for network '{}'", name),
                                              fmt::format("all from {} to {} are in use", kFirstVni, kLastVni)));
            continue;
        }
        vnis.emplace(name, next++);
    }
}

/// Transit VNIs keep out of the way of the networks' ones, which come first.
void allocate_gateways(const Topology& topology, const Allocations& previous, Allocated& result) {
    auto& gateways = result.allocations.gateways;
    std::set<std::uint32_t> vnis;
    std::set<std::uint16_t> zones;
    for (const auto& [_, vni] : result.allocations.vnis)
        vnis.insert(vni);
    for (const auto& [_, zone] : previous.zones)
        zones.insert(zone); // kept by who has them, if they still are
    for (const auto& [name, numbers] : previous.gateways) {
        if (!topology.gateways.contains(name)) continue;
        auto& kept = gateways[name];
        if (numbers.vni >= 1 && numbers.vni <= kLastVni && vnis.insert(numbers.vni).second) kept.vni = numbers.vni;
        if (numbers.zone >= 1 && zones.insert(numbers.zone).second) kept.zone = numbers.zone;
    }
    auto vni = kLastVni;
    std::uint16_t zone = 1;
    for (const auto& [name, gateway] : topology.gateways) {
        auto& numbers = gateways[name];
        while (numbers.vni == 0 && vni > 0) {
            if (vnis.insert(vni).second) numbers.vni = vni;
            --vni;
        }
        while (numbers.zone == 0 && zone < kLastZone) {
            if (zones.insert(zone).second) numbers.zone = zone;
            ++zone;
        }
        if (numbers.vni == 0 || numbers.zone == 0)
            result.problems.push_back(problem(Severity::error, gateway.origin,
                                              fmt::format("no VNI or zone is left for gateway '{}'", name),
                                              "remove gateways or networks"));
    }
}

/// Gateways' zones come first; a router or network that is new takes what is free.
void allocate_zones(const Topology& topology, const Allocations& previous, Allocated& result) {
    std::set<std::uint16_t> taken;
    for (const auto& [_, numbers] : result.allocations.gateways)
        taken.insert(numbers.zone);
    std::map<ZoneKey, Origin> wanted;
    for (const auto& [name, router] : topology.routers)
        wanted.emplace(ZoneKey{Kind::router, name}, router.origin);
    const auto routed = routed_networks(topology);
    for (const auto& [name, network] : topology.networks)
        if (!routed.contains(name)) wanted.emplace(ZoneKey{Kind::network, name}, network.origin);
    auto& zones = result.allocations.zones;
    for (const auto& [key, zone] : previous.zones)
        if (wanted.contains(key) && zone >= 1 && taken.insert(zone).second) zones.emplace(key, zone);
    std::uint16_t next = 1;
    for (const auto& [key, origin] : wanted) {
        if (zones.contains(key)) continue;
        while (next < kLastZone && taken.contains(next))
            ++next;
        if (!taken.insert(next).second) {
            result.problems.push_back(problem(
                Severity::error, origin,
                fmt::format("no zone of the connection tracker is left for {} '{}'", name_of(key.first), key.second),
                "remove networks, routers or gateways"));
            continue;
        }
        zones.emplace(key, next);
    }
}

/// 0a: is locally administered and unicast; 40 bits of hash follow. `attempt` resolves collisions.
Mac derived_mac(const std::string& port, std::uint64_t attempt) {
    return Mac::from_u64(0x0a'0000'0000'00 | (content_hash(port, attempt) & 0xff'ffff'ffff));
}

/// The MAC of every port: explicit, observed, previous, derived.
std::map<std::string, Mac> allocate_macs(const Topology& topology, const Allocations& previous,
                                         const ObservedMacs& observed, std::vector<Problem>& problems) {
    std::map<std::string, Mac> macs;
    std::set<Mac> taken;
    for (const auto& [name, port] : topology.ports) {
        if (port.mac) {
            macs.emplace(name, *port.mac);
            taken.insert(*port.mac);
        }
        for (const auto& entry : port.trunk) {
            if (entry.mac) taken.insert(*entry.mac);
        }
    }
    for (const auto& [name, mac] : observed) {
        const auto port = topology.ports.find(name);
        if (port == topology.ports.end() || macs.contains(name) || mac.is_multicast() || mac == Mac{}) continue;
        if (taken.insert(mac).second) {
            macs.emplace(name, mac);
        } else {
            problems.push_back(
                problem(Severity::warning, port->second.origin,
                        fmt::format("port '{}' brings MAC {}, which another port has", name, mac.to_string()),
                        "MACs are unique in a topology: change the NIC's"));
        }
    }
    for (const auto& [key, addresses] : previous.attachments) {
        const auto port = topology.ports.find(key.port);
        if (port == topology.ports.end() || macs.contains(key.port)) continue;
        // A trunk entry's own MAC is not the port's.
        const bool own = key.network == port->second.network ||
                         std::ranges::any_of(port->second.trunk, [&](const TrunkEntry& entry) {
                             return entry.network == key.network && !entry.mac;
                         });
        if (own && !addresses.mac.is_multicast() && addresses.mac != Mac{} && taken.insert(addresses.mac).second)
            macs.emplace(key.port, addresses.mac);
    }
    for (const auto& [name, port] : topology.ports) {
        if (macs.contains(name)) continue;
        std::uint64_t attempt = 0;
        while (!taken.insert(derived_mac(name, attempt)).second)
            ++attempt;
        macs.emplace(name, derived_mac(name, attempt));
    }
    return macs;
}

/// What is never handed out of a subnet, besides what ports have: docs/topology.md.
std::vector<AddressRange> excluded(const Network& network, const Prefix& subnet, const std::vector<Claim>& claims) {
    auto ranges = network.reserved;
    const auto exclude = [&](const Ip& ip) { ranges.push_back({ip, ip}); };
    exclude(subnet.network());
    exclude(subnet.last());
    for (const auto& gateway : {network.gateway, network.gateway6})
        if (gateway) exclude(*gateway);
    for (const auto& claim : claims)
        ranges.push_back(claim.range);
    return ranges;
}

/// The networks' pools of one family and the claims they exclude.
class Pools {
  public:
    Pools(const Topology& topology, bool v6) : claims_(public_claims(topology)) {
        for (const auto& [name, gateway] : topology.gateways) {
            auto& of_network = claims_[gateway.network];
            for (const auto& ip : {gateway.nexthop, gateway.nexthop6}) {
                if (ip) of_network.push_back({.range = {*ip, *ip}});
            }
        }
        for (const auto& [name, network] : topology.networks) {
            const auto& subnet = v6 ? network.subnet6 : network.subnet;
            // In a /64 guests make their own addresses.
            if (!subnet || (v6 && subnet->length == 64)) continue;
            const AddressRange whole{subnet->network(), subnet->last()};
            const bool narrowed = network.dhcp && network.dhcp->range && network.dhcp->range->first.is_v6() == v6;
            const auto& range = narrowed ? *network.dhcp->range : whole;
            pools_.emplace(name, Pool(range, excluded(network, *subnet, claims_[name])));
        }
    }
    Pool* find(const std::string& network) {
        const auto found = pools_.find(network);
        return found == pools_.end() ? nullptr : &found->second;
    }

  private:
    std::map<std::string, std::vector<Claim>> claims_;
    std::map<std::string, Pool> pools_;
};

/// One attachment on its way from what was written to what it gets.
struct Seat {
    AttachmentKey key;
    Attachment written;
    AttachmentAddresses addresses;
};

/// The addresses of one family: written ones, then those that were allocated before, then fresh ones.
class Seating {
  public:
    /// `services`: addresses that are taken from their networks' services only when there is no other.
    Seating(std::vector<Seat>& seats, const Allocations& previous, Pools& pools, bool v6,
            std::map<std::string, Ip>& services)
        : seats_(seats), previous_(previous), pools_(pools), v6_(v6), services_(services) {}

    void run(std::vector<Problem>& problems) {
        for (auto& seat : seats_) {
            address(seat) = v6_ ? seat.written.ip6 : seat.written.ip;
            if (auto* pool = pools_.find(seat.key.network); pool != nullptr && address(seat))
                pool->take(*address(seat));
        }
        std::erase_if(services_, [this](const auto& service) { return !reserve(service.first, service.second); });
        avoid_declined();
        for (auto& seat : seats_) {
            auto* pool = pools_.find(seat.key.network);
            const auto before = previous_.attachments.find(seat.key);
            if (pool == nullptr || address(seat) || before == previous_.attachments.end()) continue;
            const auto& ip = v6_ ? before->second.ip6 : before->second.ip;
            if (ip && pool->offers(*ip) && pool->take(*ip)) address(seat) = ip;
        }
        for (auto& seat : seats_) {
            auto* pool = pools_.find(seat.key.network);
            if (pool == nullptr || address(seat)) continue;
            address(seat) = pool->take_for(seat.key.port);
            if (!address(seat) && (accept_declined(seat.key.network, *pool) || close_service(seat.key.network, *pool)))
                address(seat) = pool->take_for(seat.key.port);
            if (!address(seat))
                problems.push_back(problem(Severity::error, seat.written.origin,
                                           fmt::format("network '{}' has no address left for port '{}': all {} are "
                                                       "in use",
                                                       seat.key.network, seat.key.port, pool->size()),
                                           "widen its 'subnet' or 'dhcp.range', reserve less, or remove ports"));
        }
    }

  private:
    bool reserve(const std::string& network, const Ip& ip) {
        auto* pool = pools_.find(network);
        return pool != nullptr && pool->offers(ip) && pool->take(ip);
    }

    /// True: there was one.
    bool close_service(const std::string& network, Pool& pool) {
        const auto service = services_.find(network);
        if (service == services_.end()) return false;
        pool.give_back(service->second);
        services_.erase(service);
        return true;
    }

    std::optional<Ip>& address(Seat& seat) const { return v6_ ? seat.addresses.ip6 : seat.addresses.ip; }

    /// But for those that somebody else was given all the same, when there was nothing else: they are kept.
    void avoid_declined() {
        if (previous_.declined.empty()) return;
        std::set<std::pair<std::string, Ip>> in_use;
        for (const auto& [key, addresses] : previous_.attachments)
            if (const auto& ip = v6_ ? addresses.ip6 : addresses.ip; ip) {
                const auto declined = previous_.declined.find(key);
                const bool by_itself =
                    declined != previous_.declined.end() && (v6_ ? declined->second.ip6 : declined->second.ip) == ip;
                if (!by_itself) in_use.emplace(key.network, *ip);
            }
        for (const auto& [key, declined] : previous_.declined) {
            const auto& ip = v6_ ? declined.ip6 : declined.ip;
            if (ip && !in_use.contains({key.network, *ip}) && reserve(key.network, *ip))
                avoided_[key.network].push_back(*ip);
        }
    }

    /// True: there were some.
    bool accept_declined(const std::string& network, Pool& pool) {
        auto addresses = std::exchange(avoided_[network], {});
        for (const auto& ip : addresses)
            pool.give_back(ip);
        return !addresses.empty();
    }

    std::vector<Seat>& seats_;
    const Allocations& previous_;
    Pools& pools_;
    bool v6_;
    std::map<std::string, Ip>& services_;
    std::map<std::string, std::vector<Ip>> avoided_;
};

/// Where weft has no router's address to be asked at it needs one of its own, if it is asked at all: a physical network
/// whose guests are told other resolvers has its gateway on the wire.
bool needs_service(const Network& network, const std::set<std::string>& routed) {
    if (!network.dhcp || !network.subnet || routed.contains(network.name)) return false;
    return !network.physical() || network.dhcp->dns.empty();
}

/// Those that stand, for now.
std::map<std::string, Ip> previous_services(const Topology& topology, const Allocations& previous) {
    const auto routed = routed_networks(topology);
    auto services = previous.services;
    std::erase_if(services, [&](const auto& service) {
        const auto network = topology.networks.find(service.first);
        return network == topology.networks.end() || !needs_service(network->second, routed);
    });
    return services;
}

/// Of networks that have none yet. Declined addresses are none for a service.
void allocate_services(const Topology& topology, Pools& pools, std::map<std::string, Ip> services, Allocated& result) {
    const auto routed = routed_networks(topology);
    result.allocations.services = std::move(services);
    for (const auto& [name, network] : topology.networks) {
        auto* pool = pools.find(name);
        if (pool == nullptr || !needs_service(network, routed) || result.allocations.services.contains(name)) continue;
        if (const auto ip = pool->take_for(name + "/service"))
            result.allocations.services.emplace(name, *ip);
        else
            result.problems.push_back(
                problem(Severity::warning, network.origin,
                        fmt::format("network '{}' has no address left where its guests could ask for names", name),
                        "widen its 'subnet' or 'dhcp.range', or give it to a router: that has an address in it"));
    }
}

/// SLAAC: in a /64 the guest makes its own address from its MAC, so that is the one it has.
void derive_ip6(std::vector<Seat>& seats, const Topology& topology, std::vector<Problem>& problems) {
    std::set<std::pair<std::string, Ip>> taken;
    for (auto& seat : seats)
        if (seat.written.ip6) taken.emplace(seat.key.network, *seat.written.ip6);
    for (auto& seat : seats) {
        const auto& network = topology.networks.at(seat.key.network);
        if (seat.addresses.ip6 || !network.subnet6 || network.subnet6->length != 64) continue;
        const auto ip = Ip::eui64(network.subnet6->network(), seat.addresses.mac);
        if (ip != network.gateway6 && taken.emplace(seat.key.network, ip).second)
            seat.addresses.ip6 = ip;
        else
            problems.push_back(problem(Severity::warning, seat.written.origin,
                                       fmt::format("{}, the EUI-64 address of port '{}', is in use in network '{}'",
                                                   ip.to_string(), seat.key.port, seat.key.network),
                                       "give the port an 'ip6' or another 'mac'"));
    }
}

} // namespace

Allocated allocate(const Topology& topology, const Allocations& previous, const ObservedMacs& observed) {
    Allocated result;
    allocate_vnis(topology, previous, result);
    allocate_gateways(topology, previous, result);
    allocate_zones(topology, previous, result);
    const auto macs = allocate_macs(topology, previous, observed, result.problems);
    std::vector<Seat> seats;
    for (const auto& [name, port] : topology.ports) {
        for (auto& attachment : attachments(port)) {
            if (!topology.networks.contains(attachment.network)) continue;
            AttachmentKey key{name, attachment.network};
            const auto mac = attachment.mac ? *attachment.mac : macs.at(name);
            seats.push_back({std::move(key), std::move(attachment), {.mac = mac}});
        }
    }
    Pools pools(topology, false);
    Pools pools6(topology, true);
    auto services = previous_services(topology, previous);
    std::map<std::string, Ip> none;
    Seating(seats, previous, pools, false, services).run(result.problems);
    Seating(seats, previous, pools6, true, none).run(result.problems);
    derive_ip6(seats, topology, result.problems);
    allocate_services(topology, pools, std::move(services), result);
    for (auto& seat : seats) {
        if (const auto declined = previous.declined.find(seat.key); declined != previous.declined.end())
            result.allocations.declined.insert(*declined);
        result.allocations.attachments.emplace(std::move(seat.key), seat.addresses);
    }
    return result;
}

} // namespace weft::topology
