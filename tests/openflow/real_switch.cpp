#include "tests/openflow/real_switch.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace weft::openflow {

namespace {
void await_file(const std::string& path) {
    for (int i = 0; i < 500; ++i) {
        if (std::filesystem::exists(path)) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    throw std::runtime_error("no " + path);
}
} // namespace

std::string shell(const std::string& command) {
    std::array<char, 4096> chunk;
    std::string output;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    while (const std::size_t count = fread(chunk.data(), 1, chunk.size(), pipe))
        output.append(chunk.data(), count);
    if (pclose(pipe) != 0) throw std::runtime_error(command + ": " + output);
    return output;
}

pid_t RealSwitch::spawn(std::vector<std::string> command) const {
    const pid_t child = fork();
    if (child != 0) return child;
    for (const char* name : {"OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"})
        setenv(name, directory_.c_str(), 1);
    const int log = open((directory_ + "/output").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 1);
    dup2(log, 2);
    std::vector<char*> arguments;
    for (std::string& argument : command)
        arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
}

RealSwitch::RealSwitch(const std::string& dummies) {
    std::string pattern = "/tmp/weft-openflow-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    shell(fmt::format("ovsdb-tool create {0}/conf.db /usr/share/openvswitch/vswitch.ovsschema", directory_));
    ovsdb_ = spawn({"ovsdb-server", directory_ + "/conf.db", "--remote=punix:" + directory_ + "/db.sock",
                    "--unixctl=" + directory_ + "/ovsdb.ctl"});
    await_file(directory_ + "/db.sock");
    vsctl("--no-wait init");
    vswitchd_ = spawn({"ovs-vswitchd", "unix:" + directory_ + "/db.sock", dummies, "--disable-system",
                       "--unixctl=" + directory_ + "/vswitchd.ctl"});
    await_file(directory_ + "/vswitchd.ctl");
}

RealSwitch::~RealSwitch() {
    for (const pid_t child : {vswitchd_, ovsdb_}) {
        ::kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
}

std::string RealSwitch::vsctl(const std::string& arguments) {
    return shell(fmt::format("ovs-vsctl --timeout=20 --db=unix:{}/db.sock {}", directory_, arguments));
}

std::string RealSwitch::ofctl(const std::string& command, const std::string& bridge, const std::string& arguments) {
    return shell(fmt::format("ovs-ofctl -O OpenFlow14,OpenFlow15 {} unix:{}/{}.mgmt {}", command, directory_, bridge,
                             arguments));
}

std::string RealSwitch::appctl(const std::string& arguments) {
    return shell(fmt::format("ovs-appctl -t {}/vswitchd.ctl {}", directory_, arguments));
}

void RealSwitch::add_bridge(const std::string& name, std::uint16_t port, const std::string& protocols) {
    std::string ports;
    for (int i = 1; i <= 3; ++i) {
        ports +=
            fmt::format(" -- add-port {0} {0}p{1} -- set Interface {0}p{1} type=dummy ofport_request={1}", name, i);
    }
    vsctl(fmt::format("add-br {0} -- set Bridge {0} datapath_type=dummy fail_mode=secure protocols={1} "
                      "-- set-controller {0} tcp:127.0.0.1:{2} -- set Controller {0} connection_mode=out-of-band "
                      "max_backoff=1000 inactivity_probe=60000 {3}",
                      name, protocols, port, ports));
}

void RealSwitch::remove_bridge(const std::string& name) {
    vsctl("del-br " + name);
}

} // namespace weft::openflow
