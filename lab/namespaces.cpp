#include "lab/namespaces.hpp"

#include "lab/command.hpp"
#include "lab/setup.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weft::lab {
namespace {

void write_sysctl(const std::string& path, const std::string& value) {
    const int fd = open(("/proc/sys/net/" + path).c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return; // a kernel without IPv6: then nothing needs it
    [[maybe_unused]] const ssize_t written = write(fd, value.data(), value.size());
    close(fd);
}

} // namespace

Result<void> ip_batch(const std::string& netns, const std::string& lines) {
    return run_all({{{"ip", "-n", netns, "-batch", "-"}, "", {}, lines}});
}

Result<void> make_network(const LabPlan& plan) {
    const auto setups = namespace_setups(plan);
    if (auto made = run_all({{{"ip", "-batch", "-"}, "", {}, namespace_batch(plan)}}); !made) return made;
    for (const auto& [netns, setup] : setups) {
        const InNetns inside(netns);
        if (!inside) return fail(ErrorKind::io, "cannot enter namespace " + netns);
        for (const auto& [path, value] : setup.sysctls)
            write_sysctl(path, value);
    }
    if (auto made = run_all({{{"ip", "-batch", "-"}, "", {}, link_batch(plan)}}); !made) return made;
    for (const auto& [netns, setup] : setups) {
        if (setup.device_sysctls.empty()) continue;
        const InNetns inside(netns);
        if (!inside) return fail(ErrorKind::io, "cannot enter namespace " + netns);
        for (const auto& [path, value] : setup.device_sysctls)
            write_sysctl(path, value);
    }
    std::vector<Command> batches;
    for (const auto& [netns, setup] : setups)
        if (!setup.ip.empty()) batches.push_back({{"ip", "-n", netns, "-batch", "-"}, "", {}, setup.ip});
    if (auto made = run_all(batches); !made) return made;
    batches.clear();
    for (const auto& [netns, setup] : setups)
        if (!setup.ip6.empty()) batches.push_back({{"ip", "-6", "-n", netns, "-batch", "-"}, "", {}, setup.ip6});
    if (auto made = run_all(batches); !made) return made;
    for (const auto& [netns, setup] : setups)
        switch_offloads_off(netns);
    return {};
}

bool namespace_exists(const std::string& name) {
    return std::filesystem::exists("/run/netns/" + name);
}

std::vector<std::string> all_namespaces() {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/run/netns", error))
        names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
}

Result<void> remove_namespaces(const std::vector<std::string>& names) {
    std::string lines;
    for (const auto& name : names)
        if (namespace_exists(name)) lines += "netns delete " + name + "\n";
    if (lines.empty()) return {};
    return run_all({{{"ip", "-force", "-batch", "-"}, "", {}, lines}});
}

void switch_offloads_off(const std::string& netns) {
    const InNetns inside(netns);
    if (!inside) return;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct if_nameindex* interfaces = if_nameindex();
    for (auto* interface = interfaces; interface && interface->if_index != 0; ++interface) {
        if (std::strcmp(interface->if_name, "lo") == 0) continue;
        for (const std::uint32_t offload : {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO}) {
            ethtool_value value{offload, 0};
            ifreq request{};
            std::strncpy(request.ifr_name, interface->if_name, IFNAMSIZ - 1);
            request.ifr_data = reinterpret_cast<char*>(&value);
            ioctl(fd, SIOCETHTOOL, &request); // a device without the offload refuses: as wanted
        }
    }
    if_freenameindex(interfaces);
    close(fd);
}

Result<void> enable_ipv6(const std::string& netns, const std::string& device) {
    const InNetns inside(netns);
    if (!inside) return fail(ErrorKind::io, "cannot enter namespace " + netns);
    write_sysctl("ipv6/conf/" + device + "/disable_ipv6", "0");
    return {};
}

Result<void> set_link(const Link& link, bool up) {
    return ip_batch(link.far.netns, fmt::format("link set {} {}\n", link.far.name, up ? "up" : "down"));
}

} // namespace weft::lab
