// A real ovs-vswitchd on the dummy datapath with its own ovsdb-server, in a temporary directory: full OpenFlow and
// OVSDB, no packets but those a test injects. Killed by pid at the end.
#pragma once
#include <csignal>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weft::openflow {

class RealSwitch {
  public:
    /// `dummies`: how much is a dummy. By default every interface; with plain "--enable-dummy" those of type dummy, and
    /// tunnels are tunnels.
    explicit RealSwitch(const std::string& dummies = "--enable-dummy=override");
    ~RealSwitch();
    RealSwitch(const RealSwitch&) = delete;
    RealSwitch& operator=(const RealSwitch&) = delete;

    /// A secure, out-of-band bridge with the dummy ports <name>p1 (ofport 1) to <name>p3, that connects to the
    /// controller at 127.0.0.1:`port`.
    void add_bridge(const std::string& name, std::uint16_t port,
                    const std::string& protocols = "[OpenFlow14,OpenFlow15]");
    void remove_bridge(const std::string& name);
    std::string vsctl(const std::string& arguments);
    /// ovs-ofctl against the bridge's management socket: somebody else's hand.
    std::string ofctl(const std::string& command, const std::string& bridge, const std::string& arguments = "");
    std::string appctl(const std::string& arguments);
    void signal(int number) const { ::kill(vswitchd_, number); }
    pid_t pid() const { return vswitchd_; }
    std::string control_socket() const { return directory_ + "/vswitchd.ctl"; } ///< of ovs-vswitchd, for unixctl

  private:
    pid_t spawn(std::vector<std::string> command) const;
    std::string directory_;
    pid_t ovsdb_ = 0, vswitchd_ = 0;
};

/// Output of a shell command; throws when it fails.
std::string shell(const std::string& command);

} // namespace weft::openflow
