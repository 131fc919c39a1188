#include "lab/agent.hpp"

#include "lab/command.hpp"
#include "lab/domain.hpp"
#include "lab/libvirtd.hpp"
#include "lab/record.hpp"
#include "lab/sockets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <random>
#include <sys/file.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace weft::lab {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr milliseconds kSyncPatience{2000};    // a QEMU that waits for a migration accepts, and no agent is behind it
constexpr milliseconds kAnswerPatience{30000}; // megabytes of output take their time
constexpr milliseconds kExecPatience{20000};
constexpr std::size_t kLongestAnswer = 64U << 20;

Socket connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return {};
    std::memcpy(address.sun_path, path.data(), path.size());
    Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket || connect(socket.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
    return socket;
}

std::string socket_of(const LabPlan& plan, const HostPlan& host, const VmPlan& vm) {
    return libvirtd_of(plan.name, host).outside(agent_path(vm.name));
}

/// Where it should be first, then everywhere else.
std::vector<const HostPlan*> hosts_of(const LabPlan& plan, const VmPlan& vm) {
    std::vector<const HostPlan*> hosts;
    for (const auto& host : plan.hosts)
        hosts.push_back(&host);
    std::ranges::partition(hosts, [&](const HostPlan* host) { return host->name == vm.host; });
    return hosts;
}

bool wait_for(int fd, short event, Clock::time_point deadline) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    pollfd wait{fd, event, 0};
    return left.count() > 0 && !interrupted() && poll(&wait, 1, static_cast<int>(left.count())) > 0;
}

bool send_all(int fd, std::string_view text, Clock::time_point deadline) {
    while (!text.empty()) {
        if (!wait_for(fd, POLLOUT, deadline)) return false;
        const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    }
    return true;
}

/// A connection and what was read of it beyond the last line.
struct Session {
    Socket socket;
    std::string read;

    std::optional<std::string> line(Clock::time_point deadline) {
        std::array<char, 65536> buffer{};
        std::size_t end = 0, seen = 0;
        while ((end = read.find('\n', seen)) == std::string::npos) {
            seen = read.size();
            if (seen > kLongestAnswer || !wait_for(socket.fd(), POLLIN, deadline)) return std::nullopt;
            const ssize_t got = recv(socket.fd(), buffer.data(), buffer.size(), 0);
            if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return std::nullopt;
            if (got > 0) read.append(buffer.data(), static_cast<std::size_t>(got));
        }
        std::string found = read.substr(0, end);
        read.erase(0, end + 1);
        return found;
    }
};

std::optional<Session> open_session(const std::string& path) {
    Session session{connect_to(path), {}};
    if (!session.socket) return std::nullopt;
    const auto deadline = Clock::now() + kSyncPatience;
    const std::int64_t id = std::random_device()() & 0x7fffffff;
    if (!send_all(session.socket.fd(), agent_sync(id), deadline)) return std::nullopt;
    while (const auto line = session.line(deadline))
        if (answers_sync(*line, id)) return session;
    return std::nullopt;
}

/// Held while a connection is: QEMU would let a second one wait unheard.
class Turn {
  public:
    Turn(const std::string& lab, const std::string& vm)
        : fd_(open((lab_directory(lab) + "/" + vm + ".agent").c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0600)) {
        while (fd_ >= 0 && flock(fd_, LOCK_EX) != 0 && errno == EINTR && !interrupted()) {
        }
    }
    ~Turn() {
        if (fd_ >= 0) close(fd_);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

  private:
    int fd_;
};

} // namespace

std::string running_on(const LabPlan& plan, const VmPlan& vm) {
    for (const auto* host : hosts_of(plan, vm))
        if (connect_to(socket_of(plan, *host, vm))) return host->name;
    return "";
}

Result<json::value> ask_agent(const LabPlan& plan, const VmPlan& vm, std::string_view command,
                              const json::object& arguments, milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    do {
        const Turn turn(plan.name, vm.name);
        for (const auto* host : hosts_of(plan, vm)) {
            auto session = open_session(socket_of(plan, *host, vm));
            if (!session) continue;
            const auto until = Clock::now() + kAnswerPatience;
            if (!send_all(session->socket.fd(), agent_request(command, arguments), until)) continue;
            const auto line = session->line(until);
            if (!line) return fail(ErrorKind::timeout, fmt::format("{} left {} unanswered", vm.name, command));
            return agent_answer(*line);
        }
        if (interrupted()) return fail(ErrorKind::io, "interrupted");
        std::this_thread::sleep_for(milliseconds(50));
    } while (Clock::now() < deadline);
    if (running_on(plan, vm).empty()) return fail(ErrorKind::refused, fmt::format("VM '{}' is not running", vm.name));
    return fail(ErrorKind::timeout, fmt::format("the agent in VM '{}' does not answer", vm.name));
}

Result<Executed> run_in_guest(const LabPlan& plan, const VmPlan& vm, const std::vector<std::string>& argv,
                              const std::string& input) {
    const auto started = ask_agent(plan, vm, "guest-exec", exec_arguments(argv, input), kExecPatience);
    if (!started) return std::unexpected(started.error());
    const auto* object = started->if_object();
    const auto* pid = object ? object->if_contains("pid") : nullptr;
    if (!pid) return fail(ErrorKind::protocol, "guest-exec gives no pid");
    for (milliseconds pause{10};; pause = std::min(pause * 2, milliseconds(200))) {
        const auto answer = ask_agent(plan, vm, "guest-exec-status", {{"pid", *pid}}, kExecPatience);
        if (!answer) return std::unexpected(answer.error());
        auto done = executed(*answer);
        if (!done) return std::unexpected(done.error());
        if (*done) return **done;
        std::this_thread::sleep_for(pause);
    }
}

} // namespace weft::lab
