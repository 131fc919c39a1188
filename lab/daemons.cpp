#include "lab/daemons.hpp"

#include "lab/libvirtd.hpp"
#include "lab/setup.hpp"

#include <chrono>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace weft::lab {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kWeftdPatience{20};

// The error of a daemon that would not start, with what it logged.
Result<void> with_logs(Result<void> result, const std::vector<Ovs>& all, const std::string& daemon) {
    if (result) return result;
    for (const auto& ovs : all)
        if (!process_in(ovs.pidfile(daemon))) result.error().text += log_tail(ovs.directory + "/" + daemon + ".log");
    return result;
}

Result<void> write_down(const std::vector<Ovs>& all, const std::string& daemon, Record& record) {
    for (const auto& ovs : all) {
        const auto process = process_in(ovs.pidfile(daemon));
        if (!process)
            return fail(ErrorKind::io, fmt::format("{} of {} ended as it started{}", daemon, ovs.name,
                                                   log_tail(ovs.directory + "/" + daemon + ".log")));
        record.processes[daemon_name(ovs, daemon)] = *process;
    }
    return store(record);
}

bool answers(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return connected;
}

} // namespace

std::string daemon_name(const Ovs& ovs, const std::string& daemon) {
    return ovs.name + "/" + daemon;
}
std::string api_of(const std::string& lab) {
    return "unix:" + lab_directory(lab) + "/api.sock";
}

std::string log_tail(const std::string& path, std::size_t lines) {
    std::ifstream file(path);
    std::deque<std::string> kept;
    for (std::string line; std::getline(file, line);) {
        kept.push_back(line);
        if (kept.size() > lines) kept.pop_front();
    }
    if (kept.empty()) return "";
    std::string text = "\n" + path + ":";
    for (const auto& line : kept)
        text += "\n    " + line;
    return text;
}

Result<void> start_ovsdb(const std::vector<Ovs>& all, Record& record) {
    std::vector<Command> databases, servers;
    for (const auto& ovs : all) {
        std::error_code error;
        fs::create_directories(ovs.directory, error);
        if (error) return fail(ErrorKind::io, fmt::format("{}: {}", ovs.directory, error.message()));
        if (!fs::exists(ovs.directory + "/conf.db")) databases.push_back(ovs.make_database());
        servers.push_back(ovs.ovsdb_server());
    }
    if (auto made = run_all(databases); !made) return made;
    if (auto started = with_logs(run_all(servers), all, "ovsdb-server"); !started) return started;
    return write_down(all, "ovsdb-server", record);
}

Result<void> start_vswitchd(const std::vector<Ovs>& all, Record& record) {
    std::vector<Command> commands;
    commands.reserve(all.size());
    for (const auto& ovs : all)
        commands.push_back(ovs.ovs_vswitchd());
    if (auto started = with_logs(run_all(commands), all, "ovs-vswitchd"); !started) return started;
    return write_down(all, "ovs-vswitchd", record);
}

Result<void> start_weftd(const LabPlan& plan, Record& record) {
    const std::string directory = lab_directory(plan.name);
    const std::string socket = directory + "/api.sock";
    const std::string log = directory + "/weftd.log";
    std::error_code error;
    fs::create_directories(directory + "/state", error);
    fs::remove(socket, error);
    std::map<std::string, std::string> libvirt_uris;
    for (const auto& libvirtd : every_libvirtd(plan))
        libvirt_uris[libvirtd.host] = libvirtd.uri();
    std::ofstream(directory + "/weftd.toml") << weftd_settings(plan, directory, libvirt_uris);
    const auto pid = start(
        {{"weftd", "--config", directory + "/weftd.toml", "--topology", record.topology}, plan.control_netns, {}, {}},
        log);
    if (!pid) return std::unexpected(pid.error());
    if (const auto process = process_of(*pid)) record.processes["weftd"] = *process;
    if (auto stored = store(record); !stored) return stored;

    const auto deadline = std::chrono::steady_clock::now() + kWeftdPatience;
    while (!answers(socket)) {
        if (interrupted()) return fail(ErrorKind::io, "interrupted");
        if (waitpid(*pid, nullptr, WNOHANG) == *pid)
            return fail(ErrorKind::io, "weftd ended as it started" + log_tail(log));
        if (std::chrono::steady_clock::now() > deadline)
            return fail(ErrorKind::timeout, fmt::format("weftd does not answer on {}{}", socket, log_tail(log)));
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return {};
}

} // namespace weft::lab
