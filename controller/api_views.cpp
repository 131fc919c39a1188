// Status, hosts, networks, ports, events: what is, in the keys of docs/api.md.
#include "base/version.hpp"
#include "controller/api.hpp"
#include "topology/form.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

json::object sent(const HostAgent& agent) {
    const auto counters = agent.flows->counters();
    return {{"flow_mods", counters.flow_mods},
            {"group_mods", counters.group_mods},
            {"meter_mods", counters.meter_mods},
            {"ovsdb_ops", agent.rows->operations()}};
}

/// Null where the topology names no libvirt.
json::value libvirt_of(const HostAgent& agent) {
    if (!agent.libvirt) return nullptr;
    return {{"state", controller::name_of(agent.libvirt->phase())}, {"reason", agent.libvirt->reason()}};
}

/// Of Open vSwitch, as the host's OVSDB has it. Null while it is down.
json::value ovs_version(const HostAgent& agent) {
    const auto* replica = agent.rows->replica();
    const auto* row = replica == nullptr ? nullptr : replica->open_vswitch();
    return row != nullptr && row->ovs_version ? json::value(*row->ovs_version) : json::value(nullptr);
}

/// By physical network; empty while the host's OVSDB is down.
std::map<std::string, fabric::Uplink> uplinks_of(const HostAgent& agent, const topology::Host& host) {
    const auto* replica = agent.rows->replica();
    return replica == nullptr ? std::map<std::string, fabric::Uplink>{} : fabric::uplinks_of(*replica, host);
}

std::map<std::string, std::size_t> ports_by_host(const fabric::Bindings& bindings) {
    std::map<std::string, std::size_t> counts;
    for (const auto& [_, binding] : bindings)
        ++counts[binding.host];
    return counts;
}

json::object network_object(const Supervisor& supervisor, const topology::Network& network) {
    const auto& world = *supervisor.intent().published().world;
    const auto& view = *world.networks.at(network.name);
    json::array hosts;
    for (const auto& [host, _] : view.hosts)
        hosts.emplace_back(host);
    const bool overlay = network.kind == topology::NetworkKind::vxlan;
    return {{"name", network.name},
            {"kind", topology::name_of(network.kind)},
            {"vni", overlay ? json::value(view.core.vni) : json::value(nullptr)},
            {"vlan", network.vlan ? json::value(*network.vlan) : json::value(nullptr)},
            {"physnet", network.physical() ? json::value(network.physnet) : json::value(nullptr)},
            {"subnet", text_or_null(network.subnet)},
            {"subnet6", text_or_null(network.subnet6)},
            {"mtu", network.mtu},
            {"ports", view.bound.size()},
            {"hosts", std::move(hosts)}};
}

json::array addresses_in(const Supervisor& supervisor, const std::string& port, const std::string& network) {
    json::array ips;
    const auto& attachments = supervisor.intent().allocations().attachments;
    const auto found = attachments.find({port, network});
    if (found == attachments.end()) return ips;
    if (found->second.ip) ips.emplace_back(found->second.ip->to_string());
    if (found->second.ip6) ips.emplace_back(found->second.ip6->to_string());
    return ips;
}

/// Of all the port's networks, untagged first.
json::array leases_of(const Supervisor& supervisor, const topology::Port& port) {
    json::array result;
    const auto& leases = supervisor.intent().state().leases;
    for (const auto& network : fabric::networks_of(port)) {
        const auto found = leases.find({port.name, network});
        if (found == leases.end()) continue;
        for (const auto& lease : {found->second.ip, found->second.ip6})
            if (lease)
                result.push_back({{"network", network},
                                  {"address", lease->ip.to_string()},
                                  {"protocol", lease->ip.is_v6() ? "dhcpv6" : "dhcp"},
                                  {"since", iso8601(lease->since)},
                                  {"until", iso8601(lease->until)},
                                  {"host_name", lease->host_name}});
    }
    return result;
}

json::value mac_of(const Supervisor& supervisor, const topology::Port& port) {
    for (const auto& network : fabric::networks_of(port)) {
        const auto& attachments = supervisor.intent().allocations().attachments;
        if (const auto found = attachments.find({port.name, network}); found != attachments.end())
            return found->second.mac.to_string().c_str();
    }
    return nullptr;
}

std::string_view state_of(const fabric::JudgedClaim& judged) {
    if (!judged.holds) return judged.arriving ? "arriving" : "duplicate";
    return judged.claim.ofport != 0 && judged.claim.error.empty() ? "up" : "down";
}

json::object port_object(const Supervisor& supervisor, const topology::Port& port, const fabric::JudgedClaim* judged,
                         const RowsAgent::Statistics& statistics) {
    json::array trunk;
    for (const auto& entry : port.trunk)
        trunk.push_back({{"network", entry.network},
                         {"vlan", entry.vlan},
                         {"ips", addresses_in(supervisor, port.name, entry.network)}});
    const auto counter = [&](const char* key) -> json::value {
        if (judged == nullptr) return 0;
        const auto interface = statistics.find(judged->claim.interface);
        if (interface == statistics.end()) return 0;
        const auto value = interface->second.find(key);
        return value == interface->second.end() ? json::value(0) : json::value(value->second);
    };
    return {{"name", port.name},
            {"network", port.network},
            {"host", judged != nullptr ? json::value(judged->host) : json::value(nullptr)},
            {"interface", judged != nullptr ? json::value(judged->claim.interface) : json::value(nullptr)},
            {"ofport",
             judged != nullptr && judged->claim.ofport != 0 ? json::value(judged->claim.ofport) : json::value(nullptr)},
            {"mac", mac_of(supervisor, port)},
            {"ips", addresses_in(supervisor, port.name, port.network)},
            {"trunk", std::move(trunk)},
            {"leases", leases_of(supervisor, port)},
            {"state", judged != nullptr ? json::value(state_of(*judged)) : json::value("unbound")},
            {"rx_packets", counter("rx_packets")},
            {"tx_packets", counter("tx_packets")}};
}

Task<std::map<std::string, RowsAgent::Statistics>> all_statistics(const Supervisor& supervisor) {
    std::vector<std::pair<std::string, std::shared_ptr<RowsAgent>>> agents; // hosts may come and go while we wait
    for (const auto& [name, agent] : supervisor.hosts())
        agents.emplace_back(name, agent.rows);
    std::map<std::string, RowsAgent::Statistics> result;
    for (const auto& [name, rows] : agents)
        result.emplace(name, co_await rows->statistics());
    co_return result;
}

/// How a network serves its guests: where it is asked, and what was asked and answered since the daemon's start. Null
/// for one that does not.
json::value services_of(const Supervisor& supervisor, const std::string& name) {
    const auto& world = *supervisor.intent().published().world;
    const auto& network = supervisor.intent().topology().networks.at(name);
    const auto& service = world.networks.at(name)->core.service;
    if (!service) return nullptr;
    json::array addresses;
    for (const auto& ip : service->addresses)
        addresses.emplace_back(ip.to_string());
    json::object object{{"network", name},
                        {"domain", domain_of(network)},
                        {"lease_s", network.dhcp->lease.count()},
                        {"addresses", std::move(addresses)}};
    for (const auto* protocol : {"dhcp", "dhcpv6", "ra", "dns"})
        object[protocol] = json::object();
    for (const auto& [key, count] : supervisor.services().counters())
        if (std::get<0>(key) == name) object.at(std::get<1>(key)).as_object()[std::get<2>(key)] = count;
    return object;
}

/// What is behind a name of the topology, for `show`; null when the topology has no such object.
json::value describe(const Supervisor& supervisor, const std::string& kind, const std::string& name,
                     const json::array& ports) {
    const auto& topology = supervisor.intent().topology();
    json::array mine;
    if (kind == "network" && topology.networks.contains(name)) {
        auto object = network_object(supervisor, topology.networks.at(name));
        const auto& network = topology.networks.at(name);
        for (const auto& port : ports)
            if (port.at("network").as_string() == name)
                mine.push_back(port);
            else
                for (const auto& entry : port.at("trunk").as_array())
                    if (entry.at("network").as_string() == name) mine.push_back(port);
        for (auto& port : mine)
            port.as_object().erase("leases"); // `show port` has them
        object["services"] = services_of(supervisor, name);
        object["gateway"] = text_or_null(network.gateway);
        object["gateway6"] = text_or_null(network.gateway6);
        object["declared"] = network.origin.to_string();
        object["ports"] = std::move(mine);
        return object;
    }
    if (kind == "host" && topology.hosts.contains(name)) {
        for (auto& host : hosts(supervisor).as_array()) {
            if (host.at("name").as_string() != name) continue;
            auto object = host.as_object();
            for (const auto& port : ports)
                if (port.at("host").is_string() && port.at("host").as_string() == name) mine.push_back(port);
            for (auto& port : mine)
                port.as_object().erase("leases");
            json::array uplinks;
            const auto devices = uplinks_of(supervisor.hosts().at(name), topology.hosts.at(name));
            for (const auto& [physnet, target] : topology.hosts.at(name).uplinks) {
                const auto device = devices.find(physnet);
                uplinks.push_back(
                    {{"physnet", physnet},
                     {"interface", target},
                     {"state", device == devices.end() ? json::value(nullptr)
                                                       : json::value(fabric::name_of(device->second.state))}});
            }
            object["uplinks"] = std::move(uplinks);
            object["declared"] = topology.hosts.at(name).origin.to_string();
            object["sent"] = sent(supervisor.hosts().at(name));
            object["ports"] = std::move(mine);
            return object;
        }
    }
    if (kind == "port" && topology.ports.contains(name)) {
        const auto& port = topology.ports.at(name);
        for (const auto& entry : ports) {
            if (entry.at("name").as_string() != name) continue;
            auto object = entry.as_object();
            json::array allowed;
            for (const auto& prefix : port.allowed_addresses)
                allowed.emplace_back(prefix.to_string());
            json::array groups;
            for (const auto& group : port.security_groups)
                groups.emplace_back(group);
            object["port_security"] = port.port_security;
            object["allowed_addresses"] = std::move(allowed);
            object["security_groups"] = std::move(groups);
            object["qos"] = port.qos.empty() ? json::value(nullptr) : json::value(port.qos);
            object["declared"] = port.origin.to_string();
            return object;
        }
    }
    return nullptr;
}

} // namespace

json::value status(const Supervisor& supervisor) {
    json::array hosts;
    for (const auto& [name, agent] : supervisor.hosts()) {
        const auto host = agent.status();
        hosts.push_back({{"name", name},
                         {"state", controller::name_of(host.state)},
                         {"revision", agent.flows->revision()},
                         {"flows", agent.flows->flows()},
                         {"lag_ms", agent.flows->lag_ms()},
                         {"reason", host.reason},
                         {"libvirt", libvirt_of(agent)},
                         {"sent", sent(agent)}});
    }
    json::array troubles;
    for (const auto& [object, text] : supervisor.intent().troubles())
        troubles.push_back({{"object", object}, {"text", text}});
    for (const auto& [name, agent] : supervisor.hosts())
        for (const auto& [physnet, uplink] : uplinks_of(agent, supervisor.intent().topology().hosts.at(name)))
            if (const auto text = fabric::trouble_of(uplink); !text.empty())
                troubles.push_back({{"object", "host " + name}, {"text", fmt::format("uplink {}: {}", physnet, text)}});
    const auto& state = supervisor.intent().state();
    return json::object{{"revision", state.current},
                        {"converged", supervisor.converged()},
                        {"confirm_by", state.awaiting ? json::value(iso8601(state.awaiting->until)) : nullptr},
                        {"else_back_to", state.awaiting ? json::value(state.awaiting->back_to) : nullptr},
                        {"hosts", std::move(hosts)},
                        {"troubles", std::move(troubles)},
                        {"version", version()}};
}

json::value hosts(const Supervisor& supervisor) {
    const auto ports = ports_by_host(supervisor.intent().bindings());
    json::array result;
    for (const auto& [name, agent] : supervisor.hosts()) {
        const auto& host = supervisor.intent().topology().hosts.at(name);
        const auto state = agent.status();
        const auto count = ports.find(name);
        result.push_back({{"name", name},
                          {"state", controller::name_of(state.state)},
                          {"reason", state.reason},
                          {"revision", agent.flows->revision()},
                          {"vtep", text_or_null(host.vtep)},
                          {"bridge", host.bridge},
                          {"ovsdb", host.ovsdb},
                          {"datapath", host.datapath == topology::Datapath::netdev ? "netdev" : "system"},
                          {"libvirt", libvirt_of(agent)},
                          {"ports", count == ports.end() ? 0 : count->second},
                          {"flows", agent.flows->flows()},
                          {"ovs_version", ovs_version(agent)}});
    }
    return result;
}

json::value services(const Supervisor& supervisor) {
    json::array result;
    for (const auto& [name, network] : supervisor.intent().topology().networks)
        if (network.dhcp) result.push_back(services_of(supervisor, name));
    return result;
}

json::value networks(const Supervisor& supervisor) {
    json::array result;
    for (const auto& [_, network] : supervisor.intent().topology().networks)
        result.push_back(network_object(supervisor, network));
    return result;
}

Task<json::value> ports(const Supervisor& supervisor) {
    const auto statistics = co_await all_statistics(supervisor);
    static const RowsAgent::Statistics kNone;
    const auto& topology = supervisor.intent().topology();
    const auto judged = supervisor.intent().judge();
    json::array result;
    for (const auto& [name, port] : topology.ports) {
        const auto claims = judged.find(name);
        if (claims == judged.end()) {
            result.push_back(port_object(supervisor, port, nullptr, kNone));
            continue;
        }
        for (const auto& claim : claims->second) {
            const auto of_host = statistics.find(claim.host);
            result.push_back(
                port_object(supervisor, port, &claim, of_host == statistics.end() ? kNone : of_host->second));
        }
    }
    co_return json::value(std::move(result));
}

std::map<std::string, std::size_t> port_states(const Supervisor& supervisor) {
    std::map<std::string, std::size_t> states{
        {"up", 0}, {"down", 0}, {"unbound", 0}, {"duplicate", 0}, {"arriving", 0}};
    const auto judged = supervisor.intent().judge();
    for (const auto& [name, _] : supervisor.intent().topology().ports) {
        const auto claims = judged.find(name);
        if (claims == judged.end()) {
            ++states["unbound"];
            continue;
        }
        for (const auto& claim : claims->second)
            ++states[std::string(state_of(claim))];
    }
    return states;
}

json::value events(const EventLog& events, std::uint64_t since) {
    json::array result;
    for (const auto& event : events.since(since))
        result.push_back(json::parse(to_json(event)));
    return json::object{{"events", std::move(result)}, {"next", events.next()}};
}

Task<Result<json::value>> show(const Supervisor& supervisor, std::string kind, std::string name) {
    auto object = co_await show_routed(supervisor, kind, name);
    if (kind == "security_group") object = co_await show_group(supervisor, name);
    if (kind == "qos") object = co_await show_qos(supervisor, name);
    if (object.is_null()) {
        const auto listed = co_await ports(supervisor);
        object = describe(supervisor, kind, name, listed.as_array());
        if (kind == "network" && object.is_object()) object.get_object()["acl"] = co_await acl(supervisor, name);
    }
    if (object.is_null())
        co_return fail(ErrorKind::invalid, fmt::format("no {} is named {} (show knows host, network, port, router, "
                                                       "gateway, floating_ip, port_forward, security_group and qos)",
                                                       kind, name));
    co_return object;
}

} // namespace weft::controller::view
