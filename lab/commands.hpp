// weft-lab's commands, one file each. Errors are for main() to show; progress goes to stderr.
#pragma once
#include "base/result.hpp"
#include "lab/probe.hpp"
#include "lab/record.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace weft::lab {

struct UpOptions {
    std::string file;
    std::string name = "default";
    bool controller = true;
    std::chrono::seconds timeout{60}; ///< to converge
};

Result<void> up(const UpOptions& options);
Result<void> down(const std::string& name);
/// Ends processes, removes namespaces and files, whatever is left of them. The caller holds the lock, which is the
/// lab's directory: `up` keeps that.
enum class Keep { nothing, directory };
Result<void> tear_down(const std::string& name, Keep keep = Keep::nothing);

/// Becomes the command, or runs it in a VM and gives its exit status.
Result<int> exec(const std::string& lab, const std::string& who, const std::vector<std::string>& command);
Result<void> move(const std::string& lab, const std::string& port, const std::string& to);
/// `what` and `link` are the words of the command line; `who` is a host or "weftd".
Result<void> fault(const std::string& lab, const std::string& who, const std::string& what, const std::string& link);

struct MatrixOptions {
    std::string name = "default";
    ProbeOptions probe;
    std::string expect; ///< a file; empty: none
    bool as_json = false;
};
/// False: something is not as expected.
Result<bool> matrix(const MatrixOptions& options);
Result<void> status(const std::string& lab, bool as_json);
/// Lends the lab's status page to browsers of this machine, at `listen` ("127.0.0.1:8080"; port 0: any), until it is
/// killed: weftd itself listens in a namespace that no browser is in.
Result<void> page(const std::string& lab, const std::string& listen);

/// One line of progress: "lab default: starting weftd".
void say(const std::string& lab, const std::string& text);

} // namespace weft::lab
