#include "ovs_host.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace weft::test {

std::string shell(const std::string& command) {
    FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
    if (!pipe) throw std::runtime_error("popen");
    std::string output;
    std::array<char, 4096> chunk{};
    while (const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), pipe))
        output.append(chunk.data(), count);
    if (::pclose(pipe) != 0) throw std::runtime_error(command + ": " + output);
    return output;
}

OvsHost::OvsHost(std::vector<std::string> server_options) : server_options_(std::move(server_options)) {
    std::string name = (std::filesystem::temp_directory_path() / "weft-ovs-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    directory_ = name;
    shell(fmt::format("ovsdb-tool create {} /usr/share/openvswitch/vswitch.ovsschema", path("conf.db")));
    start_server();
    vsctl_no_wait("init");
    start_vswitchd();
}

OvsHost::~OvsHost() {
    kill_vswitchd();
    kill_server();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

std::string OvsHost::vsctl(const std::string& words) const {
    return shell(fmt::format("ovs-vsctl --timeout=10 --db={} {}", remote(), words));
}

std::string OvsHost::complaints() const {
    std::ifstream log(path("vswitchd.log"));
    std::string found;
    for (std::string line; std::getline(log, line);) {
        const bool bad = line.contains("|WARN|") || line.contains("|ERR|") || line.contains("|EMER|");
        const bool expected = line.contains("tcp:127.0.0.1") || line.contains("db.sock");
        if (bad && !expected) found += line + "\n";
    }
    return found;
}

pid_t OvsHost::spawn(std::vector<std::string> command, const std::string& name) const {
    std::vector<char*> argv;
    for (std::string& word : command)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string output = path(name + ".out");
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork");
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that crashes leaves nothing running
        for (const char* variable : {"OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"}) {
            ::setenv(variable, directory_.c_str(), 1);
        }
        const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(file, STDOUT_FILENO);
        ::dup2(file, STDERR_FILENO);
        ::execvp(argv[0], argv.data());
        ::_exit(127);
    }
    return pid;
}

void OvsHost::stop(pid_t& pid) {
    if (pid == 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
}

void OvsHost::start_server() {
    std::filesystem::remove(path("db.sock"));
    std::vector<std::string> command{"ovsdb-server",
                                     path("conf.db"),
                                     "--remote=punix:" + path("db.sock"),
                                     "--unixctl=" + path("server.ctl"),
                                     "--log-file=" + path("server.log"),
                                     "--no-chdir"};
    command.insert(command.end(), server_options_.begin(), server_options_.end());
    server_ = spawn(std::move(command), "server");
    for (int i = 0; i < 500 && !std::filesystem::exists(path("db.sock")); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

void OvsHost::start_vswitchd() {
    vswitchd_ = spawn({"ovs-vswitchd", remote(), "--enable-dummy=override", "--disable-system",
                       "--unixctl=" + path("vswitchd.ctl"), "--log-file=" + path("vswitchd.log"), "--no-chdir"},
                      "vswitchd");
}

void OvsHost::kill_server() {
    stop(server_);
}
void OvsHost::kill_vswitchd() {
    stop(vswitchd_);
}

} // namespace weft::test
