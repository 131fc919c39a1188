// A stand-in for weftd: answers requests on a unix socket in a temporary directory as a test scripted them, and runs
// weftctl's command lines against itself.
#pragma once
#include "cli/app.hpp"

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {

struct Asked {
    std::string method;
    std::string target;
    std::string body;
};

/// What one command line did.
struct Ran {
    int code = -1;
    std::string out;
    std::string err;
};

class ScriptedDaemon {
  public:
    ScriptedDaemon();
    ~ScriptedDaemon();
    ScriptedDaemon(const ScriptedDaemon&) = delete;
    ScriptedDaemon& operator=(const ScriptedDaemon&) = delete;

    /// The next answer to `target`, path and query; the last one stays. Unscripted targets get 404. Status 0 is none:
    /// the connection stays open.
    void answer(const std::string& target, std::string body, unsigned status = 200);
    std::vector<Asked> asked() const;
    std::string address() const { return "unix:" + path_.string(); }
    std::filesystem::path directory() const { return path_.parent_path(); }
    /// Writes a file beside the socket; its path.
    std::string file(const std::string& name, const std::string& text) const;

    /// weftctl --api ADDRESS ARGUMENTS…
    Ran weftctl(std::vector<std::string> arguments);

    std::map<std::string, std::string> variables;
    bool terminal = false;
    int pauses = 1'000'000; ///< after so many, --watch and --follow end

  private:
    struct Answer {
        unsigned status;
        std::string body;
    };
    void serve();

    std::filesystem::path path_;
    int listener_ = -1;
    mutable std::mutex mutex_;
    std::map<std::string, std::deque<Answer>> answers_;
    std::vector<Asked> asked_;
    std::vector<int> silent_; ///< connections that get no answer; of the thread
    std::thread thread_;
};

} // namespace weft::test
