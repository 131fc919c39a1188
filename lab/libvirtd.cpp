#include "lab/libvirtd.hpp"

#include "base/ids.hpp"
#include "lab/daemons.hpp"

#include <array>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sys/wait.h>
#include <thread>

namespace weft::lab {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kPatience{30};
constexpr std::size_t kSocketPathLimit = 107;
// /run last: what is mounted comes from there.
constexpr std::array<std::string_view, 5> kOwn{"/var/lib", "/var/log", "/var/cache", "/etc/libvirt", "/run"};

// Without a UUID of its own each takes the machine's, and then they will not migrate to one another.
std::string uuid(const Libvirtd& libvirtd) {
    const std::uint64_t high = content_hash(libvirtd.directory, 1), low = content_hash(libvirtd.directory, 2);
    return fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xfff,
                       low >> 48 & 0xfff, low & 0xffffffffffff);
}

// Nothing of the machine's takes part: no polkit, no cgroups, no virtlogd, no security driver, files as root owns them.
constexpr const char* kQemuConf = R"(user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
)";

// libvirtd insists on its user and group, though no QEMU here runs as them; a package that a lab does not need makes
// them.
std::string with_libvirt_qemu(const char* path, const char* line) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!text.contains("libvirt-qemu:")) text += line;
    return text;
}

Result<void> write_files(const Libvirtd& libvirtd) {
    if (libvirtd.socket().size() > kSocketPathLimit)
        return fail(ErrorKind::invalid, fmt::format("{} is longer than a socket's path may be: choose a shorter --name",
                                                    libvirtd.socket()));
    std::error_code error;
    for (const auto place : kOwn)
        fs::create_directories(libvirtd.outside(std::string(place)), error);
    for (const char* inside : {"/run/openvswitch", "/run/agents", "/var/log/libvirt"})
        fs::create_directories(libvirtd.outside(inside), error);
    const std::string etc = libvirtd.outside("/etc/libvirt");
    std::ofstream(etc + "/libvirtd.conf") << fmt::format(
        "auth_unix_ro = \"none\"\nauth_unix_rw = \"none\"\nhost_uuid = \"{}\"\nlog_level = 3\n", uuid(libvirtd));
    std::ofstream(libvirtd.outside("/etc/passwd"))
        << with_libvirt_qemu("/etc/passwd", "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin\n");
    std::ofstream(libvirtd.outside("/etc/group")) << with_libvirt_qemu("/etc/group", "libvirt-qemu:x:64055:\n");
    std::ofstream conf(etc + "/qemu.conf");
    conf << kQemuConf;
    conf.flush();
    if (!conf) return fail(ErrorKind::io, fmt::format("{}/qemu.conf: cannot be written", etc));
    return {};
}

// It listens before it is ready, and ends if it cannot be.
Result<void> wait_for(const Libvirtd& libvirtd, pid_t pid, std::chrono::steady_clock::time_point deadline) {
    while (!run(libvirtd.virsh({"uri"}))) {
        if (interrupted()) return fail(ErrorKind::io, "interrupted");
        if (waitpid(pid, nullptr, WNOHANG) == pid)
            return fail(ErrorKind::io,
                        fmt::format("libvirtd of {} ended as it started{}", libvirtd.host, log_tail(libvirtd.log())));
        if (std::chrono::steady_clock::now() > deadline)
            return fail(ErrorKind::timeout,
                        fmt::format("libvirtd of {} does not answer{}", libvirtd.host, log_tail(libvirtd.log())));
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return {};
}

} // namespace

std::string Libvirtd::outside(const std::string& path) const {
    return directory + path;
}

Command Libvirtd::daemon() const {
    Command command{.argv = {"libvirtd", "--pid-file", "/run/libvirtd.pid"}, .netns = netns};
    command.mounts.devices = true;
    command.mounts.binds.emplace_back(directory, outside("/run/openvswitch")); // the OVS default socket is this host's
    for (const char* file : {"/etc/passwd", "/etc/group"})
        command.mounts.binds.emplace_back(outside(file), file);
    for (const auto place : kOwn)
        command.mounts.binds.emplace_back(outside(std::string(place)), place);
    return command;
}

Command Libvirtd::virsh(std::vector<std::string> words) const {
    words.insert(words.begin(), {"virsh", "-q", "-c", uri()});
    return {.argv = std::move(words)};
}

Libvirtd libvirtd_of(const std::string& lab, const HostPlan& host) {
    return {host.name, host.netns, host_directory(lab, host.name)};
}

std::vector<Libvirtd> every_libvirtd(const LabPlan& plan) {
    std::vector<Libvirtd> all;
    if (plan.vms.empty()) return all;
    for (const auto& host : plan.hosts)
        all.push_back(libvirtd_of(plan.name, host));
    return all;
}

Result<void> start_libvirtd(const std::vector<Libvirtd>& all, Record& record) {
    std::vector<pid_t> pids;
    for (const auto& libvirtd : all) {
        if (auto written = write_files(libvirtd); !written) return written;
        const auto pid = start(libvirtd.daemon(), libvirtd.log());
        if (!pid) return std::unexpected(pid.error());
        pids.push_back(*pid);
        if (const auto process = process_of(*pid)) record.processes[libvirtd.process()] = *process;
    }
    if (auto stored = store(record); !stored) return stored;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (std::size_t i = 0; i < all.size(); ++i)
        if (auto up = wait_for(all[i], pids[i], deadline); !up) return up;
    return {};
}

} // namespace weft::lab
