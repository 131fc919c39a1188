#include "lab/command.hpp"
#include "lab/commands.hpp"
#include "lab/daemons.hpp"
#include "lab/libvirtd.hpp"
#include "lab/namespaces.hpp"
#include "lab/setup.hpp"

#include <csignal>
#include <fmt/format.h>

namespace weft::lab {
namespace {

Result<void> kill_daemon(Record& record, const std::string& name) {
    const auto found = record.processes.find(name);
    if (found == record.processes.end() || !alive(found->second))
        return fail(ErrorKind::invalid, fmt::format("{} is not running", name));
    signal_process(found->second, SIGKILL);
    if (!wait_until_gone({found->second}, std::chrono::seconds(5)))
        return fail(ErrorKind::timeout, fmt::format("{} does not end", name));
    return {};
}

bool running(const Record& record, const std::string& name) {
    const auto found = record.processes.find(name);
    return found != record.processes.end() && alive(found->second);
}

Result<void> cut(const HostPlan& host, const std::string& which) {
    const bool all = which.empty();
    if (!all && which != "underlay" && which != "uplink" && which != "control")
        return fail(ErrorKind::invalid, fmt::format("'{}' is no link: underlay, uplink or control", which));
    if (which == "uplink" && host.uplinks.empty())
        return fail(ErrorKind::invalid, fmt::format("host '{}' has no uplinks", host.name));
    if (all || which == "uplink")
        for (const auto& [physnet, link] : host.uplinks)
            if (auto done = set_link(link, false); !done) return done;
    if (all || which == "underlay")
        if (auto done = set_link(host.underlay_link, false); !done) return done;
    if (all || which == "control") return set_link(host.control_link, false);
    return {};
}

Result<void> heal(const LabPlan& plan, const HostPlan& host, Record& record) {
    for (const auto& [physnet, link] : host.uplinks)
        if (auto done = set_link(link, true); !done) return done;
    for (const auto* link : {&host.underlay_link, &host.control_link})
        if (auto done = set_link(*link, true); !done) return done;
    const Ovs ovs = ovs_of(plan.name, host);
    if (!running(record, daemon_name(ovs, "ovsdb-server")))
        if (auto started = start_ovsdb({ovs}, record); !started) return started;
    if (!running(record, daemon_name(ovs, "ovs-vswitchd"))) {
        if (auto started = start_vswitchd({ovs}, record); !started) return started;
        if (host.vtep.address.is_v6())
            if (auto done = enable_ipv6(host.netns, "br-phy"); !done) return done;
        if (auto done = ip_batch(host.netns, underlay_address_lines(host)); !done) return done;
    }
    const Libvirtd libvirtd = libvirtd_of(plan.name, host);
    if (plan.vms.empty() || running(record, libvirtd.process())) return {};
    return start_libvirtd({libvirtd}, record);
}

Result<void> fault_weftd(const LabPlan& plan, Record& record, const std::string& what) {
    if (what == "kill") return kill_daemon(record, "weftd");
    if (what != "start") return fail(ErrorKind::invalid, fmt::format("'{}' is no fault of weftd: kill, start", what));
    if (running(record, "weftd")) return fail(ErrorKind::invalid, "weftd is running");
    return start_weftd(plan, record);
}

} // namespace

Result<void> fault(const std::string& lab, const std::string& who, const std::string& what, const std::string& link) {
    if (auto root = check_root(); !root) return root;
    auto opened = open_lab(lab);
    if (!opened) return std::unexpected(opened.error());
    const auto lock = LabLock::take(lab);
    if (!lock) return std::unexpected(lock.error());
    auto& [record, plan] = *opened;
    if (!link.empty() && what != "cut-link") return fail(ErrorKind::invalid, fmt::format("'{}' takes no link", what));
    const HostPlan* host = plan.host(who);
    if (!host && who == "weftd") return fault_weftd(plan, record, what);
    if (!host) return fail(ErrorKind::invalid, fmt::format("lab '{}' has no host '{}': weft-lab status", lab, who));
    if (what == "kill-vswitchd") return kill_daemon(record, who + "/ovs-vswitchd");
    if (what == "kill-ovsdb") return kill_daemon(record, who + "/ovsdb-server");
    if (what == "kill-libvirtd") return kill_daemon(record, who + "/libvirtd");
    if (what == "cut-link") return cut(*host, link);
    if (what == "heal") return heal(plan, *host, record);
    return fail(
        ErrorKind::invalid,
        fmt::format("'{}' is no fault of a host: kill-vswitchd, kill-ovsdb, kill-libvirtd, cut-link, heal", what));
}

} // namespace weft::lab
