#include "controller/http_listener.hpp"

#include "base/stream.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace weft::controller {

namespace {

std::unexpected<Error> cannot_listen(const std::string& endpoint, std::string_view why) {
    return fail(ErrorKind::io, fmt::format("cannot listen on {}: {}", endpoint, why));
}

std::string reason(int error) {
    return std::generic_category().message(error);
}

/// What stands at `path` already: nothing, a socket that nobody answers on, or something to leave alone.
Result<> remove_stale(const std::string& path, const std::string& endpoint) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return cannot_listen(endpoint, reason(errno));
    }
    if (!S_ISSOCK(status.st_mode))
        return cannot_listen(endpoint, "a file that is not a socket stands there; move it away");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return cannot_listen(endpoint, reason(errno));
    const int outcome = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int error = errno;
    ::close(probe);
    if (outcome == 0 || error != ECONNREFUSED)
        return cannot_listen(endpoint, "another process answers there; stop it first");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return cannot_listen(endpoint, reason(errno));
    return {};
}

error_code bind_and_listen(Acceptor& acceptor, const StreamProtocol::endpoint& endpoint) {
    error_code ec;
    acceptor.open(StreamProtocol(endpoint.protocol().family(), 0), ec);
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    return ec;
}

Result<HttpListener> listen_unix(asio::io_context& io, const std::string& endpoint) {
    const auto path = endpoint.substr(5);
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
        return cannot_listen(endpoint,
                             fmt::format("a socket's path has 1 to {} characters", sizeof(sockaddr_un::sun_path) - 1));
    }
    if (auto free = remove_stale(path, endpoint); !free) return std::unexpected(free.error());
    HttpListener listener{Acceptor(io), endpoint, false, path};
    // The mode must be right from the socket's first instant; chmod would come too late.
    const auto mask = ::umask(0117);
    const auto ec = bind_and_listen(listener.acceptor, asio::local::stream_protocol::endpoint(path));
    ::umask(mask);
    if (ec == boost::system::errc::no_such_file_or_directory) {
        return cannot_listen(endpoint, "its directory does not exist; make it first");
    }
    if (ec) return cannot_listen(endpoint, ec.message());
    // Without the group, or the right to give files to it, the socket stays with the daemon's own group.
    if (const auto* group = ::getgrnam("weft")) {
        [[maybe_unused]] const int outcome = ::chown(path.c_str(), static_cast<uid_t>(-1), group->gr_gid);
    }
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) listener.inode = status.st_ino;
    return listener;
}

Result<HttpListener> listen_tcp(asio::io_context& io, const std::string& endpoint) {
    const auto where = Endpoint::parse("tcp:" + endpoint.substr(5));
    error_code ec;
    const auto address = where ? asio::ip::make_address(where->address, ec) : asio::ip::address();
    if (!where || ec) return cannot_listen(endpoint, "write http:ADDRESS:PORT, an IPv6 address in brackets");
    const asio::ip::tcp::endpoint bound(address, where->port);
    HttpListener listener{Acceptor(io), endpoint, true};
    if (ec = bind_and_listen(listener.acceptor, bound); ec) return cannot_listen(endpoint, ec.message());
    if (where->port == 0) {
        asio::ip::tcp::endpoint real;
        const auto local = listener.acceptor.local_endpoint(ec);
        if (ec) return cannot_listen(endpoint, ec.message());
        real.resize(local.size());
        std::memcpy(real.data(), local.data(), local.size());
        listener.endpoint = endpoint.substr(0, endpoint.rfind(':') + 1) + std::to_string(real.port());
    }
    return listener;
}

} // namespace

void HttpListener::close() {
    error_code ignored;
    acceptor.close(ignored);
    struct stat status{};
    if (!path.empty() && ::lstat(path.c_str(), &status) == 0 && status.st_ino == inode) ::unlink(path.c_str());
    path.clear();
}

Result<HttpListener> http_listen(asio::io_context& io, const std::string& endpoint) {
    if (endpoint.starts_with("unix:")) return listen_unix(io, endpoint);
    if (endpoint.starts_with("http:")) return listen_tcp(io, endpoint);
    return cannot_listen(endpoint, "write unix:PATH or http:ADDRESS:PORT");
}

} // namespace weft::controller
