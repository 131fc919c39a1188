#include "lab/probe.hpp"

#include "lab/command.hpp"
#include "lab/sockets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <unistd.h>

namespace weft::lab {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kGrace{300}; // from a tcp connection until its listener has read who came

/// What every packet carries, so that any receiver knows which probe it belongs to.
struct Tag {
    std::array<char, 8> magic{'w', 'e', 'f', 't', 'p', 'r', 'o', 'b'};
    std::uint32_t run = 0;
    std::uint32_t probe = 0;
};

struct Echo { // ICMP and ICMPv6 alike
    std::uint8_t type = 0, code = 0;
    std::uint16_t checksum = 0, id = 0, sequence = 0;
    Tag tag;
};

std::uint16_t checksum(const Echo& echo) {
    std::array<std::uint16_t, sizeof(Echo) / 2> words{};
    std::memcpy(words.data(), &echo, sizeof echo);
    std::uint32_t sum = 0;
    for (const auto word : words)
        sum += word;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

enum class Role { icmp, server, accepted, client };

struct Watched {
    Socket socket;
    Role role = Role::icmp;
    bool v6 = false;
    bool listening = false; ///< a tcp server: readable means accept
    SocketAddress peer;     ///< accepted: who came
};

struct Attempt {
    std::uint32_t probe = 0;
    Clock::time_point deadline;
    Socket client; ///< tcp, udp
    bool connected = false;
};

class Probing {
  public:
    Probing(const LabPlan& plan, const std::vector<Probe>& probes, const ProbeOptions& options)
        : plan_(plan), probes_(probes), options_(options), answers_(probes.size()), ended_(probes.size()) {
        for (std::size_t i = 0; i < probes.size(); ++i)
            answers_[i].probe = probes[i];
        // An address of SNAT remembers the id of an echo for half a minute: 65,536 half milliseconds are more.
        run_ = static_cast<std::uint32_t>(Clock::now().time_since_epoch() / std::chrono::microseconds(500));
    }

    Result<std::vector<Answer>> run() {
        for (const auto& endpoint : plan_.endpoints)
            if (auto opened = open_station(endpoint); !opened) return std::unexpected(opened.error());
        std::vector<std::uint32_t> all(probes_.size());
        for (std::uint32_t i = 0; i < all.size(); ++i)
            all[i] = i;
        round(all);
        std::erase_if(all, [&](std::uint32_t i) { return answers_[i].reachable || ended_[i]; });
        round(all);
        if (interrupted()) return fail(ErrorKind::io, "interrupted");
        return std::move(answers_);
    }

  private:
    int type() const { return options_.protocol == ProbeProtocol::tcp ? SOCK_STREAM : SOCK_DGRAM; }

    Result<void> open_station(const EndpointPlan& endpoint) {
        const InNetns inside(endpoint.netns);
        if (!inside) return fail(ErrorKind::io, fmt::format("namespace {} is gone: is the lab up?", endpoint.netns));
        if (options_.protocol == ProbeProtocol::icmp) {
            for (const bool v6 : {false, true}) {
                auto& watched = watched_.emplace_back(Watched{open_icmp(v6), Role::icmp, v6, false, {}});
                if (!watched.socket) return fail(ErrorKind::io, fmt::format("raw socket: {}", std::strerror(errno)));
                icmp_[{endpoint.name, v6}] = watched.socket.fd();
            }
            return {};
        }
        for (const Ip& ip : endpoint.addresses())
            if (Socket server = open_server(ip, options_.port, type()))
                watched_.push_back({std::move(server), Role::server, ip.is_v6(), type() == SOCK_STREAM, {}});
        return {};
    }

    void round(const std::vector<std::uint32_t>& wanted) {
        for (std::size_t next = 0; (next < wanted.size() || !attempts_.empty()) && !interrupted();) {
            while (next < wanted.size() && attempts_.size() < options_.at_once)
                begin(wanted[next++]);
            wait();
            std::erase_if(attempts_, [&](const Attempt& attempt) { return over(attempt); });
        }
        ++sequence_;
    }

    bool over(const Attempt& attempt) {
        Answer& answer = answers_[attempt.probe];
        if (ended_[attempt.probe]) return true;
        if (attempt.connected && (answer.source_seen || Clock::now() > attempt.deadline)) answer.reachable = true;
        return answer.reachable || Clock::now() > attempt.deadline;
    }

    void begin(std::uint32_t index) {
        const Probe& probe = probes_[index];
        const bool v6 = probe.address.is_v6();
        Attempt attempt{index, Clock::now() + options_.timeout, {}, false};
        SocketAddress to(probe.address, options_.protocol == ProbeProtocol::icmp ? 0 : options_.port);
        const Tag tag{.run = run_, .probe = index};
        bool sent = false;
        if (options_.protocol == ProbeProtocol::icmp) {
            // An id of its own for every probe: a translation keeps ids apart only if they differ.
            Echo echo{.type = static_cast<std::uint8_t>(v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO),
                      .id = htons(static_cast<std::uint16_t>(run_ + index)),
                      .sequence = htons(sequence_),
                      .tag = tag};
            if (!v6) echo.checksum = checksum(echo);
            sent = sendto(icmp_.at({probe.from, v6}), &echo, sizeof echo, 0, to.get(), to.length) >= 0;
        } else {
            const InNetns inside(plan_.endpoint(probe.from)->netns);
            attempt.client = open_client(v6, type());
            const int fd = attempt.client.fd();
            sent = connect(fd, to.get(), to.length) == 0 || errno == EINPROGRESS;
            if (sent && type() == SOCK_DGRAM) sent = send(fd, &tag, sizeof tag, 0) >= 0;
        }
        if (!sent && errno == ENETUNREACH)
            ended_[index] = true; // no route: a second attempt has none either
        else if (sent)
            attempts_.push_back(std::move(attempt));
    }

    void wait() {
        std::vector<pollfd> waits;
        waits.reserve(watched_.size() + attempts_.size());
        for (const auto& watched : watched_)
            waits.push_back({watched.socket.fd(), POLLIN, 0});
        for (const auto& attempt : attempts_) {
            const bool connecting = type() == SOCK_STREAM && !attempt.connected;
            waits.push_back({attempt.client.fd(), static_cast<short>(connecting ? POLLOUT : POLLIN), 0});
        }
        poll(waits.data(), waits.size(), 10);
        const std::size_t stations = watched_.size();
        for (std::size_t i = 0; i < attempts_.size(); ++i)
            if (waits[stations + i].revents != 0) on_client(attempts_[i]);
        for (std::size_t i = stations; i-- > 0;)
            if (waits[i].revents != 0) on_station(i);
    }

    void on_client(Attempt& attempt) {
        if (attempt.connected) return; // the listener closed; over() knows the rest
        const int fd = attempt.client.fd();
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        Tag tag{.run = run_, .probe = attempt.probe};
        if (error != 0) {
            attempt.deadline = Clock::time_point::min();
        } else if (type() == SOCK_STREAM) {
            attempt.connected = send(fd, &tag, sizeof tag, MSG_NOSIGNAL) == sizeof tag;
            attempt.deadline = Clock::now() + kGrace;
        } else if (recv(fd, &tag, sizeof tag, 0) == sizeof tag && tag.run == run_) {
            answers_[attempt.probe].reachable = true;
        }
    }

    void on_station(std::size_t index) {
        switch (watched_[index].role) {
        case Role::icmp:
            return on_icmp(watched_[index]);
        case Role::server:
            return watched_[index].listening ? on_accept(watched_[index]) : on_datagram(watched_[index]);
        default:
            on_accepted(index);
        }
    }

    // A raw socket sees requests that arrive as well as replies: both ends of every probe.
    void on_icmp(const Watched& station) {
        std::array<char, 2048> buffer{};
        for (;;) {
            SocketAddress from;
            const ssize_t received =
                recvfrom(station.socket.fd(), buffer.data(), buffer.size(), 0, from.get(), &from.length);
            if (received < 0) return;
            std::size_t offset = 0;
            if (!station.v6) offset = static_cast<std::size_t>(buffer[0] & 0x0f) * 4; // the IPv4 header is there
            if (static_cast<std::size_t>(received) < offset + sizeof(Echo)) continue;
            Echo echo;
            std::memcpy(&echo, buffer.data() + offset, sizeof echo);
            if (!ours(echo.tag)) continue;
            const bool reply = echo.type == (station.v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY);
            if (reply)
                answers_[echo.tag.probe].reachable = true;
            else
                answers_[echo.tag.probe].source_seen = from.ip();
        }
    }

    void on_datagram(const Watched& server) {
        SocketAddress from;
        Tag tag;
        while (recvfrom(server.socket.fd(), &tag, sizeof tag, 0, from.get(), &from.length) == sizeof tag) {
            if (!ours(tag)) continue;
            answers_[tag.probe].source_seen = from.ip();
            sendto(server.socket.fd(), &tag, sizeof tag, 0, from.get(), from.length);
        }
    }

    void on_accept(const Watched& server) {
        SocketAddress from;
        const int fd = accept4(server.socket.fd(), from.get(), &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) watched_.push_back({Socket(fd), Role::accepted, false, false, from});
    }

    void on_accepted(std::size_t index) {
        Tag tag;
        if (recv(watched_[index].socket.fd(), &tag, sizeof tag, 0) == sizeof tag && ours(tag))
            answers_[tag.probe].source_seen = watched_[index].peer.ip();
        watched_.erase(watched_.begin() + static_cast<std::ptrdiff_t>(index));
    }

    bool ours(const Tag& tag) const {
        return tag.magic == Tag{}.magic && tag.run == run_ && tag.probe < probes_.size();
    }

    const LabPlan& plan_;
    const std::vector<Probe>& probes_;
    const ProbeOptions options_;
    std::vector<Answer> answers_;
    std::vector<bool> ended_; ///< no route: not tried again
    std::vector<Watched> watched_;
    std::vector<Attempt> attempts_;
    std::map<std::pair<std::string, bool>, int> icmp_; ///< (endpoint, IPv6) → raw socket
    std::uint32_t run_ = 0;
    std::uint16_t sequence_ = 1;
};

} // namespace

Result<std::vector<Answer>> send_probes(const LabPlan& plan, const std::vector<Probe>& probes,
                                        const ProbeOptions& options) {
    return Probing(plan, probes, options).run();
}

} // namespace weft::lab
