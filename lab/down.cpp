#include "lab/command.hpp"
#include "lab/commands.hpp"
#include "lab/namespaces.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <set>

namespace weft::lab {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kPatience{5};

// The recorded namespaces, and those that only their names still tie to the lab.
std::set<std::string> namespaces_of(const std::string& name, const Result<Record>& record) {
    std::set<std::string> own;
    if (record) own.insert(record->namespaces.begin(), record->namespaces.end());
    std::set<std::string> others;
    for (const auto& other : lab_names()) {
        if (other == name) continue;
        if (const auto theirs = load_record(other)) others.insert(theirs->namespaces.begin(), theirs->namespaces.end());
    }
    for (const auto& netns : all_namespaces())
        if (netns.starts_with("weft-" + name + "-") && !others.contains(netns)) own.insert(netns);
    return own;
}

Result<void> end_processes(const Result<Record>& record, const std::vector<std::string>& netns) {
    std::vector<Process> all;
    if (record) {
        for (const auto& [what, process] : record->processes)
            all.push_back(process);
        // weftd may say its last words; nothing else of a lab has any.
        if (const auto weftd = record->processes.find("weftd"); weftd != record->processes.end()) {
            signal_process(weftd->second, SIGTERM);
            wait_until_gone({weftd->second}, std::chrono::seconds(2));
        }
    }
    // Twice: what forked while the others were killed is there the second time.
    for (int round = 0; round < 2; ++round) {
        for (const auto& process : processes_in(netns))
            all.push_back(process);
        for (const auto& process : all)
            signal_process(process, SIGKILL);
        if (!wait_until_gone(all, kPatience))
            return fail(ErrorKind::timeout, "processes of the lab do not end: see ps for state D");
    }
    return {};
}

} // namespace

Result<void> tear_down(const std::string& name, Keep keep) {
    const auto record = load_record(name);
    const auto own = namespaces_of(name, record);
    const std::vector<std::string> netns(own.begin(), own.end());
    if (auto ended = end_processes(record, netns); !ended) return ended;
    if (auto removed = remove_namespaces(netns); !removed) return removed;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(lab_directory(name), error))
        fs::remove_all(entry, error);
    if (error) return fail(ErrorKind::io, fmt::format("{}: {}", lab_directory(name), error.message()));
    if (keep == Keep::directory) return {};
    fs::remove(lab_directory(name), error);
    fs::remove(kLabRoot, error); // the last lab takes the root with it; another's makes this fail, rightly
    return {};
}

Result<void> down(const std::string& name) {
    if (auto legal = check_lab_name(name); !legal) return legal;
    if (auto root = check_root(); !root) return root;
    const bool anything =
        fs::exists(lab_directory(name)) || std::ranges::any_of(all_namespaces(), [&](const auto& netns) {
            return netns.starts_with("weft-" + name + "-");
        });
    if (!anything) {
        say(name, "nothing to take down");
        return {};
    }
    const auto lock = LabLock::take(name);
    if (!lock) return std::unexpected(lock.error());
    if (auto gone = tear_down(name); !gone) return gone;
    say(name, "down");
    return {};
}

} // namespace weft::lab
