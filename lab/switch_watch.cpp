#include "lab/switch_watch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <map>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weft::lab {
namespace {

/// Device → bridge, of every physical network.
std::map<std::string, std::string> bridges(const LabPlan& plan) {
    std::map<std::string, std::string> all;
    for (const auto& [physnet, planned] : plan.physnets)
        for (const auto& [device, vlan] : planned.ports)
            all[device] = planned.bridge;
    return all;
}

/// The device that a link message says is down; empty for any other message.
std::string device_down(const nlmsghdr* message) {
    if (message->nlmsg_type != RTM_NEWLINK) return "";
    const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
    if ((info->ifi_flags & IFF_RUNNING) != 0) return "";
    auto length = static_cast<int>(IFLA_PAYLOAD(message));
    for (const rtattr* attribute = IFLA_RTA(info); RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
        if (attribute->rta_type == IFLA_IFNAME) return static_cast<const char*>(RTA_DATA(attribute));
    return "";
}

[[noreturn]] void watch(const LabPlan& plan) {
    const auto bridge_of = bridges(plan);
    const Ovs ovs = switch_ovs(plan);
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) _exit(1);
    // Nobody is there to be told of a failure: a switch OVS that does not answer has nothing to forget.
    const auto flush = [&](const std::string& bridge) {
        [[maybe_unused]] const auto done = run(ovs.in_it({"ovs-appctl", "--timeout=5", "fdb/flush", bridge}));
    };
    alignas(nlmsghdr) std::array<char, 32768> buffer{};
    for (;;) {
        const ssize_t received = recv(fd, buffer.data(), buffer.size(), 0);
        if (received < 0 && errno == ENOBUFS) // messages were lost: any link may be down
            for (const auto& [physnet, planned] : plan.physnets)
                flush(planned.bridge);
        else if (received < 0 && errno != EINTR)
            _exit(1);
        auto left = static_cast<std::uint32_t>(std::max<ssize_t>(received, 0));
        for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
             message = NLMSG_NEXT(message, left))
            if (const auto bridge = bridge_of.find(device_down(message)); bridge != bridge_of.end())
                flush(bridge->second);
    }
}

} // namespace

Result<pid_t> start_switch_watch(const LabPlan& plan) {
    const pid_t pid = fork();
    if (pid < 0) return fail(ErrorKind::io, fmt::format("fork: {}", std::strerror(errno)));
    if (pid > 0) return pid;
    setsid();
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    close_range(3, ~0U, 0); // the lock of the lab among them
    const int null = open("/dev/null", O_RDWR);
    for (const int stream : {0, 1, 2})
        dup2(null, stream);
    if (!enter_netns(plan.switch_netns)) _exit(1);
    watch(plan);
}

} // namespace weft::lab
