#include "lab/agent.hpp"
#include "lab/clients.hpp"
#include "lab/command.hpp"
#include "lab/commands.hpp"
#include "lab/libvirtd.hpp"
#include "lab/ovs.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace weft::lab {
namespace {

// As `ip netns exec`: a view of /sys that shows the namespace's devices, seen by the command alone.
Result<void> own_sysfs() {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) != 0)
        return fail(ErrorKind::io, fmt::format("private mounts: {}", std::strerror(errno)));
    struct statvfs info{};
    const bool read_only = statvfs("/sys", &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
    umount2("/sys", MNT_DETACH);
    mount("sysfs", "/sys", "sysfs", read_only ? MS_RDONLY : 0, nullptr); // without it only /sys/class/net is wrong
    return {};
}

// Programs that know OVS's default socket and no environment (libvirtd) find this host's there too.
void bind_run_directory(const std::string& directory) {
    struct stat info{};
    if (stat("/run/openvswitch", &info) == 0) mount(directory.c_str(), "/run/openvswitch", nullptr, MS_BIND, nullptr);
}

// What the endpoint was told of name servers. A machine without a resolv.conf, or with a link that leads nowhere, has
// nothing to mount it over: there the endpoint's /etc is laid over the machine's.
void own_resolver(const std::string& etc) {
    const std::string file = etc + "/resolv.conf";
    if (access(file.c_str(), F_OK) != 0) return;
    if (mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0) return;
    mount("overlay", "/etc", "overlay", MS_RDONLY, ("lowerdir=" + etc + ":/etc").c_str());
}

// A guest has its input as a whole, before the command begins; a terminal gives none.
std::string read_input() {
    std::string input;
    if (isatty(STDIN_FILENO) == 1) return input;
    std::array<char, 65536> buffer{};
    for (ssize_t n; (n = read(STDIN_FILENO, buffer.data(), buffer.size())) > 0;)
        input.append(buffer.data(), static_cast<std::size_t>(n));
    return input;
}

Result<int> exec_in_guest(const LabPlan& plan, const VmPlan& vm, const std::vector<std::string>& command) {
    auto done = run_in_guest(plan, vm, command, read_input());
    if (!done && done.error().text.contains("No such file or directory"))
        return fail(ErrorKind::invalid, fmt::format("{}: command not found", command.front()));
    if (!done) return std::unexpected(done.error());
    std::fwrite(done->out.data(), 1, done->out.size(), stdout);
    std::fwrite(done->err.data(), 1, done->err.size(), stderr);
    return done->status;
}

} // namespace

Result<int> exec(const std::string& lab, const std::string& who, const std::vector<std::string>& command) {
    if (auto root = check_root(); !root) return std::unexpected(root.error());
    const auto opened = open_lab(lab);
    if (!opened) return std::unexpected(opened.error());
    const LabPlan& plan = opened->plan;
    if (const auto* vm = plan.vm(who)) return exec_in_guest(plan, *vm, command);
    std::string netns;
    if (const auto* host = plan.host(who))
        netns = host->netns;
    else if (const auto* endpoint = plan.endpoint(who))
        netns = endpoint->netns;
    else if (who == "control")
        netns = plan.control_netns;
    else if (who == "underlay")
        netns = plan.underlay_netns;
    else if (who == "switch" && plan.has_switch())
        netns = plan.switch_netns;
    else
        return fail(ErrorKind::invalid,
                    fmt::format("lab '{}' has no host, port, endpoint or VM '{}': weft-lab status", lab, who));

    const std::string program = find_program(command.front());
    if (program.empty()) return fail(ErrorKind::invalid, fmt::format("{}: command not found", command.front()));
    if (auto entered = enter_netns(netns); !entered) return std::unexpected(entered.error());
    if (auto mounted = own_sysfs(); !mounted) return std::unexpected(mounted.error());
    if (plan.endpoint(who)) own_resolver(endpoint_etc(lab, who));
    std::optional<Ovs> ovs;
    if (const auto* host = plan.host(who))
        ovs = ovs_of(lab, *host);
    else if (who == "switch")
        ovs = switch_ovs(plan);
    if (ovs) {
        for (const auto& [name, value] : ovs->environment())
            setenv(name.c_str(), value.c_str(), 1);
        bind_run_directory(ovs->directory);
    }
    if (const auto* host = plan.host(who); host && !plan.vms.empty())
        setenv("LIBVIRT_DEFAULT_URI", libvirtd_of(lab, *host).uri().c_str(), 1);
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const auto& word : command)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execv(program.c_str(), argv.data());
    return fail(ErrorKind::io, fmt::format("{}: {}", program, std::strerror(errno)));
}

} // namespace weft::lab
