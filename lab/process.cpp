#include "lab/process.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace weft::lab {
namespace fs = std::filesystem;

std::optional<Process> process_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    // The command's name is in parentheses and may hold anything: count fields after the last one.
    const auto name_end = text.rfind(')');
    if (pid <= 0 || name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(text.substr(name_end + 1));
    std::string state;
    fields >> state;
    if (state == "Z" || state == "X") return std::nullopt;
    std::string skipped;
    for (int field = 4; field < 22; ++field)
        fields >> skipped;
    Process process{pid, 0};
    if (!(fields >> process.start)) return std::nullopt;
    return process;
}

std::optional<Process> process_in(const std::string& pidfile) {
    std::ifstream file(pidfile);
    pid_t pid = 0;
    if (!(file >> pid)) return std::nullopt;
    return process_of(pid);
}

bool alive(const Process& process) {
    return process_of(process.pid) == process;
}

std::vector<Process> processes_in(const std::vector<std::string>& netns) {
    std::set<std::pair<dev_t, ino_t>> wanted;
    struct stat info{};
    for (const auto& name : netns)
        if (stat(("/run/netns/" + name).c_str(), &info) == 0) wanted.emplace(info.st_dev, info.st_ino);
    std::vector<Process> found;
    std::error_code error;
    if (wanted.empty()) return found;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename();
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{} || pid == getpid()) continue;
        if (stat((entry.path() / "ns/net").c_str(), &info) != 0 || !wanted.contains({info.st_dev, info.st_ino}))
            continue;
        if (const auto process = process_of(pid)) found.push_back(*process);
    }
    return found;
}

void signal_process(const Process& process, int signal) {
    if (alive(process)) kill(process.pid, signal);
}

bool wait_until_gone(const std::vector<Process>& processes, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::ranges::any_of(processes, alive)) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

} // namespace weft::lab
