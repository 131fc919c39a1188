#include "controller/plugging.hpp"

#include "base/ids.hpp"
#include "controller/vm_accounts.hpp"
#include "topology/form.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

/// Until libvirt has the portgroup: a change of a few networks.
constexpr Milliseconds kOffered = 15s;
/// Until OVS has the NIC of a running VM, and weft its port number.
constexpr Milliseconds kPlugged = 15s;
/// A guest may take its time to let go of a device.
constexpr Milliseconds kLetGo = 20s;
constexpr Milliseconds kLook = 20ms;

Error invalid(std::string text) {
    return {ErrorKind::invalid, std::move(text)};
}

std::vector<std::string> names_of(const auto& map) {
    std::vector<std::string> names;
    for (const auto& [name, _] : map)
        names.push_back(name);
    return names;
}

/// 52:54:00 is QEMU's own prefix, which guests and tools know.
Mac fresh_mac(const std::string& vm, const std::string& port, const std::set<Mac>& taken) {
    for (std::uint64_t attempt = 0;; ++attempt) {
        const auto mac = Mac::from_u64(0x52'5400'0000'00 | (content_hash(vm + "\n" + port, attempt) & 0xff'ffff));
        if (!taken.contains(mac)) return mac;
    }
}

} // namespace

/// Where a VM is.
struct Plugging::Place {
    std::string host;
    std::string uuid;
    virt::Domain domain;
    std::shared_ptr<LibvirtAgent> libvirt;
    bool running() const { return domain.state != virt::DomainState::off; }
};

/// The port that a NIC is to be.
struct Plugging::Target {
    topology::Port port;
    Mac mac;
    bool dynamic = false;
};

Result<Plugging::Place> Plugging::find(const std::string& vm) const {
    std::vector<Place> places;
    std::vector<std::string> unreached;
    bool any = false;
    for (const auto& [name, agent] : supervisor_.hosts()) {
        if (!agent.libvirt) continue;
        any = true;
        const auto phase = agent.libvirt->phase();
        const auto snapshot = agent.libvirt->snapshot();
        if (!snapshot || phase == LibvirtAgent::Phase::connecting || phase == LibvirtAgent::Phase::down) {
            unreached.push_back(fmt::format("{} ({})", name, agent.libvirt->reason()));
            continue;
        }
        const auto domain = snapshot->domains.find(vm);
        if (domain == snapshot->domains.end()) continue;
        if (domain->second.state == virt::DomainState::migrating_in)
            return std::unexpected(invalid(fmt::format("{} is migrating to {}: wait until it is there", vm, name)));
        places.push_back({name, domain->second.uuid, domain->second, agent.libvirt});
    }
    if (!any)
        return std::unexpected(
            invalid("no host of the topology names its libvirt: set `libvirt` of [[host]], or of [host.NAME] in "
                    "weftd.toml"));
    // One that runs is meant rather than what is left of it elsewhere.
    if (std::ranges::any_of(places, &Place::running))
        std::erase_if(places, [](const Place& p) { return !p.running(); });
    if (places.size() == 1) return places.front();
    std::vector<std::string> hosts;
    for (const auto& place : places)
        hosts.push_back(place.host);
    if (places.size() > 1)
        return std::unexpected(
            invalid(fmt::format("there is a VM {} on each of {}: rename one", vm, fmt::join(hosts, ", "))));
    if (!unreached.empty())
        return fail(ErrorKind::io, fmt::format("no VM {} on the hosts whose libvirt is reached; not reached: {}", vm,
                                               fmt::join(unreached, ", ")));
    return std::unexpected(invalid(fmt::format("libvirt of no host has a VM {}: virsh list --all shows a host's", vm)));
}

Result<Plugging::Target> Plugging::target_of(const PlugRequest& request, const Place& place,
                                             std::optional<Mac> mac) const {
    const auto& intent = supervisor_.intent();
    const auto& topology = intent.topology();
    const auto network = topology.networks.find(request.network);
    if (network == topology.networks.end())
        return std::unexpected(invalid(fmt::format("the topology has no network {}: it has {}", request.network,
                                                   fmt::join(names_of(topology.networks), ", "))));
    if (!is_offered(network->second, topology.hosts.at(place.host)))
        return std::unexpected(invalid(fmt::format("{} runs on {}, which has no uplink to {} for network {}",
                                                   request.vm, place.host, network->second.physnet, request.network)));
    for (const auto& group : request.security_groups)
        if (!topology.security_groups.contains(group))
            return std::unexpected(invalid(fmt::format("the topology has no security group {}: it has {}", group,
                                                       fmt::join(names_of(topology.security_groups), ", "))));
    if (!request.qos.empty() && !topology.qos.contains(request.qos))
        return std::unexpected(invalid(fmt::format("the topology has no QoS class {}: it has {}", request.qos,
                                                   fmt::join(names_of(topology.qos), ", "))));

    const auto has_nic = [&](const topology::Port& port) {
        const auto told = intent.state().vm_nics.find(port.name);
        return told != intent.state().vm_nics.end() && told->second.mac != mac &&
               std::ranges::any_of(place.domain.nics,
                                   [&](const virt::Nic& nic) { return nic.mac == told->second.mac; });
    };
    const auto is_written = [&](const std::string& name) {
        return topology.ports.contains(name) && !intent.state().dynamic_ports.contains(name);
    };
    const auto fits = [&](const topology::Port& port) {
        const bool of_vm = port.vm == request.vm || (port.vm.empty() && mac && port.mac == mac);
        return of_vm && port.network == request.network && !has_nic(port) && (!mac || !port.mac || port.mac == mac);
    };
    std::string name = request.port;
    if (name.empty())
        for (const auto& [candidate, port] : topology.ports)
            if (is_written(candidate) && fits(port)) name = candidate;
    if (!name.empty() && is_written(name)) {
        const auto& port = topology.ports.at(name);
        if (!fits(port))
            return std::unexpected(invalid(
                fmt::format("port {} of the topology ({}) is not a free port of VM {} in network {}{}", name,
                            port.origin.to_string(), request.vm, request.network, mac ? " with that MAC" : "")));
        if (!request.security_groups.empty() || !request.qos.empty())
            return std::unexpected(
                invalid(fmt::format("port {} has its groups and QoS from the topology ({}): change them there", name,
                                    port.origin.to_string())));
        if (mac) return Target{port, *mac, false};
        const auto allocated = intent.allocations().attachments.find({name, request.network});
        const bool known = allocated != intent.allocations().attachments.end();
        return Target{port,
                      port.mac ? *port.mac
                      : known  ? allocated->second.mac
                               : fresh_mac(request.vm, name, {}),
                      false};
    }
    if (!name.empty()) {
        if (!topology::form::name(name))
            return std::unexpected(invalid(fmt::format("port {} is not {}", name, topology::kName.expected)));
        if (intent.state().dynamic_ports.contains(name))
            return std::unexpected(invalid(fmt::format("there is a port {}: choose another name", name)));
    }
    const auto profile = topology::port_profile(request.security_groups, request.qos);
    if (name.empty() && mac)
        // A NIC that is a dynamic port already stays that port.
        for (const auto& [_, dynamic] : intent.state().dynamic_ports)
            if (dynamic.uuid == place.uuid && dynamic.port.mac == mac) {
                auto port = dynamic.port;
                port.network = request.network;
                port.security_groups = profile.security_groups;
                port.qos = profile.qos;
                return Target{std::move(port), *mac, false};
            }
    std::set<Mac> taken;
    for (const auto& [_, addresses] : intent.allocations().attachments)
        taken.insert(addresses.mac);
    for (const auto& [_, told] : intent.vms())
        for (const auto& [uuid, vm] : told.vms)
            for (const auto& nic : vm.nics)
                if (mac != nic.mac || uuid != place.uuid) taken.insert(nic.mac);
    for (std::size_t n = 1; name.empty() || topology.ports.contains(name) ||
                            (request.port.empty() && intent.state().dynamic_ports.contains(name));
         ++n)
        name = fabric::dynamic_port_name(request.vm, n);
    if (mac && taken.contains(*mac))
        return std::unexpected(
            invalid(fmt::format("another port or VM has the MAC {}: MACs are unique in a topology", mac->to_string())));
    Target target{.mac = mac ? *mac : fresh_mac(request.vm, name, taken), .dynamic = true};
    target.port.name = name;
    target.port.network = request.network;
    target.port.vm = request.vm;
    target.port.mac = target.mac;
    target.port.security_groups = profile.security_groups;
    target.port.qos = profile.qos;
    return target;
}

Task<Result<>> Plugging::offered(std::string host, std::string network, std::string portgroup) {
    const auto until = SteadyClock::now() + kOffered;
    for (;;) {
        const auto agent = supervisor_.hosts().find(host);
        if (agent == supervisor_.hosts().end() || !agent->second.libvirt)
            co_return fail(ErrorKind::refused, fmt::format("host {} left the topology", host));
        const auto& libvirt = *agent->second.libvirt;
        if (const auto snapshot = libvirt.snapshot()) {
            const auto found = snapshot->networks.find(network);
            if (found != snapshot->networks.end() && found->second.live.mark && found->second.active &&
                found->second.live.portgroups.contains(portgroup))
                co_return Result<>{};
        }
        if (const auto why = libvirt.refusal_of(network); !why.empty()) co_return fail(ErrorKind::refused, why);
        if (libvirt.phase() == LibvirtAgent::Phase::down) co_return fail(ErrorKind::io, libvirt.reason());
        if (SteadyClock::now() > until)
            co_return fail(ErrorKind::timeout,
                           fmt::format("libvirt of {} has no portgroup {} of network {} after {} s: "
                                       "{}",
                                       host, portgroup, network, kOffered / 1s, libvirt.reason()));
        co_await sleep_for(kLook);
    }
}

void Plugging::fill_in(Plugged& plugged) const {
    const auto& intent = supervisor_.intent();
    plugged.ips.clear();
    if (const auto found = intent.allocations().attachments.find({plugged.port, plugged.network});
        found != intent.allocations().attachments.end())
        for (const auto& ip : {found->second.ip, found->second.ip6})
            if (ip) plugged.ips.push_back(*ip);
    if (const auto bound = intent.bindings().find(plugged.port); bound != intent.bindings().end()) {
        plugged.interface = bound->second.interface;
        plugged.up = bound->second.ofport != 0;
    }
}

Task<Result<Plugged>> Plugging::plugged(Plugged so_far, bool running) {
    const auto until = SteadyClock::now() + kPlugged;
    for (;;) {
        fill_in(so_far);
        if (so_far.up || !running) co_return so_far;
        if (SteadyClock::now() > until)
            co_return fail(ErrorKind::timeout,
                           fmt::format("port {} did not come up on {} within {} s: its NIC {} is not in the bridge, or "
                                       "OVSDB of the host is not reached; weftctl status says which",
                                       so_far.port, so_far.host, kPlugged / 1s, so_far.mac.to_string()));
        co_await sleep_for(kLook);
    }
}

Task<Result<>> Plugging::carry_out(Target target, std::string uuid, std::string host,
                                   std::function<Task<Result<>>(std::string)> act) {
    const auto name = target.port.name;
    if (target.dynamic)
        if (auto held = supervisor_.hold(target.port, uuid, host); !held) co_return held;
    // Without a NIC the port is gone with this.
    const auto ended = [&](Result<> result) {
        if (target.dynamic) supervisor_.release(name);
        return result;
    };
    Plugged addressed{.port = name, .network = target.port.network};
    fill_in(addressed);
    const auto& network = supervisor_.intent().topology().networks.at(target.port.network);
    if (target.dynamic && network.subnet &&
        std::ranges::none_of(addressed.ips, [](const Ip& ip) { return !ip.is_v6(); }))
        co_return ended(std::unexpected(
            invalid(fmt::format("network {} has no free address in {}", network.name, network.subnet->to_string()))));
    // A port that the topology knows by its MAC alone has its groups from there.
    auto portgroup =
        target.port.vm.empty()
            ? std::string(topology::kPlainPortgroup)
            : topology::portgroup_name(topology::port_profile(target.port.security_groups, target.port.qos));
    if (auto ready = co_await offered(host, target.port.network, portgroup); !ready) co_return ended(std::move(ready));
    co_return ended(co_await act(std::move(portgroup)));
}

Task<Result<Plugged>> Plugging::attach(PlugRequest request) {
    const auto place = find(request.vm);
    if (!place) co_return std::unexpected(place.error());
    const auto target = target_of(request, *place, std::nullopt);
    if (!target) co_return std::unexpected(target.error());
    const auto watch = place->libvirt->watch();
    const auto attached =
        co_await carry_out(*target, place->uuid, place->host, [&](std::string portgroup) -> Task<Result<>> {
            co_return co_await watch->attach_interface(request.vm,
                                                       virt::render_interface(request.network, portgroup, target->mac));
        });
    if (!attached) co_return std::unexpected(attached.error());
    auto done =
        co_await plugged({target->port.name, request.network, request.vm, place->host, target->mac}, place->running());
    if (done) co_return done;
    if (const auto undone = co_await watch->detach_interface(request.vm, target->mac, kLetGo); !undone)
        done.error().text += "; and it could not be taken away again: " + undone.error().text;
    co_return done;
}

Task<Result<Plugged>> Plugging::detach(PlugRequest request) {
    const auto place = find(request.vm);
    if (!place) co_return std::unexpected(place.error());
    const auto nics = nics_on(request, *place);
    if (nics.empty())
        co_return std::unexpected(
            invalid(request.port.empty()
                        ? fmt::format("VM {} on {} has no NIC on network {}", request.vm, place->host, request.network)
                        : fmt::format("VM {} on {} has no NIC that is port {} in network {}", request.vm, place->host,
                                      request.port, request.network)));
    if (nics.size() > 1) {
        std::vector<std::string> texts;
        for (const auto& [mac, port] : nics)
            texts.push_back(fmt::format("{} ({})", port, mac.to_string()));
        co_return std::unexpected(
            invalid(fmt::format("VM {} has {} NICs on network {}: name one by --port: {}", request.vm, nics.size(),
                                request.network, fmt::join(texts, ", "))));
    }
    const auto& [mac, port] = *nics.begin();
    Plugged answer{port, request.network, request.vm, place->host, mac};
    fill_in(answer);
    if (auto done = co_await place->libvirt->watch()->detach_interface(request.vm, mac, kLetGo); !done)
        co_return std::unexpected(done.error());
    answer.interface.clear();
    answer.up = false;
    co_return answer;
}

Task<Result<Plugged>> Plugging::migrate(PlugRequest request) {
    const auto place = find(request.vm);
    if (!place) co_return std::unexpected(place.error());
    std::vector<const virt::Nic*> nics;
    std::vector<std::string> texts;
    for (const auto& nic : place->domain.nics) {
        const auto& source = nic.network.empty() ? nic.bridge : nic.network;
        texts.push_back(fmt::format("{} on {}", nic.mac.to_string(), source));
        if (source == request.from || nic.mac.to_string() == request.from) nics.push_back(&nic);
    }
    if (nics.size() != 1)
        co_return std::unexpected(
            invalid(fmt::format("VM {} has {} on {}{}; it has {}", request.vm,
                                nics.empty() ? "no NIC" : fmt::format("{} NICs", nics.size()), request.from,
                                nics.empty() ? "" : ": name one by its MAC",
                                texts.empty() ? "no NIC at all" : fmt::format("{}", fmt::join(texts, ", ")))));
    const auto& nic = *nics.front();
    if (nic.network == request.network)
        co_return std::unexpected(
            invalid(fmt::format("{} is on network {} already", nic.mac.to_string(), request.network)));
    const auto target = target_of(request, *place, nic.mac);
    if (!target) co_return std::unexpected(target.error());
    const auto watch = place->libvirt->watch();
    const auto moved =
        co_await carry_out(*target, place->uuid, place->host, [&](std::string portgroup) -> Task<Result<>> {
            co_return co_await watch->move_interface(request.vm, target->mac, request.network, portgroup, kLetGo);
        });
    if (!moved) co_return std::unexpected(moved.error());
    auto done =
        co_await plugged({target->port.name, request.network, request.vm, place->host, target->mac}, place->running());
    if (done) co_return done;
    if (nic.network.empty()) {
        done.error().text += fmt::format("; for libvirt the NIC is on network {} now", request.network);
        co_return done;
    }
    if (const auto undone = co_await watch->move_interface(request.vm, target->mac, nic.network, nic.portgroup, kLetGo);
        !undone)
        done.error().text += "; and it could not be moved back: " + undone.error().text;
    co_return done;
}

std::map<Mac, std::string> Plugging::nics_on(const PlugRequest& request, const Place& place) const {
    const auto& intent = supervisor_.intent();
    std::map<Mac, std::string> ports;
    for (const auto& [name, port] : intent.topology().ports) {
        if (port.vm != request.vm || port.network != request.network) continue;
        const auto told = intent.state().vm_nics.find(name);
        if (const auto mac = told != intent.state().vm_nics.end() ? std::optional(told->second.mac) : port.mac)
            ports.emplace(*mac, name);
    }
    std::map<Mac, std::string> nics;
    for (const auto& nic : place.domain.nics) {
        const auto port = ports.find(nic.mac);
        const bool is_port = port != ports.end();
        if (!is_port && nic.network != request.network) continue;
        const auto name = is_port ? port->second : std::string();
        if (request.port.empty() || request.port == name) nics.emplace(nic.mac, name);
    }
    return nics;
}

} // namespace weft::controller
