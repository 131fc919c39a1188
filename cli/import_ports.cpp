#include "cli/import_ports.hpp"

#include "topology/form.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::cli {
namespace {

namespace form = topology::form;

/// weft's own bridge, where it is already.
constexpr std::string_view kIntegrationBridge = "br-int";
constexpr std::uint64_t kFastest = 100'000'000'000'000; // what a rate and a burst may be in the file

/// Filters of libvirt that keep a guest from sending as somebody else.
bool against_spoofing(std::string_view filter) {
    return filter.starts_with("clean-traffic") || filter.find("spoofing") != std::string_view::npos;
}

std::string rate_name(const topology::Qos& qos) {
    const auto words = [](const topology::Rate& rate) {
        const auto bits = rate.bits_per_second;
        return bits % 1'000'000 == 0 ? fmt::format("{}mbit", bits / 1'000'000) : fmt::format("{}kbit", bits / 1000);
    };
    std::string name;
    if (qos.ingress) name += "in-" + words(*qos.ingress);
    if (qos.egress) name += (name.empty() ? "out-" : "-out-") + words(*qos.egress);
    return name;
}

/// "network 'default'", "bridge 'br0'". Of a running VM's NIC on a network libvirt also says what became of it.
std::string plugged_into(const LibvirtNic& nic) {
    if (!nic.network.empty()) return fmt::format("network '{}'", nic.network);
    return fmt::format("{} '{}'", nic.type, nic.bridge.empty() ? nic.device : nic.bridge);
}

} // namespace

void Ports::add(const std::optional<LibvirtDomain>& live, const std::optional<LibvirtDomain>& persistent) {
    const auto& either = live ? live : persistent;
    if (!either) return;
    const auto same = [](const LibvirtNic& a) { return [&a](const LibvirtNic& b) { return a.mac == b.mac; }; };
    std::vector<Nic> nics;
    for (const auto& nic : either->nics) {
        std::string remark;
        if (live && persistent) {
            const auto other = std::ranges::find_if(persistent->nics, same(nic));
            if (other == persistent->nics.end())
                remark = "Only in the running VM, not in its persistent definition.";
            else if (plugged_into(*other) != plugged_into(nic))
                remark =
                    fmt::format("From its next start on in {} by its persistent definition.", plugged_into(*other));
        }
        nics.push_back({nic, remark});
    }
    if (live && persistent) {
        for (const auto& nic : persistent->nics)
            if (std::ranges::none_of(live->nics, same(nic)))
                nics.push_back({nic, "Only in the persistent definition: the VM has it from its next start on."});
    }
    for (std::size_t i = 0; i < nics.size(); ++i) {
        const auto wanted = nics.size() == 1 ? either->name : fmt::format("{}-{}", either->name, i + 1);
        add_nic(either->name, nics[i], wanted);
    }
}

const Limits* Ports::limits(const LibvirtNic& nic) const {
    const auto* network = networks_.find(nic.network);
    if (network == nullptr) return nullptr;
    const auto found = std::ranges::find_if(network->portgroups, [&](const auto& portgroup) {
        return nic.portgroup.empty() ? portgroup.second.is_default : portgroup.first == nic.portgroup;
    });
    return found == network->portgroups.end() ? nullptr : &network->limits.at(found->first);
}

void Ports::add_nic(const std::string& vm, const Nic& given, const std::string& wanted) {
    const auto& nic = given.nic;
    const auto who = fmt::format("NIC {} of VM '{}'", nic.mac.to_string(), clean(vm));
    const auto lose = [&](std::string_view what) { draft_.lost.push_back(fmt::format("{}: {}", who, clean(what))); };
    if (!form::mac(nic.mac.to_string())) return lose("that MAC is no machine's, and NICs are told apart by it");
    topology::Port port{.mac = nic.mac};
    if (!connect(nic, port, who)) return;
    if (!macs_.insert(nic.mac).second) return lose("another NIC has that MAC: MACs are unique in a topology");
    // A VM's name is libvirt's own and may have what a port's may not.
    if (form::vm(vm) && clean(vm) == vm)
        port.vm = vm;
    else
        lose("weft takes no such name of a VM: the port is bound by its MAC");
    port.name = names_.take("port", wanted);
    port.qos = rates(nic, who);
    for (const auto& other : nic.others)
        lose(other);
    if (!nic.filter.empty())
        lose(fmt::format("nwfilter '{}': {}", nic.filter,
                         against_spoofing(nic.filter) ? "`port_security` does that, and is on"
                                                      : "write a [[security_group]] that does the same"));
    Drafted<topology::Port> drafted{port, {}};
    if (!given.remark.empty()) drafted.comments.push_back(given.remark);
    draft_.ports.push_back(std::move(drafted));
}

bool Ports::connect(const LibvirtNic& nic, topology::Port& port, std::string_view who) {
    const auto lose = [&](std::string_view what) {
        draft_.lost.push_back(fmt::format("{}: {}", who, clean(what)));
        return false;
    };
    const LibvirtNetwork* network = nullptr;
    std::string bridge;
    if (!nic.network.empty()) {
        network = networks_.find(nic.network);
        if (network == nullptr) return lose(fmt::format("there is no network '{}'", nic.network));
        if (network->mark) return lose("it is on a network of weft's already: its port is weft's to know");
        if (network->forward == "bridge") bridge = network->bridge;
    } else if (nic.type == "bridge") {
        bridge = nic.bridge;
        if (bridge == kIntegrationBridge)
            return lose("it is on br-int, weft's bridge, already: its port is weft's to know");
        if (const auto* owner = networks_.of_bridge(bridge)) {
            network = owner;
            bridge.clear();
        }
    } else {
        return lose(fmt::format("<interface type='{}'>{}: weft has bridges only", nic.type,
                                nic.device.empty() ? "" : " of " + nic.device));
    }
    if (bridge.empty()) {
        const auto* drafted = network == nullptr ? nullptr : networks_.drafted(*network);
        if (drafted == nullptr) return lose(fmt::format("{} does not carry over", plugged_into(nic)));
        if (!nic.vlan.tags.empty()) lose("its <vlan>: there are no tags in that network");
        port.network = drafted->name;
        return true;
    }
    const bool openvswitch =
        nic.virtualport == virt::kOpenVSwitch || (network != nullptr && network->virtualport == virt::kOpenVSwitch);
    if (openvswitch) networks_.is_openvswitch(bridge);
    const auto* group = limits(nic);
    const LibvirtVlan none;
    const auto& vlan = !nic.vlan.tags.empty()                          ? nic.vlan
                       : group != nullptr && !group->vlan.tags.empty() ? group->vlan
                       : network != nullptr                            ? network->vlan
                                                                       : none;
    if (!vlan.trunk) {
        port.network = networks_.segment(bridge, vlan.tags.empty() ? std::uint16_t{0} : vlan.tags.front());
        if (openvswitch && vlan.tags.empty())
            lose("without <vlan>, Open vSwitch passes its tagged frames too; weft drops them");
        return true;
    }
    for (const auto tag : vlan.tags) {
        auto name = networks_.segment(bridge, tag);
        if (vlan.untagged == tag)
            port.network = std::move(name);
        else
            port.trunk.push_back({.network = std::move(name), .vlan = tag});
    }
    port.native = vlan.untagged.has_value();
    return true;
}

std::optional<topology::Rate> Ports::rate(const LibvirtRate& given, std::string_view who, std::string_view direction) {
    const auto lose = [&](std::string_view what) {
        draft_.lost.push_back(fmt::format("{}: {} of its {} <bandwidth>", who, what, direction));
    };
    if (given.peak) lose("the peak");
    if (given.floor) lose("the floor");
    if (given.average > kFastest / 8000) {
        lose("the average");
        return std::nullopt;
    }
    topology::Rate rate;
    rate.bits_per_second = given.average * 8000;
    rate.burst_bits = rate.bits_per_second * 2 / 5; // weft's default; libvirt's depends on the kernel's tick
    if (given.burst > kFastest / 8192)
        lose("the burst");
    else if (given.burst != 0)
        rate.burst_bits = given.burst * 8192;
    return rate;
}

std::string Ports::rates(const LibvirtNic& nic, std::string_view who) {
    auto bandwidth = nic.bandwidth;
    const auto* group = limits(nic);
    if (bandwidth == Bandwidth{} && group != nullptr) bandwidth = group->bandwidth;
    topology::Qos qos;
    if (bandwidth.inbound) qos.ingress = rate(*bandwidth.inbound, who, "inbound");
    if (bandwidth.outbound) qos.egress = rate(*bandwidth.outbound, who, "outbound");
    if (!qos.ingress && !qos.egress) return {};
    auto& name = rates_[bandwidth];
    if (name.empty()) {
        name = qos.name = names_.take("qos", rate_name(qos));
        draft_.qos.push_back({qos, {}});
    }
    return name;
}

void Ports::add_addresses() {
    for (const auto& source : networks_.all()) {
        auto* network = networks_.drafted_with_comments(source);
        if (network == nullptr) continue;
        add_hosts(source, *network);
        add_dns(source, network->object);
        add_leases(source, network->object);
    }
}

bool Ports::give(topology::Port& port, const Ip& ip, const topology::Network& network) {
    const auto& subnet = ip.is_v6() ? network.subnet6 : network.subnet;
    const auto& written = ip.is_v6() ? network.gateway6 : network.gateway;
    auto& into = ip.is_v6() ? port.ip6 : port.ip;
    if (into || !subnet || !fits(ip, *subnet)) return false;
    const bool routed = networks_.router_of(network.name) != nullptr;
    if (routed && ip == written.value_or(subnet->network().plus(1))) return false;
    if (!given_[network.name].insert(ip).second) return false;
    into = ip;
    if (routed) addresses_[ip].insert(port.name);
    return true;
}

void Ports::add_hosts(const LibvirtNetwork& source, Drafted<topology::Network>& drafted) {
    auto& network = drafted.object;
    for (const auto& subnet : source.subnets) {
        for (const auto& host : subnet.hosts) {
            const auto is_meant = [&](const Drafted<topology::Port>& port) {
                if (port.object.network != network.name) return false;
                return host.mac ? port.object.mac == host.mac : port.object.vm == host.name;
            };
            const auto port = std::ranges::find_if(draft_.ports, is_meant);
            const auto says = fmt::format("network '{}': the DHCP <host> {}", clean(source.name), host.ip.to_string());
            if (port == draft_.ports.end()) {
                const auto& within = host.ip.is_v6() ? network.subnet6 : network.subnet;
                if (within && fits(host.ip, *within)) network.reserved.push_back({host.ip, host.ip});
                draft_.lost.push_back(fmt::format("{}: no NIC here has its {}; the address is reserved", says,
                                                  host.mac ? "MAC " + host.mac->to_string() : "name"));
            } else if (!give(port->object, host.ip, network)) {
                draft_.lost.push_back(fmt::format("{}: port '{}' cannot have that address", says, port->object.name));
            } else if (host.mac && !host.name.empty() && host.name != port->object.name) {
                draft_.lost.push_back(
                    fmt::format("{}: its name is '{}' here, not '{}'", says, port->object.name, clean(host.name)));
            }
        }
    }
}

void Ports::add_dns(const LibvirtNetwork& source, const topology::Network& network) {
    for (const auto& host : source.dns_hosts) {
        for (const auto& name : host.names) {
            const bool known = std::ranges::any_of(draft_.ports, [&](const Drafted<topology::Port>& port) {
                return port.object.network == network.name && port.object.name == name &&
                       (port.object.ip == host.ip || port.object.ip6 == host.ip);
            });
            if (!known)
                draft_.lost.push_back(
                    fmt::format("network '{}': the DNS name '{}' of {}: weft's names are those of ports",
                                clean(source.name), clean(name), host.ip.to_string()));
        }
    }
}

void Ports::add_leases(const LibvirtNetwork& source, const topology::Network& network) {
    for (const auto& lease : source.leases) {
        const auto port = std::ranges::find_if(draft_.ports, [&](const Drafted<topology::Port>& candidate) {
            return candidate.object.mac == lease.mac && candidate.object.network == network.name;
        });
        if (port == draft_.ports.end()) continue;
        const auto& written = lease.ip.is_v6() ? port->object.ip6 : port->object.ip;
        if (networks_.router_of(network.name) != nullptr) addresses_[lease.ip].insert(port->object.name);
        if (written) continue;
        port->comments.push_back(
            fmt::format("Its lease: {} = \"{}\" keeps it.", lease.ip.is_v6() ? "ip6" : "ip", lease.ip.to_string()));
    }
}

std::vector<const topology::Port*> Ports::with(const Ip& ip) const {
    std::vector<const topology::Port*> ports;
    const auto found = addresses_.find(ip);
    if (found == addresses_.end()) return ports;
    for (const auto& port : draft_.ports)
        if (found->second.contains(port.object.name)) ports.push_back(&port.object);
    return ports;
}

const topology::Port* Ports::only_port_of(const std::string& vm) const {
    const topology::Port* only = nullptr;
    for (const auto& port : draft_.ports) {
        if (port.object.vm != vm || vm.empty()) continue;
        if (only != nullptr) return nullptr;
        only = &port.object;
    }
    return only;
}

} // namespace weft::cli
