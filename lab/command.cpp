#include "lab/command.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace weft::lab {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr std::size_t kAtOnce = 8;

volatile std::sig_atomic_t interrupt_seen = 0;

std::string shown(const Command& command) {
    std::string text;
    for (const auto& word : command.argv) {
        if (text.size() + word.size() > 100) return text + " …";
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

// Everything the child needs, made before the fork: between fork and exec only system calls are safe.
struct Prepared {
    std::string program;
    std::vector<char*> argv;
    std::vector<std::string> environment;
    std::vector<char*> envp;
    int netns = -1;
    const Mounts* mounts = nullptr;
};

Result<Prepared> prepare(const Command& command) {
    Prepared prepared;
    prepared.mounts = &command.mounts;
    prepared.program = find_program(command.argv.front());
    if (prepared.program.empty()) return fail(ErrorKind::invalid, fmt::format("{}: not found", command.argv.front()));
    for (const auto& word : command.argv)
        prepared.argv.push_back(const_cast<char*>(word.c_str()));
    prepared.argv.push_back(nullptr);
    for (char** variable = environ; *variable; ++variable) {
        const std::string name(*variable, std::strcspn(*variable, "="));
        if (!command.environment.contains(name)) prepared.environment.emplace_back(*variable);
    }
    for (const auto& [name, value] : command.environment)
        prepared.environment.push_back(fmt::format("{}={}", name, value));
    for (auto& variable : prepared.environment)
        prepared.envp.push_back(variable.data());
    prepared.envp.push_back(nullptr);
    if (!command.netns.empty()) {
        prepared.netns = open(("/run/netns/" + command.netns).c_str(), O_RDONLY | O_CLOEXEC);
        if (prepared.netns < 0)
            return fail(ErrorKind::io, fmt::format("namespace {}: {}", command.netns, std::strerror(errno)));
    }
    return prepared;
}

[[noreturn]] void become(Prepared& prepared, int in, int out, int err, bool own_session) {
    if (own_session) setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (prepared.netns >= 0 && setns(prepared.netns, CLONE_NEWNET) != 0) _exit(126);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    if (!enter(*prepared.mounts)) {
        std::perror("own mounts");
        _exit(126);
    }
    execve(prepared.program.c_str(), prepared.argv.data(), prepared.envp.data());
    _exit(127);
}

std::string read_back(int fd) {
    std::string text;
    std::array<char, 65536> buffer{};
    lseek(fd, 0, SEEK_SET);
    for (ssize_t n; (n = read(fd, buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(n));
    return text;
}

/// A child at work. Its streams are memory files: no pipe that could fill up, nothing to pump.
struct Running {
    const Command* command = nullptr;
    pid_t pid = -1;
    int pidfd = -1;
    int out = -1;
    int err = -1;
    Clock::time_point deadline;
};

Result<Running> launch(const Command& command, Clock::time_point deadline) {
    auto prepared = prepare(command);
    if (!prepared) return std::unexpected(prepared.error());
    Running running{.command = &command, .deadline = deadline};
    const int in = memfd_create("stdin", MFD_CLOEXEC);
    running.out = memfd_create("stdout", MFD_CLOEXEC);
    running.err = memfd_create("stderr", MFD_CLOEXEC);
    [[maybe_unused]] const ssize_t written = write(in, command.input.data(), command.input.size());
    lseek(in, 0, SEEK_SET);
    running.pid = fork();
    if (running.pid == 0) become(*prepared, in, running.out, running.err, false);
    close(in);
    if (prepared->netns >= 0) close(prepared->netns);
    if (running.pid < 0) return fail(ErrorKind::io, fmt::format("fork: {}", std::strerror(errno)));
    running.pidfd = static_cast<int>(syscall(SYS_pidfd_open, running.pid, 0));
    return running;
}

Result<std::string> finish(Running& running, bool killed) {
    int status = 0;
    if (killed) kill(running.pid, SIGKILL);
    while (waitpid(running.pid, &status, 0) < 0 && errno == EINTR) {
    }
    std::string out = read_back(running.out);
    std::string err = read_back(running.err);
    for (const int fd : {running.pidfd, running.out, running.err})
        close(fd);
    if (interrupted()) return fail(ErrorKind::io, "interrupted");
    if (killed) return fail(ErrorKind::timeout, fmt::format("{}: no end within the deadline", shown(*running.command)));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return out;
    std::string said = err.empty() ? out : err;
    while (!said.empty() && said.back() == '\n')
        said.pop_back();
    if (said.empty())
        said = WIFSIGNALED(status) ? fmt::format("killed by signal {}", WTERMSIG(status))
                                   : fmt::format("exit status {}", WEXITSTATUS(status));
    return fail(ErrorKind::refused, fmt::format("{}: {}", shown(*running.command), said));
}

void on_interrupt(int) {
    interrupt_seen = 1;
}

} // namespace

Result<void> run_all(const std::vector<Command>& commands, std::chrono::seconds deadline) {
    std::vector<Running> running;
    Result<void> result;
    const auto remember = [&](const Error& error) {
        if (result) result = std::unexpected(error);
    };
    for (std::size_t next = 0; next < commands.size() || !running.empty();) {
        while (result && next < commands.size() && running.size() < kAtOnce) {
            if (auto launched = launch(commands[next++], Clock::now() + deadline))
                running.push_back(*launched);
            else
                remember(launched.error());
        }
        if (!result) next = commands.size(); // the rest would build on what failed
        if (running.empty()) continue;
        std::vector<pollfd> waits;
        waits.reserve(running.size());
        for (const auto& child : running)
            waits.push_back({child.pidfd, POLLIN, 0});
        poll(waits.data(), waits.size(), 200);
        const auto now = Clock::now();
        for (std::size_t i = running.size(); i-- > 0;) {
            const bool late = now > running[i].deadline || interrupted();
            if (waits[i].revents == 0 && !late) continue;
            if (auto ended = finish(running[i], waits[i].revents == 0); !ended) remember(ended.error());
            running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    return result;
}

Result<std::string> run(const Command& command, std::chrono::seconds deadline) {
    auto running = launch(command, Clock::now() + deadline);
    if (!running) return std::unexpected(running.error());
    for (;;) {
        pollfd wait{running->pidfd, POLLIN, 0};
        poll(&wait, 1, 200);
        if (wait.revents != 0) return finish(*running, false);
        if (Clock::now() > running->deadline || interrupted()) return finish(*running, true);
    }
}

Result<pid_t> start(const Command& command, const std::string& log) {
    auto prepared = prepare(command);
    if (!prepared) return std::unexpected(prepared.error());
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (out < 0) return fail(ErrorKind::io, fmt::format("{}: {}", log, std::strerror(errno)));
    const pid_t pid = fork();
    if (pid == 0) become(*prepared, in, out, out, true);
    for (const int fd : {in, out, prepared->netns})
        if (fd >= 0) close(fd);
    if (pid < 0) return fail(ErrorKind::io, fmt::format("fork: {}", std::strerror(errno)));
    return pid;
}

Result<void> enter_netns(const std::string& name) {
    const int fd = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    const bool entered = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
    const int error = errno;
    if (fd >= 0) close(fd);
    if (!entered) return fail(ErrorKind::io, fmt::format("namespace {}: {}", name, std::strerror(error)));
    return {};
}

InNetns::InNetns(const std::string& name) : home_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    entered_ = home_ >= 0 && enter_netns(name).has_value();
}

InNetns::~InNetns() {
    if (entered_ && setns(home_, CLONE_NEWNET) != 0) std::abort(); // everything after would be in the wrong place
    if (home_ >= 0) close(home_);
}

std::string own_directory() {
    std::error_code error;
    return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::string find_program(const std::string& name) {
    if (name.contains('/')) return name;
    const auto executable = [](const std::string& path) { return access(path.c_str(), X_OK) == 0; };
    if (name.starts_with("weft")) {
        // Built, all are beside weft-lab; installed, weftd is in sbin.
        for (const auto* directory : {"/", "/../sbin/"})
            if (const std::string found = own_directory() + directory + name; executable(found)) return found;
        return "";
    }
    const char* variable = std::getenv("PATH");
    std::string path = std::string(variable ? variable : "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        const std::string candidate = path.substr(begin, end - begin) + "/" + name;
        if (end > begin && executable(candidate)) return candidate;
        begin = end + 1;
    }
    return "";
}

Result<void> check_root() {
    if (geteuid() == 0) return {};
    return fail(ErrorKind::invalid, "a lab is made of network namespaces, which needs root: run it with sudo");
}

void catch_interrupts() {
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
    return interrupt_seen != 0;
}
void forget_interrupt() {
    interrupt_seen = 0;
}

} // namespace weft::lab
