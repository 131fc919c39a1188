// One OVS of the lab: its directory, its namespace, the commands that start it and talk to it. A host has one, the
// physical networks' switches share one.
#pragma once
#include "lab/command.hpp"
#include "lab/plan.hpp"
#include "lab/setup.hpp"

#include <map>
#include <string>

namespace weft::lab {

struct Ovs {
    std::string name; ///< "kvm1", "switch": for processes and messages
    std::string netns;
    std::string directory; ///< database, sockets, pidfiles and logs
    std::string listen;    ///< "ptcp:6640:ADDR"; empty: the unix socket only
    bool operator==(const Ovs&) const = default;

    /// Makes ovs-vsctl, ovs-ofctl and ovs-appctl talk to this OVS.
    std::map<std::string, std::string> environment() const;
    std::string pidfile(const std::string& daemon) const { return directory + "/" + daemon + ".pid"; }

    Command make_database() const;
    Command ovsdb_server() const;
    Command ovs_vswitchd() const;
    Command vsctl(const VsctlArguments& arguments) const;
    Command in_it(std::vector<std::string> argv, std::string input = {}) const;
};

Ovs ovs_of(const std::string& lab, const HostPlan& host);
Ovs switch_ovs(const LabPlan& plan);

} // namespace weft::lab
