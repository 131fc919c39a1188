// Other programs, run inside network namespaces, several at a time. Touches the world; everything weft-lab starts
// goes through here. Single-threaded: a child is forked, enters its namespace and execs.
#pragma once
#include "base/result.hpp"
#include "lab/mounts.hpp"

#include <chrono>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weft::lab {

struct Command {
    std::vector<std::string> argv;
    std::string netns;                              ///< empty: where weft-lab itself is
    std::map<std::string, std::string> environment; ///< besides weft-lab's own
    std::string input;
    Mounts mounts = {}; ///< none: it sees what weft-lab sees
};

/// What it wrote to stdout; an error with what it wrote to stderr when it failed or took longer than `deadline`.
Result<std::string> run(const Command& command, std::chrono::seconds deadline = std::chrono::seconds(30));

/// All of them, some at once; the first error once every one has ended.
Result<void> run_all(const std::vector<Command>& commands, std::chrono::seconds deadline = std::chrono::seconds(30));

/// Starts what outlives weft-lab: own session, output appended to `log`.
Result<pid_t> start(const Command& command, const std::string& log);

/// Enters a named namespace for good (a forked child), or for the life of the value.
Result<void> enter_netns(const std::string& name);
class InNetns {
  public:
    explicit InNetns(const std::string& name);
    ~InNetns();
    InNetns(const InNetns&) = delete;
    InNetns& operator=(const InNetns&) = delete;
    explicit operator bool() const { return entered_; }

  private:
    int home_ = -1;
    bool entered_ = false;
};

/// Where a program is: beside weft-lab, in PATH or in the system directories; empty: nowhere.
std::string find_program(const std::string& name);
/// The directory of weft-lab's own binary: weftd and weftctl are there too.
std::string own_directory();

/// Nearly everything weft-lab does takes root; the error says so.
Result<void> check_root();

/// SIGINT and SIGTERM end a command in progress as an error, so that what it began is taken down again.
void catch_interrupts();
bool interrupted();
/// What takes down after an interrupt is not itself interrupted.
void forget_interrupt();

} // namespace weft::lab
