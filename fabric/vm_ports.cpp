#include "fabric/vm_ports.hpp"

#include "fabric/world.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <iterator>

namespace weft::fabric {
namespace {

constexpr std::size_t kLongestName = 63; // docs/topology.md

/// A NIC, and who tells of it.
struct Told {
    std::string uuid;
    std::string vm;
    bool live = false; ///< of a VM that is not off, and no old news
    VmNic nic;
    std::set<std::string> hosts;
};

/// Each NIC once: a VM that migrates, or is defined on several hosts, is told of by each. The live account counts.
std::vector<Told> nics_told(const topology::Topology& written, const std::map<std::string, HostVms>& told) {
    std::vector<Told> all;
    for (const bool current : {true, false})
        for (const auto& [host, account] : told) {
            if (account.current != current || !written.hosts.contains(host)) continue;
            for (const auto& [uuid, vm] : account.vms) {
                const bool live = current && (vm.state == VmState::running || vm.state == VmState::paused);
                for (const auto& nic : vm.nics) {
                    const auto known = std::ranges::find_if(
                        all, [&](const Told& t) { return t.uuid == uuid && t.nic.mac == nic.mac; });
                    if (known == all.end()) {
                        all.push_back({uuid, vm.name, live, nic, {host}});
                        continue;
                    }
                    known->hosts.insert(host);
                    if (!live || known->live) continue;
                    known->nic = nic;
                    known->live = true;
                }
            }
        }
    std::vector<Told> live_first;
    for (const bool live : {true, false})
        std::ranges::copy_if(all, std::back_inserter(live_first), [&](const Told& t) { return t.live == live; });
    return live_first;
}

bool fits(const topology::Port& port, const VmNic& nic) {
    if (nic.network.empty()) return nic.on_bridge;
    const auto networks = networks_of(port);
    return std::ranges::find(networks, nic.network) != networks.end();
}

class Decision {
  public:
    Decision(const topology::Topology& written, const std::map<std::string, HostVms>& told, const VmPorts& before,
             const std::set<std::string>& held)
        : written_(written), told_(told), before_(before), held_(held), nics_(nics_told(written, told)) {}

    VmPorts decide() {
        for (const auto& [name, port] : written_.ports)
            if (port.mac) taken_.emplace(*port.mac, name);
        for (const auto& [name, port] : written_.ports)
            if (!port.vm.empty()) give_nic(port);
        // Who had a port keeps it, before a VM that was defined anew has its own back, before anybody new takes a name.
        for (const auto& told : nics_)
            if (const auto* before = port_before(told.nic.mac); before != nullptr && before->uuid == told.uuid)
                add_dynamic(told);
        keep_those_not_told();
        for (const bool known : {true, false})
            for (const auto& told : nics_)
                if ((port_before(told.nic.mac) != nullptr) == known) add_dynamic(told);
        return std::move(ports_);
    }

  private:
    void give_nic(const topology::Port& port) {
        const auto had = before_.nics.find(port.name);
        const Told* chosen = nullptr;
        for (const auto& told : nics_) {
            if (told.vm != port.vm) continue;
            if (port.mac ? told.nic.mac != *port.mac : taken_.contains(told.nic.mac) || !fits(port, told.nic)) continue;
            const bool same =
                had != before_.nics.end() && had->second.mac == told.nic.mac && had->second.uuid == told.uuid;
            if (chosen == nullptr || same) chosen = &told;
            if (same) break;
        }
        explain(port, chosen);
        PortNic nic;
        if (chosen != nullptr)
            nic = {chosen->nic.mac, chosen->uuid};
        else if (had == before_.nics.end() ||
                 (port.mac ? had->second.mac != *port.mac : taken_.contains(had->second.mac)))
            return;
        else
            nic = had->second;
        taken_.emplace(nic.mac, port.name);
        ports_.nics.emplace(port.name, nic);
    }

    /// Why a port of a VM that is there has no NIC on weft's bridge.
    void explain(const topology::Port& port, const Told* chosen) {
        if (chosen != nullptr && (chosen->nic.on_bridge || chosen->nic.unknown)) return;
        if (chosen == nullptr)
            for (const auto& told : nics_)
                if (told.vm == port.vm && !port.mac && chosen == nullptr) chosen = &told;
        if (chosen == nullptr) return;
        const auto& source = chosen->nic.source;
        ports_.troubles["port " + port.name] = fmt::format(
            "the NIC {} of VM {} is on {}: `weftctl migrate {} {} {}` moves it", chosen->nic.mac.to_string(), port.vm,
            source, port.vm, source.substr(source.find(' ') + 1), port.network);
    }

    const DynamicPort* port_before(const Mac& mac) const {
        for (const auto& [_, dynamic] : before_.dynamic)
            if (dynamic.port.mac == mac) return &dynamic;
        return nullptr;
    }

    bool is_free(const std::string& name) const {
        return !written_.ports.contains(name) && !ports_.dynamic.contains(name);
    }

    /// Whose the MAC is already, if that is another VM.
    bool is_of_another(const Told& told, const std::string& holder) const {
        if (const auto dynamic = ports_.dynamic.find(holder); dynamic != ports_.dynamic.end())
            return dynamic->second.uuid != told.uuid;
        if (const auto nic = ports_.nics.find(holder); nic != ports_.nics.end()) return nic->second.uuid != told.uuid;
        const auto& vm = written_.ports.at(holder).vm;
        return !vm.empty() && vm != told.vm;
    }

    void add_dynamic(const Told& told) {
        if (told.nic.network.empty()) return;
        const auto mac = told.nic.mac;
        if (const auto holder = taken_.find(mac); holder != taken_.end()) {
            if (is_of_another(told, holder->second))
                ports_.troubles["vm " + told.vm] = fmt::format("its NIC has the MAC {} of port {}: give it another one",
                                                               mac.to_string(), holder->second);
            return;
        }
        const auto* before = port_before(mac);
        topology::Port port;
        if (before != nullptr) port = before->port;
        if (before == nullptr || !is_free(port.name)) {
            std::size_t n = 1;
            while (!is_free(dynamic_port_name(told.vm, n)) || before_.dynamic.contains(dynamic_port_name(told.vm, n)))
                ++n;
            port.name = dynamic_port_name(told.vm, n);
        }
        port.network = told.nic.network;
        port.vm = told.vm;
        port.mac = mac;
        port.security_groups = told.nic.profile.security_groups;
        port.qos = told.nic.profile.qos;
        taken_.emplace(mac, port.name);
        const auto name = port.name;
        ports_.dynamic.emplace(name, DynamicPort{std::move(port), told.uuid, told.hosts});
    }

    /// The hosts where its NIC still is, or may be: libvirt is not reached there, or cannot say what network it is on.
    std::set<std::string> may_have(const DynamicPort& dynamic) const {
        std::set<std::string> hosts;
        for (const auto& told : nics_)
            if (told.uuid == dynamic.uuid && told.nic.mac == dynamic.port.mac && told.nic.network.empty() &&
                (told.nic.on_bridge || told.nic.unknown))
                hosts.insert(told.hosts.begin(), told.hosts.end());
        for (const auto& host : dynamic.hosts) {
            const auto told = told_.find(host);
            const bool silent = told == told_.end() || !told->second.current;
            if (silent && written_.hosts.contains(host)) hosts.insert(host);
        }
        return hosts;
    }

    void keep_those_not_told() {
        for (const auto& [name, dynamic] : before_.dynamic) {
            if (taken_.contains(*dynamic.port.mac) || !is_free(name)) continue;
            DynamicPort kept{dynamic.port, dynamic.uuid, may_have(dynamic)};
            if (kept.hosts.empty() && !held_.contains(name)) continue;
            taken_.emplace(*dynamic.port.mac, name);
            ports_.dynamic.emplace(name, std::move(kept));
        }
    }

    const topology::Topology& written_;
    const std::map<std::string, HostVms>& told_;
    const VmPorts& before_;
    const std::set<std::string>& held_;
    std::vector<Told> nics_;
    std::map<Mac, std::string> taken_; ///< MAC → the port that has it
    VmPorts ports_;
};

/// Why a dynamic port cannot be; empty: it can.
std::string objection(const topology::Topology& topology, const topology::Port& port) {
    if (!topology.networks.contains(port.network))
        return fmt::format("its network {} is not in the topology any more", port.network);
    for (const auto& group : port.security_groups)
        if (!topology.security_groups.contains(group))
            return fmt::format("its security group {} is not in the topology any more", group);
    if (!port.qos.empty() && !topology.qos.contains(port.qos))
        return fmt::format("its QoS class {} is not in the topology any more", port.qos);
    return "";
}

} // namespace

PortNics VmPorts::claimed_by() const {
    auto result = nics;
    for (const auto& [name, port] : dynamic)
        result.insert_or_assign(name, PortNic{*port.port.mac, port.uuid});
    return result;
}

topology::ObservedMacs VmPorts::macs(const topology::Topology& written) const {
    topology::ObservedMacs result;
    for (const auto& [name, nic] : nics)
        if (const auto port = written.ports.find(name); port != written.ports.end() && !port->second.mac)
            result.emplace(name, nic.mac);
    return result;
}

VmPorts vm_ports(const topology::Topology& written, const std::map<std::string, HostVms>& told, const VmPorts& before,
                 const std::set<std::string>& held) {
    return Decision(written, told, before, held).decide();
}

topology::Topology with_dynamic_ports(const topology::Topology& written, VmPorts& ports) {
    auto topology = written;
    for (const auto& [name, dynamic] : ports.dynamic) {
        if (const auto why = objection(topology, dynamic.port); !why.empty())
            ports.troubles["port " + name] =
                fmt::format("{}: the NIC {} of VM {} is not served until it is back, or the NIC is moved", why,
                            dynamic.port.mac->to_string(), dynamic.port.vm);
        else
            topology.ports.emplace(name, dynamic.port);
    }
    return topology;
}

std::string dynamic_port_name(const std::string& vm, std::size_t n) {
    const auto number = fmt::format("-{}", n);
    auto name = vm.substr(0, kLongestName - number.size());
    for (auto& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_') c = '-';
    if (name.empty() || std::isalnum(static_cast<unsigned char>(name.front())) == 0) name.insert(0, "vm");
    return name.substr(0, kLongestName - number.size()) + number;
}

} // namespace weft::fabric
