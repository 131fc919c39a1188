#include "lab/clients.hpp"
#include "lab/commands.hpp"
#include "lab/converge.hpp"
#include "lab/daemons.hpp"
#include "lab/libvirtd.hpp"
#include "lab/namespaces.hpp"
#include "lab/setup.hpp"
#include "lab/switch_watch.hpp"
#include "lab/vms.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <thread>

namespace weft::lab {
namespace {

namespace fs = std::filesystem;

Result<void> check_machine(bool controller) {
    if (auto root = check_root(); !root) return root;
    const std::vector<std::pair<const char*, const char*>> needed{
        {"ip", "iproute2"},
        {"ovsdb-tool", "openvswitch-switch"},
        {"ovsdb-server", "openvswitch-switch"},
        {"ovs-vswitchd", "openvswitch-switch"},
        {"ovs-vsctl", "openvswitch-switch"},
    };
    for (const auto& [program, package] : needed)
        if (find_program(program).empty())
            return fail(ErrorKind::invalid, fmt::format("{} is not installed: apt-get install {}", program, package));
    if (!controller) return {};
    for (const char* program : {"weftd", "weftctl"})
        if (find_program(program).empty())
            return fail(ErrorKind::invalid, fmt::format("{} is not beside weft-lab in {}: build it, or leave it out "
                                                        "with --no-controller",
                                                        program, own_directory()));
    return {};
}

// Only a lab with VMs needs these.
Result<void> check_virtualization(const LabPlan& plan) {
    if (plan.vms.empty()) return {};
    for (const auto& [program, package] : {std::pair{"libvirtd", "libvirt-daemon"},
                                           {"virsh", "libvirt-clients"},
                                           {"qemu-system-x86_64", "qemu-system-x86"}})
        if (find_program(program).empty())
            return fail(ErrorKind::invalid,
                        fmt::format("{} is not installed, and this lab has VMs: apt-get install {}", program, package));
    if (const auto guest = find_guest(); !guest) return std::unexpected(guest.error());
    return {};
}

// Only a lab whose endpoints lease needs these.
Result<void> check_clients(const LabPlan& plan) {
    for (const auto& [program, package] : client_programs(plan))
        if (find_program(program).empty())
            return fail(ErrorKind::invalid,
                        fmt::format("{} is not installed, and endpoints of this lab get their addresses by it: apt-get "
                                    "install {}, or leave weftd out with --no-controller",
                                    program, package));
    return {};
}

Result<Record> new_record(const UpOptions& options) {
    Record record{.name = options.name, .controller = options.controller};
    std::error_code error;
    record.topology = fs::absolute(options.file, error);
    auto sources = topology::load(options.file);
    if (!sources) return std::unexpected(sources.error());
    record.sources = std::move(*sources);
    return record;
}

// Two labs can mean one namespace ("a" with host "b-c", "a-b" with host "c").
Result<void> claim_namespaces(const LabPlan& plan) {
    for (const auto& other : lab_names()) {
        const auto record = load_record(other);
        if (!record || other == plan.name) continue;
        for (const auto& netns : plan.namespaces())
            if (std::ranges::count(record->namespaces, netns) > 0)
                return fail(ErrorKind::refused,
                            fmt::format("namespace {} belongs to lab '{}': choose another --name, or weft-lab down "
                                        "--name {}",
                                        netns, other, other));
    }
    return {};
}

// Killed processes take a moment to be gone.
bool still_alive(const Record& record) {
    for (int waits = 0; alive(record); ++waits) {
        if (waits == 20) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}

std::vector<Ovs> every_ovs(const LabPlan& plan) {
    std::vector<Ovs> all;
    all.reserve(plan.hosts.size() + 1);
    for (const auto& host : plan.hosts)
        all.push_back(ovs_of(plan.name, host));
    if (plan.has_switch()) all.push_back(switch_ovs(plan));
    return all;
}

Result<void> make_switches(const LabPlan& plan, Record& record) {
    const Ovs ovs = switch_ovs(plan);
    if (auto done = run_all({ovs.vsctl(switch_rows(plan))}); !done) return done;
    if (const std::string flows = splitter_flows(plan); !flows.empty())
        if (auto done = run_all(
                {ovs.in_it({"ovs-ofctl", "-O", "OpenFlow13", "add-flows", std::string(kSplitter), "-"}, flows)});
            !done)
            return done;
    if (plan.physnets.empty()) return {};
    const auto pid = start_switch_watch(plan);
    if (!pid) return std::unexpected(pid.error());
    if (const auto process = process_of(*pid)) record.processes[std::string(kSwitchWatch)] = *process;
    return store(record);
}

Result<void> make_underlay(const LabPlan& plan) {
    std::vector<Command> rows, addresses;
    for (const auto& host : plan.hosts) {
        rows.push_back(ovs_of(plan.name, host).vsctl(underlay_rows(host)));
        addresses.push_back({{"ip", "-n", host.netns, "-batch", "-"}, "", {}, underlay_address_lines(host)});
    }
    if (auto done = run_all(rows); !done) return done;
    for (const auto& host : plan.hosts)
        if (host.vtep.address.is_v6())
            if (auto done = enable_ipv6(host.netns, "br-phy"); !done) return done;
    if (auto done = run_all(addresses); !done) return done;
    for (const auto& host : plan.hosts)
        switch_offloads_off(host.netns);
    return {};
}

Result<void> plug_ports(const LabPlan& plan, bool make_bridges) {
    std::vector<Command> commands;
    for (const auto& host : plan.hosts)
        if (const auto rows = plug_rows(plan, host, make_bridges); !rows.empty())
            commands.push_back(ovs_of(plan.name, host).vsctl(rows));
    return run_all(commands);
}

Result<void> build(const LabPlan& plan, Record& record, std::chrono::seconds timeout) {
    const auto& name = plan.name;
    const auto step = [&](const std::string& text, Result<void> result) {
        if (result) say(name, text);
        return result;
    };
    const auto all = every_ovs(plan);
    if (auto done = step(fmt::format("{} namespaces linked", plan.namespaces().size()), make_network(plan)); !done)
        return done;
    if (auto done = write_endpoint_files(plan); !done) return done;
    if (auto done = start_ovsdb(all, record); !done) return done;
    if (auto done = step(fmt::format("{} OVS started", all.size()), start_vswitchd(all, record)); !done) return done;
    if (auto done = step("underlay up", make_underlay(plan)); !done) return done;
    if (plan.has_switch())
        if (auto done = step("physical networks up", make_switches(plan, record)); !done) return done;
    if (const auto libvirtds = every_libvirtd(plan); !libvirtds.empty())
        if (auto done = step(fmt::format("{} libvirtd started", libvirtds.size()), start_libvirtd(libvirtds, record));
            !done)
            return done;
    if (record.controller)
        if (auto done = step("weftd started", start_weftd(plan, record)); !done) return done;
    auto plugged = plug_ports(plan, !record.controller);
    if (!plugged && record.controller) plugged.error().text += log_tail(lab_directory(name) + "/weftd.log");
    if (auto done = step("ports plugged in", plugged); !done) return done;
    if (auto started = start_clients(plan); !started || plan.vms.empty()) return started;
    const auto guest = find_guest();
    if (!guest) return std::unexpected(guest.error());
    return step(fmt::format("{} VMs started", plan.vms.size()),
                start_vms(plan, *guest, record, std::chrono::steady_clock::now() + timeout));
}

} // namespace

void say(const std::string& lab, const std::string& text) {
    fmt::print(stderr, "lab {}: {}\n", lab, text);
}

Result<void> up(const UpOptions& options) {
    if (auto legal = check_lab_name(options.name); !legal) return legal;
    if (auto able = check_machine(options.controller); !able) return able;
    auto record = new_record(options);
    if (!record) return std::unexpected(record.error());
    const auto plan = plan_of(*record);
    if (!plan) return std::unexpected(plan.error());
    if (auto able = check_clients(*plan); !able) return able;
    if (auto able = check_virtualization(*plan); !able) return able;
    record->namespaces = plan->namespaces();

    const auto lock = LabLock::take(options.name);
    if (!lock) return std::unexpected(lock.error());
    if (const auto before = load_record(options.name); before && still_alive(*before))
        return fail(ErrorKind::refused,
                    fmt::format("lab '{}' is running: weft-lab down --name {} ends it", options.name, options.name));
    if (auto claimed = claim_namespaces(*plan); !claimed) return claimed;
    if (auto cleared = tear_down(options.name, Keep::directory); !cleared) return cleared;
    if (auto stored = store(*record); !stored) return stored;

    catch_interrupts();
    const auto began = std::chrono::steady_clock::now();
    say(options.name, fmt::format("{} hosts, {} endpoints{}", plan->hosts.size(), plan->endpoints.size(),
                                  plan->vms.empty() ? "" : fmt::format(", {} VMs", plan->vms.size())));
    if (auto built = build(*plan, *record, options.timeout); !built) {
        forget_interrupt();
        if (auto gone = tear_down(options.name); !gone) built.error().text += "\n" + gone.error().text;
        return built;
    }
    record->complete = true;
    if (auto stored = store(*record); !stored) return stored;
    if (options.controller || !plan->vms.empty())
        if (auto converged = converge(*plan, options.controller, options.timeout); !converged) return converged;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    say(options.name, fmt::format("up after {:.1f} s", took.count()));
    return {};
}

} // namespace weft::lab
