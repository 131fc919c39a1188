// A host as OVSDB sees it: an ovsdb-server and an ovs-vswitchd of its own in a temporary directory, unprivileged, with
// dummy datapaths that stand in for every type. Both end with the object.
#pragma once
#include <string>
#include <sys/types.h>
#include <vector>

namespace weft::test {

class OvsHost {
  public:
    /// Starts both; `remotes` are further --remote= and TLS options of ovsdb-server.
    explicit OvsHost(std::vector<std::string> server_options = {});
    ~OvsHost();
    OvsHost(const OvsHost&) = delete;
    OvsHost& operator=(const OvsHost&) = delete;

    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    std::string remote() const { return "unix:" + path("db.sock"); }
    /// Runs ovs-vsctl with these words against this host; its output. Throws when it fails.
    std::string vsctl(const std::string& words) const;
    /// As vsctl, without waiting for ovs-vswitchd.
    std::string vsctl_no_wait(const std::string& words) const { return vsctl("--no-wait " + words); }

    /// Warnings and errors in ovs-vswitchd's log, but for controllers that do not listen and servers that were killed.
    std::string complaints() const;

    void start_server();
    void kill_server();
    void start_vswitchd();
    void kill_vswitchd();

  private:
    pid_t spawn(std::vector<std::string> command, const std::string& name) const;
    static void stop(pid_t& pid);

    std::string directory_;
    std::vector<std::string> server_options_;
    pid_t server_ = 0;
    pid_t vswitchd_ = 0;
};

/// Output of a shell command; throws when it fails.
std::string shell(const std::string& command);

} // namespace weft::test
