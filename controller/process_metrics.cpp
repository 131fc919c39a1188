#include "controller/process_metrics.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace weft::controller {
namespace {

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// When this file of the program came to life, which is when the process did.
const double kStarted = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();

} // namespace

std::vector<ProcessMetric> measure_process() {
    std::vector<ProcessMetric> all{
        {"process_start_time_seconds", "When the process started, since the epoch.", false, kStarted}};
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        all.push_back({"process_cpu_seconds_total", "CPU time of the process, user and system.", true,
                       seconds(usage.ru_utime) + seconds(usage.ru_stime)});
    double pages = 0, resident = 0;
    if (std::ifstream statm("/proc/self/statm"); statm >> pages >> resident) {
        const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
        all.push_back({"process_virtual_memory_bytes", "Virtual memory of the process.", false, pages * page});
        all.push_back({"process_resident_memory_bytes", "Resident memory of the process.", false, resident * page});
    }
    std::error_code ec;
    if (std::filesystem::directory_iterator files("/proc/self/fd", ec), end; !ec)
        all.push_back(
            {"process_open_fds", "Open file descriptors.", false, static_cast<double>(std::distance(files, end))});
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        all.push_back({"process_max_fds", "Most open file descriptors.", false, static_cast<double>(limit.rlim_cur)});
    return all;
}

} // namespace weft::controller
