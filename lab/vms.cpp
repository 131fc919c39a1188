#include "lab/vms.hpp"

#include "lab/agent.hpp"
#include "lab/libvirtd.hpp"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <set>
#include <thread>
#include <unistd.h>

namespace weft::lab {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

Result<void> offer_networks(const LabPlan& plan) {
    std::vector<Command> define, start;
    std::set<std::string> networks;
    for (const auto& vm : plan.vms)
        networks.insert(vm.network);
    for (const auto& host : plan.hosts)
        for (const auto& network : networks) {
            const Libvirtd libvirtd = libvirtd_of(plan.name, host);
            Command command = libvirtd.virsh({"net-define", "/dev/stdin"});
            command.input = network_xml(plan, network, host.bridge);
            define.push_back(std::move(command));
            start.push_back(libvirtd.virsh({"net-start", network}));
        }
    if (auto defined = run_all(define); !defined) return defined;
    return run_all(start);
}

Result<void> wait_for_network(const Libvirtd& libvirtd, const std::string& network, Clock::time_point deadline) {
    for (;;) {
        const auto active = run(libvirtd.virsh({"net-list", "--name"}));
        if (!active) return std::unexpected(active.error());
        if (("\n" + *active).contains("\n" + network + "\n")) return {};
        if (interrupted()) return fail(ErrorKind::io, "interrupted");
        if (Clock::now() > deadline)
            return fail(ErrorKind::timeout,
                        fmt::format("weftd offers no libvirt network '{}' on {}", network, libvirtd.host));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

/// What the VM still lacks; empty: nothing.
std::string lacking(const LabPlan& plan, const VmPlan& vm) {
    const auto answer = ask_agent(plan, vm, "guest-network-get-interfaces", {}, std::chrono::milliseconds(0));
    if (!answer) return answer.error().text;
    return vm.leases && guest_addresses(*answer).empty() ? "has no address" : "";
}

} // namespace

Result<GuestFiles> find_guest() {
    const char* given = std::getenv("WEFT_GUEST");
    std::error_code error;
    const fs::path directory = fs::absolute(given ? given : own_directory() + "/../../guest", error).lexically_normal();
    GuestFiles guest{directory / "vmlinuz", directory / "initrd.gz"};
    for (const auto& file : {guest.kernel, guest.initrd})
        if (access(file.c_str(), R_OK) != 0)
            return fail(ErrorKind::invalid,
                        fmt::format("{} is not there, and VMs of the lab boot it: scripts/guest makes it", file));
    return guest;
}

Result<void> start_vms(const LabPlan& plan, const GuestFiles& guest, const Record& record, Clock::time_point deadline) {
    if (!record.controller)
        if (auto offered = offer_networks(plan); !offered) return offered;
    std::vector<Command> define, start;
    for (const auto& vm : plan.vms) {
        const Libvirtd libvirtd = libvirtd_of(plan.name, *plan.host(vm.host));
        if (auto offered = wait_for_network(libvirtd, vm.network, deadline); !offered) return offered;
        Command command = libvirtd.virsh({"define", "/dev/stdin"});
        command.input = domain_xml(vm, guest);
        define.push_back(std::move(command));
        start.push_back(libvirtd.virsh({"start", vm.name}));
    }
    if (auto defined = run_all(define); !defined) return defined;
    return run_all(start, std::chrono::seconds(60));
}

Result<void> wait_for_vms(const LabPlan& plan, Clock::time_point deadline) {
    for (const auto& vm : plan.vms) {
        std::string lacks;
        while (!(lacks = lacking(plan, vm)).empty()) {
            if (interrupted()) return fail(ErrorKind::io, "interrupted");
            if (Clock::now() > deadline)
                return fail(ErrorKind::timeout,
                            fmt::format("VM '{}': {}; what it said: {}", vm.name, lacks,
                                        libvirtd_of(plan.name, *plan.host(vm.host)).outside(console_path(vm.name))));
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
    }
    return {};
}

Result<void> migrate(const LabPlan& plan, const VmPlan& vm, const HostPlan& to) {
    const std::string from = running_on(plan, vm);
    if (from.empty()) return fail(ErrorKind::refused, fmt::format("VM '{}' is not running", vm.name));
    if (from == to.name) return fail(ErrorKind::invalid, fmt::format("VM '{}' is on {} already", vm.name, to.name));
    const auto done =
        run(libvirtd_of(plan.name, *plan.host(from))
                .virsh({"migrate", "--live", "--persistent", "--undefinesource", vm.name,
                        libvirtd_of(plan.name, to).uri(), "--migrateuri", "tcp://" + to.control.to_string()}),
            std::chrono::seconds(300));
    if (!done) return std::unexpected(done.error());
    return {};
}

} // namespace weft::lab
