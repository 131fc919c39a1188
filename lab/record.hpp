// What a lab leaves on disk while it lives: /run/weft-lab/NAME/lab.json and the topology's text as `up` read it. The
// plan is not stored: it is made again of these (lab/plan). Namespaces and processes are, for `down` must find them
// whatever became of the rest.
#pragma once
#include "base/result.hpp"
#include "lab/plan.hpp"
#include "lab/process.hpp"

#include <map>
#include <string>
#include <vector>

namespace weft::lab {

struct Record {
    std::string name;
    std::string topology;   ///< the path that `up` was given, absolute
    bool controller = true; ///< false: --no-controller
    bool complete = false;  ///< `up` came to its end
    Placement placement;
    std::vector<std::string> namespaces;
    std::map<std::string, Process> processes; ///< "weftd", "kvm1/ovs-vswitchd", …
    std::vector<topology::Source> sources;
    bool operator==(const Record&) const = default;
};

std::string encode(const Record& record);
Result<Record> decode_record(const std::string& text);

inline const std::string kLabRoot = "/run/weft-lab";
std::string lab_directory(const std::string& name);
std::string host_directory(const std::string& lab, const std::string& host);
std::string switch_directory(const std::string& lab);
std::string endpoint_directory(const std::string& lab, const std::string& endpoint);
Result<void> check_lab_name(const std::string& name);

Result<Record> load_record(const std::string& name);
Result<void> store(const Record& record);
/// Names of the labs on this machine, dead ones included.
std::vector<std::string> lab_names();
inline constexpr std::string_view kSwitchWatch = "switch/watch"; ///< in Record::processes
/// Some daemon of it still runs. What is not alive is a leaving.
bool alive(const Record& record);

/// Plan of a recorded lab, as it is now.
Result<LabPlan> plan_of(const Record& record);
/// A lab that is up: its record and plan; the error says how to start one.
struct Lab {
    Record record;
    LabPlan plan;
};
Result<Lab> open_lab(const std::string& name);

/// One command at a time changes a lab. Held by an open directory, so a killed holder leaves no lock.
class LabLock {
  public:
    static Result<LabLock> take(const std::string& name);
    LabLock(LabLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    LabLock& operator=(LabLock&&) = delete;
    ~LabLock();

  private:
    explicit LabLock(int fd) : fd_(fd) {}
    int fd_;
};

} // namespace weft::lab
