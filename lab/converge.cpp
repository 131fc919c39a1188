#include "lab/converge.hpp"

#include "lab/command.hpp"
#include "lab/daemons.hpp"
#include "lab/record.hpp"
#include "lab/vms.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <bit>
#include <boost/json.hpp>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <ifaddrs.h>
#include <iterator>
#include <sstream>
#include <thread>

namespace weft::lab {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

Command weftctl(const LabPlan& plan, const std::vector<std::string>& words) {
    Command command{{"weftctl", "--api", api_of(plan.name)}, "", {}, ""};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    return command;
}

Result<void> wait_for_ports(const LabPlan& plan, Clock::time_point deadline) {
    for (;;) {
        const auto shown = run(weftctl(plan, {"ports", "-o", "json"}));
        if (!shown) return std::unexpected(shown.error());
        const auto missing = ports_missing(plan, *shown);
        if (!missing) return std::unexpected(missing.error());
        if (missing->empty()) return {};
        if (Clock::now() > deadline)
            return fail(ErrorKind::timeout,
                        fmt::format("weftd does not show these ports as up: {}", fmt::join(*missing, ", ")));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

Result<void> wait_for_hosts(const LabPlan& plan, Clock::time_point deadline) {
    const auto left =
        std::max(std::chrono::ceil<std::chrono::seconds>(deadline - Clock::now()), std::chrono::seconds(1));
    const auto done =
        run(weftctl(plan, {"wait", "--timeout", fmt::format("{}s", left.count())}), left + std::chrono::seconds(5));
    if (!done) return std::unexpected(done.error());
    return {};
}

std::string read_file(const char* path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Of the namespace that this process is in.
Held held_here() {
    Held held = parse_routes(read_file("/proc/net/route"), read_file("/proc/net/ipv6_route"));
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) return held;
    for (const auto* entry = all; entry; entry = entry->ifa_next) {
        if (!entry->ifa_addr) continue;
        if (entry->ifa_addr->sa_family == AF_INET) {
            const auto& address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
            held.addresses.emplace(entry->ifa_name, Ip::v4(ntohl(address.s_addr)));
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            std::array<std::uint8_t, 16> bytes{};
            std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr, bytes.size());
            held.addresses.emplace(entry->ifa_name, Ip::v6(bytes));
        }
    }
    freeifaddrs(all);
    return held;
}

Result<void> wait_for_leases(const LabPlan& plan, Clock::time_point deadline) {
    std::vector<const EndpointPlan*> waiting;
    for (const auto& endpoint : plan.endpoints)
        if (!not_leased(endpoint, {}).empty()) waiting.push_back(&endpoint);
    for (;;) {
        std::string missing;
        std::erase_if(waiting, [&](const EndpointPlan* endpoint) {
            const InNetns inside(endpoint->netns);
            const auto lacks = not_leased(*endpoint, inside ? held_here() : Held{});
            if (!lacks.empty()) missing += fmt::format("\n    {}: {}", endpoint->name, fmt::join(lacks, ", "));
            return lacks.empty();
        });
        if (waiting.empty()) return {};
        if (interrupted()) return fail(ErrorKind::io, "interrupted");
        if (Clock::now() > deadline)
            return fail(
                ErrorKind::timeout,
                fmt::format("these endpoints were not given what they are to have:{}\nwhat their DHCP clients say: "
                            "{}/dhcp.log",
                            missing, endpoint_directory(plan.name, waiting.front()->name)));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

std::optional<std::uint32_t> hexadecimal(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::array<std::uint8_t, 16>> hexadecimal_address(std::string_view text) {
    std::array<std::uint8_t, 16> bytes{};
    if (text.size() != 2 * bytes.size()) return std::nullopt;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = hexadecimal(text.substr(2 * i, 2));
        if (!byte) return std::nullopt;
        bytes[i] = static_cast<std::uint8_t>(*byte);
    }
    return bytes;
}

} // namespace

Held parse_routes(const std::string& route, const std::string& ipv6_route) {
    Held held;
    std::istringstream v4(route), v6(ipv6_route);
    std::string device, to, length, skipped;
    std::getline(v4, skipped); // the names of the columns
    // Iface Destination Gateway Flags RefCnt Use Metric Mask …: numbers as they lie in memory.
    while (v4 >> device >> to >> skipped >> skipped >> skipped >> skipped >> skipped >> length) {
        const auto address = hexadecimal(to), mask = hexadecimal(length);
        if (address && mask) held.routes.emplace(device, Prefix{Ip::v4(ntohl(*address)), std::popcount(*mask)});
        std::getline(v4, skipped);
    }
    // Destination, its length, source, its length, next hop, metric, references, use, flags, device.
    while (v6 >> to >> length >> skipped >> skipped >> skipped >> skipped >> skipped >> skipped >> skipped >> device) {
        const auto address = hexadecimal_address(to);
        const auto bits = hexadecimal(length);
        if (address && bits) held.routes.emplace(device, Prefix{Ip::v6(*address), static_cast<int>(*bits)});
    }
    return held;
}

std::vector<std::string> not_leased(const EndpointPlan& endpoint, const Held& held) {
    std::vector<std::string> missing;
    for (const auto& nic : endpoint.nics) {
        const std::string& device = nic.link.near.name;
        const auto want = [&](const Prefix& to) {
            if (!held.routes.contains({device, to}))
                missing.push_back(fmt::format("{} route {}", device, to.to_string()));
        };
        for (const auto& address : nic.addresses) {
            const Ip& ip = address.address;
            if (nic.source(ip) == Source::fixed) continue;
            if (!held.addresses.contains({device, ip})) {
                missing.push_back(fmt::format("{} {}", device, ip.to_string()));
                continue; // no route without it
            }
            want({address.network(), address.length});
            for (const auto& route : nic.routes)
                if (route.via.is_v6() == ip.is_v6())
                    want(route.prefix.value_or(Prefix{ip.is_v6() ? Ip::v6({}) : Ip::v4(0), 0}));
        }
    }
    return missing;
}

Result<std::vector<std::string>> ports_missing(const LabPlan& plan, const std::string& ports_json) {
    std::set<std::pair<std::string, std::string>> up; // port, host
    try {
        for (const auto& entry : json::parse(ports_json).as_array())
            if (entry.at("state") == "up")
                up.emplace(json::value_to<std::string>(entry.at("name")),
                           json::value_to<std::string>(entry.at("host")));
    } catch (const std::exception& error) {
        return fail(ErrorKind::protocol, fmt::format("weftctl ports -o json: {}", error.what()));
    }
    std::vector<std::string> missing;
    for (const auto& endpoint : plan.endpoints)
        if (endpoint.kind == EndpointKind::port && !up.contains({endpoint.name, endpoint.host}))
            missing.push_back(endpoint.name);
    return missing;
}

Result<void> converge(const LabPlan& plan, bool controller, std::chrono::seconds timeout) {
    const auto deadline = Clock::now() + timeout;
    Result<void> ready;
    if (controller) ready = wait_for_ports(plan, deadline);
    if (controller && ready) ready = wait_for_hosts(plan, deadline);
    if (controller && ready) ready = wait_for_leases(plan, deadline);
    if (ready) ready = wait_for_vms(plan, deadline);
    if (!ready)
        ready.error().text +=
            fmt::format("{}\nthe lab is left running: weftctl --lab={} status, weft-lab down --name {}",
                        log_tail(lab_directory(plan.name) + "/weftd.log"), plan.name, plan.name);
    return ready;
}

} // namespace weft::lab
