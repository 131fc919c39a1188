// Processes of a lab: known by pid and start time, so that a pid used again is never taken for ours, and found by the
// network namespace they live in, so that nothing started inside a lab outlives it.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weft::lab {

struct Process {
    pid_t pid = 0;
    std::uint64_t start = 0; ///< field 22 of /proc/PID/stat: clock ticks since boot
    bool operator==(const Process&) const = default;
};

/// The live process of that pid.
std::optional<Process> process_of(pid_t pid);
/// The live process that a pidfile names.
std::optional<Process> process_in(const std::string& pidfile);
bool alive(const Process& process);

/// Every process whose network namespace is one of these, weft-lab itself left out.
std::vector<Process> processes_in(const std::vector<std::string>& netns);

void signal_process(const Process& process, int signal);
/// False: some are still there after `patience`.
bool wait_until_gone(const std::vector<Process>& processes, std::chrono::milliseconds patience);

} // namespace weft::lab
