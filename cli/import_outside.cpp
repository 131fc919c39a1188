#include "cli/import_outside.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::cli {
namespace {

using topology::AddressRange;

/// What stands for the outside until an admin writes what it is: networks of documentation (RFC 5737).
constexpr std::uint32_t kPlaceholders[] = {0xcb00'7100, 0xc633'6400, 0xc000'0200};

class OutsideDraft {
  public:
    OutsideDraft(Draft& draft, Names& names, const Networks& networks, const Ports& ports)
        : draft_(draft), names_(names), networks_(networks), ports_(ports) {}

    void add(const std::vector<Dnat>& dnats) {
        choose_addresses(dnats);
        add_network();
        add_gateways();
        for (const auto& dnat : dnats)
            add_translation(dnat);
        if (elsewhere_ > 0)
            draft_.lost.push_back(fmt::format("{} DNAT rule{} to addresses outside of libvirt's networks", elsewhere_,
                                              elsewhere_ == 1 ? "" : "s"));
        draft_.outside = std::move(outside_);
        draft_.lost.emplace_back("the way to the outside: fill in uplink, public network, address and next hop, then "
                                 "uncomment them");
    }

  private:
    bool has_ipv4(const std::string& name) const {
        return std::ranges::any_of(draft_.networks, [&](const Drafted<topology::Network>& network) {
            return network.object.name == name && network.object.subnet;
        });
    }
    bool inside(const Ip& ip) const { return networks_.routed(Prefix::host(ip)); }

    /// The public network: that of the first address that rules name, else one of documentation.
    void choose_addresses(const std::vector<Dnat>& dnats) {
        std::vector<Prefix> candidates;
        for (const auto& dnat : dnats) {
            if (!dnat.address || !dnat.protocol || inside(*dnat.address)) continue;
            const Prefix whole{*dnat.address, 24};
            if (!fits(*dnat.address, whole)) continue;
            known_ = dnat.address;
            candidates.push_back({whole.network(), 24});
            break;
        }
        for (const auto placeholder : kPlaceholders)
            candidates.push_back({Ip::v4(placeholder), 24});
        const auto free = [&](const Prefix& prefix) { return !networks_.routed(prefix); };
        const auto found = std::ranges::find_if(candidates, free);
        public_ = found == candidates.end() ? candidates.front() : *found;
        for (const auto& dnat : dnats)
            if (dnat.address) used_.insert(*dnat.address);
        for (const auto& network : networks_.all())
            if (network.forward == "nat" && network.nat_addresses) add_snat(*network.nat_addresses);
        nexthop_ = next_address();
    }

    void add_snat(const AddressRange& range) {
        const auto overlaps = [&](const AddressRange& other) { return other.overlaps(range); };
        if (range.contains(public_.network()) || range.contains(public_.last()) || snat_.size() >= 8 ||
            std::ranges::any_of(snat_, overlaps) || inside(range.first) || inside(range.last) ||
            std::ranges::any_of(used_, [&](const Ip& ip) { return range.contains(ip); }))
            draft_.lost.push_back(fmt::format("NAT to {}: write it into `snat` of the gateway", range.to_string()));
        else
            snat_.push_back(range);
    }

    Ip next_address() {
        for (std::uint64_t n = 1; n < 255; ++n) {
            const auto ip = public_.network().plus(n);
            const auto holds = [&](const AddressRange& range) { return range.contains(ip); };
            if (std::ranges::none_of(snat_, holds) && used_.insert(ip).second) return ip;
        }
        return public_.network().plus(254);
    }

    void add_network() {
        auto& network = outside_.network;
        network.name = names_.take("network", "public");
        network.kind = topology::NetworkKind::flat;
        network.physnet = names_.take("physnet", "physnet1");
        network.subnet = public_;
        network.gateway = nexthop_;
        std::string device;
        for (const auto& source : networks_.all())
            if (device.empty()) device = source.device;
        const auto in_use = [&](const Uplink& uplink) { return uplink.device == device; };
        // A plain name of an interface, and none that is another physical network's uplink.
        if (device.size() > 15 || device != legal_name(device)) device = "eth1";
        for (int n = 1; std::ranges::any_of(draft_.uplinks, in_use); ++n)
            device = fmt::format("eth{}", n);
        draft_.uplinks.push_back({network.physnet, device, false});
    }

    void add_gateways() {
        std::vector<const topology::Router*> before; // of the same gateway
        for (auto& [router, comments] : draft_.routers) {
            const bool translates = networks_.translates(router);
            auto& name = translates ? translating_ : routing_;
            if (name.empty()) {
                name = names_.take("gateway", translates ? "igw" : "routed");
                topology::Gateway gateway;
                gateway.name = name;
                gateway.network = outside_.network.name;
                gateway.address = translates && known_ && public_.contains(*known_) ? *known_ : next_address();
                gateway.nexthop = nexthop_;
                gateway.hosts = {draft_.host.name};
                if (translates)
                    gateway.snat =
                        snat_.empty() ? std::vector{AddressRange{*gateway.address, *gateway.address}} : snat_;
                std::vector<std::string> says{
                    translates ? "Sources become its address, as MASQUERADE made them the host's."
                               : "Addresses stay as they are: the router upstream needs routes to them."};
                address_of_.emplace(name, *gateway.address);
                owner_of_.emplace(*gateway.address, name);
                outside_.gateways.push_back({gateway, says});
            }
            const auto clash = [&](const topology::Router* other) {
                return networks_.translates(*other) == translates && overlap(*other, router);
            };
            if (std::ranges::any_of(before, clash)) {
                draft_.lost.push_back(fmt::format(
                    "router '{}': its subnets overlap another's: give it a [[gateway]] of its own", router.name));
                continue;
            }
            router.gateway = name;
            before.push_back(&router);
        }
    }

    bool overlap(const topology::Router& a, const topology::Router& b) const {
        for (const auto& x : prefixes(a))
            for (const auto& y : prefixes(b))
                if (x.overlaps(y)) return true;
        return false;
    }
    std::vector<Prefix> prefixes(const topology::Router& router) const {
        std::vector<Prefix> result;
        for (const auto& [network, comments] : draft_.networks) {
            if (std::ranges::find(router.networks, network.name) == router.networks.end()) continue;
            for (const auto& subnet : {network.subnet, network.subnet6})
                if (subnet) result.push_back(*subnet);
        }
        return result;
    }

    void add_translation(const Dnat& dnat) {
        const auto lose = [&](std::string_view why) {
            draft_.lost.push_back(
                fmt::format("{}: the forward to {}: {}", clean(dnat.from), dnat.target.to_string(), why));
        };
        const auto ports = ports_.with(dnat.target);
        const auto* port = ports.size() == 1 ? ports.front() : nullptr;
        if (ports.empty()) port = ports_.only_port_of(dnat.vm);
        if (port == nullptr && !inside(dnat.target)) {
            ++elsewhere_;
            return;
        }
        if (port == nullptr) return lose(ports.empty() ? "no NIC has that address" : "several NICs have that address");
        const auto* router = networks_.router_of(port->network);
        if (router == nullptr || router->gateway.empty() || !has_ipv4(port->network))
            return lose(fmt::format("port '{}' is behind no gateway", port->name));
        const auto address = dnat.address.value_or(address_of_.at(router->gateway));
        if (inside(address)) return lose(fmt::format("{} is no address of the outside", address.to_string()));
        if (address == nexthop_ || address == public_.network() || address == public_.last())
            return lose(fmt::format("{} cannot be forwarded", address.to_string()));
        if (owner_of_.emplace(address, router->gateway).first->second != router->gateway)
            return lose(fmt::format("{} is of another gateway", address.to_string()));
        if (dnat.protocol)
            add_forward(dnat, *port, router->gateway, address, lose);
        else
            add_floating(*port, router->gateway, address, lose);
    }

    template <class Lose>
    void add_forward(const Dnat& dnat, const topology::Port& port, const std::string& gateway, const Ip& address,
                     Lose lose) {
        topology::PortForward forward{.gateway = gateway,
                                      .address = address,
                                      .protocol = *dnat.protocol,
                                      .ports = dnat.ports,
                                      .to_port = port.name,
                                      .to_ports = dnat.target_ports};
        if (dnat.protocol->number == 132 && forward.ports != forward.to_ports)
            return lose("SCTP keeps its port number");
        for (const auto& [other, comments] : outside_.forwards) {
            if (other == forward) return; // in the rules and in the script that made them
            if (other.address == address && other.protocol == forward.protocol && other.ports.overlaps(forward.ports))
                return lose(fmt::format("{} has a forward already", other.name()));
        }
        outside_.forwards.push_back({forward, {dnat.from}});
    }

    template <class Lose>
    void add_floating(const topology::Port& port, const std::string& gateway, const Ip& address, Lose lose) {
        for (const auto& [other, comments] : outside_.floating_ips) {
            if (other.address == address && other.port == port.name) return;
            if (other.address == address || other.port == port.name) return lose("a floating IP is one to one");
        }
        const auto holds = [&](const AddressRange& range) { return range.contains(address); };
        if (address_of_.at(gateway) == address || std::ranges::any_of(snat_, holds))
            return lose("a floating IP needs an address of its own");
        outside_.floating_ips.push_back({{.address = address, .port = port.name, .gateway = gateway}, {}});
    }

    Draft& draft_;
    Names& names_;
    const Networks& networks_;
    const Ports& ports_;
    Outside outside_;
    Prefix public_;
    Ip nexthop_;
    std::optional<Ip> known_; ///< an address that rules forward
    std::set<Ip> used_;
    std::vector<AddressRange> snat_;
    std::string translating_, routing_;    ///< gateways; empty until a router needs one
    std::map<std::string, Ip> address_of_; ///< by gateway
    std::map<Ip, std::string> owner_of_;   ///< gateway, by public address
    int elsewhere_ = 0;
};

} // namespace

void add_outside(Draft& draft, Names& names, const Networks& networks, const Ports& ports,
                 const std::vector<Dnat>& dnats) {
    if (draft.routers.empty()) return;
    OutsideDraft(draft, names, networks, ports).add(dnats);
}

} // namespace weft::cli
