#include "lab/plan.hpp"

#include "base/ids.hpp"
#include "topology/addresses.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <tuple>

namespace weft::lab {
namespace {

using topology::Network;
using topology::Origin;
using topology::Port;
using topology::Topology;

constexpr std::size_t kDeviceNameLimit = 15;
constexpr int kEthernetMtu = 1500;
constexpr int kVxlanOverheadV4 = 50; // outer IPv4, UDP, VXLAN, inner Ethernet
constexpr int kVxlanOverheadV6 = 70;
const Ip kControlNetwork = Ip::v4(0x64400000); // 100.64.0.0/16, shared address space: no topology's own
const Ip kFirstVtep = Ip::v4(0xc000020b);      // 192.0.2.11

/// Builds one plan; each step adds one kind of thing in the order in which later ones refer to earlier ones.
class Planner {
  public:
    Planner(const Topology& topology, const topology::Allocations& allocations, const std::string& lab,
            const Placement& moved, bool controller)
        : topology_(topology), allocations_(allocations), moved_(moved), controller_(controller) {
        plan_.name = lab;
    }

    Planned run() {
        claim_names();
        plan_.underlay_netns = netns("underlay");
        plan_.control_netns = netns("control");
        plan_.switch_netns = netns("switch");
        plan_.control = kControlNetwork.plus(1);
        plan_.control_link = {{plan_.control_netns, std::string(kControlDevice), {}},
                              {plan_.underlay_netns, "c-weftd", {}}};
        add_physnets();
        add_hosts();
        add_ports();
        add_lab_endpoints();
        add_vms();
        return {std::move(plan_), std::move(problems_)};
    }

  private:
    std::string netns(std::string_view object) const { return fmt::format("weft-{}-{}", plan_.name, object); }

    void problem(const Origin& where, std::string text, std::string remedy, const Origin& other = {}) {
        problems_.push_back({topology::Severity::error, where, std::move(text), std::move(remedy), other});
    }

    // Hosts, ports, lab endpoints and VMs share one name space: `exec NAME` must mean one thing.
    void claim_names() {
        for (const char* own : {"underlay", "control", "switch"})
            claimed_.emplace(own, Origin{});
        for (const auto& [name, host] : topology_.hosts)
            claim(name, host.origin);
        for (const auto& [name, port] : topology_.ports)
            if (port.vm.empty()) claim(name, port.origin);
        for (const auto& [name, endpoint] : topology_.lab_endpoints)
            claim(name, endpoint.origin);
        for (const auto& [name, vm] : topology_.lab_vms)
            claim(name, vm.origin);
    }

    void claim(const std::string& name, const Origin& where) {
        const auto [taken, fresh] = claimed_.emplace(name, where);
        if (fresh) return;
        if (taken->second.line == 0)
            problem(where, fmt::format("the lab keeps the name '{}' for a namespace of its own", name), "rename it");
        else
            problem(where,
                    fmt::format("'{}' is used twice: names of ports, endpoints, VMs and hosts differ in a lab", name),
                    "rename one of them", taken->second);
    }

    void add_physnets() {
        std::set<std::string> names;
        for (const auto& [name, host] : topology_.hosts)
            for (const auto& [physnet, nic] : host.uplinks)
                names.insert(physnet);
        for (const auto& [name, endpoint] : topology_.lab_endpoints)
            names.insert(endpoint.physnet);
        std::size_t index = 0;
        for (const auto& name : names)
            plan_.physnets[name].bridge = device_name("s", ++index, name);
    }

    int physnet_mtu(const std::string& physnet) const {
        int mtu = kEthernetMtu;
        for (const auto& [name, network] : topology_.networks)
            if (network.physnet == physnet) mtu = std::max<int>(mtu, network.mtu);
        return mtu;
    }

    int underlay_mtu(const std::vector<Ip>& vteps) const {
        const bool v6 = std::ranges::any_of(vteps, [](const Ip& ip) { return ip.is_v6(); });
        int mtu = kEthernetMtu;
        for (const auto& [name, network] : topology_.networks)
            if (network.kind == topology::NetworkKind::vxlan)
                mtu = std::max<int>(mtu, network.mtu + (v6 ? kVxlanOverheadV6 : kVxlanOverheadV4));
        return mtu;
    }

    std::vector<Ip> choose_vteps() const {
        std::set<Ip> taken;
        for (const auto& [name, host] : topology_.hosts)
            if (host.vtep) taken.insert(*host.vtep);
        std::vector<Ip> vteps;
        Ip next = kFirstVtep;
        for (const auto& name : topology_.host_order) {
            const auto& host = topology_.hosts.at(name);
            if (host.vtep) {
                vteps.push_back(*host.vtep);
                continue;
            }
            while (!taken.insert(next).second)
                next = next.plus(1);
            vteps.push_back(next);
        }
        return vteps;
    }

    void add_hosts() {
        const std::vector<Ip> vteps = choose_vteps();
        std::vector<Ip> v4, v6;
        for (const Ip& vtep : vteps)
            (vtep.is_v6() ? v6 : v4).push_back(vtep);
        const int length4 = v4.empty() ? 32 : covering(v4, 24).length;
        const int length6 = v6.empty() ? 128 : covering(v6, 64).length;
        const int mtu = underlay_mtu(vteps);

        for (std::size_t i = 0; i < topology_.host_order.size(); ++i) {
            const auto& host = topology_.hosts.at(topology_.host_order[i]);
            HostPlan planned{.name = host.name,
                             .netns = netns(host.name),
                             .bridge = host.bridge,
                             .control = kControlNetwork.plus(11 + i),
                             .vtep = {vteps[i], vteps[i].is_v6() ? length6 : length4}};
            planned.control_link = {{planned.netns, std::string(kControlDevice), {}},
                                    {plan_.underlay_netns, device_name("c", i + 1, host.name), {}}};
            planned.underlay_link = {{planned.netns, std::string(kUnderlayDevice), {}},
                                     {plan_.underlay_netns, device_name("u", i + 1, host.name), {}},
                                     mtu};
            add_uplinks(planned, host, i);
            plan_.hosts.push_back(std::move(planned));
        }
    }

    void add_uplinks(HostPlan& planned, const topology::Host& host, std::size_t index) {
        std::set<std::string> nics{std::string(kControlDevice), std::string(kUnderlayDevice), "br-phy", "lo",
                                   host.bridge};
        for (const auto& [physnet, nic] : host.uplinks) {
            if (nic.size() > kDeviceNameLimit)
                problem(host.origin, fmt::format("uplink '{}' is longer than an interface name may be", nic),
                        "use 15 characters at most");
            if (!nics.insert(nic).second)
                problem(host.origin, fmt::format("uplink '{}' of {} is taken by another interface", nic, host.name),
                        "give each physical network a NIC of its own, not called control0, underlay0 or br-phy");
            auto& ports = plan_.physnets.at(physnet).ports;
            // "u<host>.<uplink>-…": unique whatever is cut off the name.
            const auto place = fmt::format("u{}.", index + 1);
            Link link{{planned.netns, nic, {}},
                      {plan_.switch_netns, device_name(place, planned.uplinks.size() + 1, host.name), {}},
                      physnet_mtu(physnet)};
            ports.emplace(link.far.name, std::nullopt);
            planned.uplinks.emplace(physnet, std::move(link));
        }
    }

    bool has_router(const Network& network) const {
        return std::ranges::any_of(topology_.routers, [&](const auto& entry) {
            return std::ranges::count(entry.second.networks, network.name) > 0;
        });
    }

    /// Addresses, where they come from, and the default route where the network has a router.
    void fill(Nic& nic, const Port& port, const std::string& network_name) const {
        const auto network = topology_.networks.find(network_name);
        const auto attached = allocations_.attachments.find({port.name, network_name});
        if (network == topology_.networks.end() || attached == allocations_.attachments.end()) return;
        const Network& net = network->second;
        nic.link.near.mac = attached->second.mac;
        nic.link.mtu = net.mtu;
        const auto add = [&](const std::optional<Ip>& ip, const std::optional<Prefix>& subnet,
                             const std::optional<Ip>& gateway) {
            if (!ip || !subnet) return;
            nic.addresses.push_back({*ip, subnet->length});
            if (gateway && (net.physical() || has_router(net))) nic.routes.push_back({std::nullopt, *gateway});
        };
        add(attached->second.ip, net.subnet, net.gateway);
        add(attached->second.ip6, net.subnet6, net.gateway6);
        if (!controller_ || !net.dhcp) return;
        const bool written6 = std::ranges::any_of(topology::attachments(port), [&](const topology::Attachment& at) {
            return at.network == network_name && at.ip6;
        });
        for (const auto& address : nic.addresses) {
            if (address.address.is_v4()) nic.source4 = Source::dhcp;
            // What the guest does not make of its MAC it must be told.
            else
                nic.source6 = !written6 && address.length == 64 &&
                                      address.address == Ip::eui64(address.address, *nic.link.near.mac)
                                  ? Source::slaac
                                  : Source::dhcp;
        }
        // On a wire the router that advertises itself is another one, if there is any.
        for (auto& route : nic.routes)
            route.by_hand = route.via.is_v6() && !has_router(net);
    }

    void add_ports() {
        std::vector<const Port*> ports;
        for (const auto& [name, port] : topology_.ports)
            if (port.vm.empty()) ports.push_back(&port);
        std::ranges::sort(ports, {}, [](const Port* port) {
            return std::tie(port->origin.file, port->origin.line, port->origin.column, port->name);
        });
        std::size_t turn = 0;
        for (std::size_t i = 0; i < ports.size(); ++i) {
            const Port& port = *ports[i];
            if (plan_.hosts.empty()) {
                problem(port.origin, fmt::format("there is no host for port '{}'", port.name), "add a [[host]]");
                return;
            }
            // A moved port keeps its turn, else every later port would move with it.
            const std::string home =
                port.lab_host.empty() ? plan_.hosts[turn++ % plan_.hosts.size()].name : port.lab_host;
            const auto moved = moved_.find(port.name);
            const std::string& wanted = moved != moved_.end() ? moved->second : home;
            const HostPlan* host = plan_.host(wanted);
            if (!host) {
                problem(port.origin, fmt::format("unknown host '{}' in lab_host of port '{}'", wanted, port.name),
                        "name one of the [[host]]s");
                continue;
            }
            add_port(port, *host, i + 1);
        }
    }

    void add_port(const Port& port, const HostPlan& host, std::size_t index) {
        EndpointPlan endpoint{.name = port.name, .netns = netns(port.name), .host = host.name};
        const Device plug{host.netns, device_name("v", index, port.name), {}};
        const bool trunk = !port.trunk.empty();

        Nic native{.link = {{endpoint.netns, "eth0", {}}, plug}};
        if (trunk) native.link.far = {plan_.switch_netns, device_name("n", index, port.name), {}};
        fill(native, port, port.network);
        if (trunk && !port.native) {
            native.addresses.clear(), native.routes.clear();
            native.source4 = native.source6 = Source::fixed;
        }
        endpoint.nics.push_back(std::move(native));

        int mtu = endpoint.nics.front().link.mtu;
        for (const auto& entry : port.trunk) {
            Nic nic{.link = {{endpoint.netns, fmt::format("eth0.{}", entry.vlan), {}},
                             {plan_.switch_netns, device_name(fmt::format("n{}.", index), entry.vlan, port.name), {}}},
                    .vlan = entry.vlan};
            fill(nic, port, entry.network);
            mtu = std::max(mtu, nic.link.mtu);
            endpoint.nics.push_back(std::move(nic));
        }
        if (trunk) endpoint.trunk = {{plan_.switch_netns, device_name("t", index, port.name), {}}, plug, mtu};
        plan_.endpoints.push_back(std::move(endpoint));
    }

    void add_lab_endpoints() {
        std::size_t index = 0;
        for (const auto& [name, wanted] : topology_.lab_endpoints) {
            EndpointPlan endpoint{.name = name,
                                  .kind = EndpointKind::lab_endpoint,
                                  .netns = netns(name),
                                  .physnet = wanted.physnet,
                                  .access_vlan = wanted.vlan};
            // 0e: locally administered, and never one that allocate() hands out (0a).
            const std::uint64_t hash = content_hash(name) & 0xffffffffff;
            Nic nic{.link = {{endpoint.netns, "eth0", wanted.mac.value_or(Mac::from_u64(0x0e0000000000 | hash))},
                             {plan_.switch_netns, device_name("e", ++index, name), {}},
                             physnet_mtu(wanted.physnet)},
                    .addresses = wanted.addresses};
            if (wanted.gateway) nic.routes.push_back({std::nullopt, *wanted.gateway});
            for (const auto& route : wanted.routes)
                nic.routes.push_back({route.prefix, route.via});
            plan_.physnets.at(wanted.physnet).ports.emplace(nic.link.far.name, wanted.vlan);
            endpoint.nics.push_back(std::move(nic));
            plan_.endpoints.push_back(std::move(endpoint));
        }
    }

    void add_vms() {
        for (const auto& [name, wanted] : topology_.lab_vms) {
            const Network& network = topology_.networks.at(wanted.network);
            const auto moved = moved_.find(name);
            // 525400: QEMU's.
            VmPlan vm{.name = name,
                      .host = moved != moved_.end() ? moved->second : wanted.host,
                      .network = wanted.network,
                      .portgroup = wanted.portgroup,
                      .mac = wanted.mac.value_or(Mac::from_u64(0x525400000000 | (content_hash(name) & 0xffffff))),
                      .memory = wanted.memory,
                      .leases = controller_ && network.dhcp && network.subnet};
            for (const auto& [port_name, port] : topology_.ports) {
                if (port.vm != name || port.network != wanted.network) continue;
                const auto attached = allocations_.attachments.find({port_name, port.network});
                if (attached == allocations_.attachments.end()) continue;
                if (!wanted.mac) vm.mac = attached->second.mac;
                for (const auto& ip : {attached->second.ip, attached->second.ip6})
                    if (ip) vm.addresses.push_back(*ip);
            }
            plan_.vms.push_back(std::move(vm));
        }
    }

    const Topology& topology_;
    const topology::Allocations& allocations_;
    const Placement& moved_;
    const bool controller_;
    LabPlan plan_;
    std::vector<topology::Problem> problems_;
    std::map<std::string, Origin> claimed_;
};

} // namespace

std::vector<Ip> EndpointPlan::addresses() const {
    std::vector<Ip> all;
    for (const auto& nic : nics)
        for (const auto& address : nic.addresses)
            all.push_back(address.address);
    return all;
}

bool LabPlan::has_switch() const {
    return !physnets.empty() || std::ranges::any_of(endpoints, [](const auto& e) { return e.trunk.has_value(); });
}

const HostPlan* LabPlan::host(const std::string& wanted) const {
    const auto found = std::ranges::find(hosts, wanted, &HostPlan::name);
    return found == hosts.end() ? nullptr : &*found;
}

const EndpointPlan* LabPlan::endpoint(const std::string& wanted) const {
    const auto found = std::ranges::find(endpoints, wanted, &EndpointPlan::name);
    return found == endpoints.end() ? nullptr : &*found;
}

const VmPlan* LabPlan::vm(const std::string& wanted) const {
    const auto found = std::ranges::find(vms, wanted, &VmPlan::name);
    return found == vms.end() ? nullptr : &*found;
}

std::vector<std::string> LabPlan::namespaces() const {
    std::vector<std::string> all{underlay_netns, control_netns};
    if (has_switch()) all.push_back(switch_netns);
    for (const auto& host : hosts)
        all.push_back(host.netns);
    for (const auto& endpoint : endpoints)
        all.push_back(endpoint.netns);
    return all;
}

std::string device_name(std::string_view letter, std::size_t index, std::string_view name) {
    return fmt::format("{}{}-{}", letter, index, name).substr(0, kDeviceNameLimit);
}

Prefix covering(const std::vector<Ip>& addresses, int longest) {
    Prefix prefix{addresses.front(), longest};
    const auto ordinary = [&](const Ip& ip) {
        return prefix.contains(ip) && ip != prefix.network() && ip != prefix.last();
    };
    while (prefix.length > 1 && !std::ranges::all_of(addresses, ordinary))
        --prefix.length;
    prefix.address = prefix.network();
    return prefix;
}

Planned make_plan(const Topology& topology, const topology::Allocations& allocations, const std::string& lab_name,
                  const Placement& moved, bool controller) {
    return Planner(topology, allocations, lab_name, moved, controller).run();
}

} // namespace weft::lab
