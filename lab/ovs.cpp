#include "lab/ovs.hpp"

#include "lab/record.hpp"

#include <fmt/format.h>
#include <utility>

namespace weft::lab {
namespace {

const std::string kSchema = "/usr/share/openvswitch/vswitch.ovsschema";

} // namespace

std::map<std::string, std::string> Ovs::environment() const {
    return {{"OVS_RUNDIR", directory}, {"OVS_LOGDIR", directory}, {"OVS_DBDIR", directory}};
}

Command Ovs::in_it(std::vector<std::string> argv, std::string input) const {
    return {std::move(argv), netns, environment(), std::move(input)};
}

Command Ovs::make_database() const {
    return in_it({"ovsdb-tool", "create", directory + "/conf.db", kSchema});
}

Command Ovs::ovsdb_server() const {
    Command command = in_it({"ovsdb-server", directory + "/conf.db", "--remote=punix:" + directory + "/db.sock",
                             "--pidfile", "--detach", "--no-chdir", "--log-file", "-vconsole:off", "-vsyslog:off"});
    if (!listen.empty()) command.argv.push_back("--remote=" + listen);
    return command;
}

// --disable-system: no kernel datapath, so that none of the machine's is looked for or touched.
Command Ovs::ovs_vswitchd() const {
    return in_it({"ovs-vswitchd", "unix:" + directory + "/db.sock", "--pidfile", "--detach", "--no-chdir", "--log-file",
                  "--disable-system", "-vconsole:off", "-vsyslog:off"});
}

Command Ovs::vsctl(const VsctlArguments& arguments) const {
    std::vector<std::string> argv{"ovs-vsctl", "--timeout=25"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return in_it(std::move(argv));
}

Ovs ovs_of(const std::string& lab, const HostPlan& host) {
    return {host.name, host.netns, host_directory(lab, host.name),
            fmt::format("ptcp:{}:{}", kOvsdbPort, host.control.to_string())};
}

Ovs switch_ovs(const LabPlan& plan) {
    return {"switch", plan.switch_netns, switch_directory(plan.name), ""};
}

} // namespace weft::lab
