#include "lab/sockets.hpp"

#include <array>
#include <cstring>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <unistd.h>

namespace weft::lab {

Socket::~Socket() {
    if (fd_ >= 0) close(fd_);
}

SocketAddress::SocketAddress(const Ip& ip, std::uint16_t port) {
    if (ip.is_v6()) {
        auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
        address->sin6_family = AF_INET6;
        address->sin6_port = htons(port);
        std::memcpy(&address->sin6_addr, ip.bytes().data(), 16);
        length = sizeof *address;
    } else {
        auto* address = reinterpret_cast<sockaddr_in*>(&storage);
        address->sin_family = AF_INET;
        address->sin_port = htons(port);
        address->sin_addr.s_addr = htonl(ip.v4());
        length = sizeof *address;
    }
}

std::optional<Ip> SocketAddress::ip() const {
    if (storage.ss_family == AF_INET)
        return Ip::v4(ntohl(reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr));
    if (storage.ss_family != AF_INET6) return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr, 16);
    return Ip::v6(bytes);
}

Socket open_icmp(bool v6) {
    constexpr int kFlags = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (v6) {
        Socket socket_v6(socket(AF_INET6, kFlags, IPPROTO_ICMPV6));
        icmp6_filter filter{};
        ICMP6_FILTER_SETBLOCKALL(&filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REQUEST, &filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
        setsockopt(socket_v6.fd(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
        return socket_v6;
    }
    Socket socket_v4(socket(AF_INET, kFlags, IPPROTO_ICMP));
    const icmp_filter filter{~((1U << ICMP_ECHO) | (1U << ICMP_ECHOREPLY))};
    setsockopt(socket_v4.fd(), SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
    return socket_v4;
}

Socket open_client(bool v6, int type) {
    return Socket(socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

Socket open_server(const Ip& ip, std::uint16_t port, int type) {
    Socket server = open_client(ip.is_v6(), type);
    const int on = 1;
    setsockopt(server.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    SocketAddress address(ip, port);
    if (bind(server.fd(), address.get(), address.length) != 0) return {};
    if (type == SOCK_STREAM && listen(server.fd(), 128) != 0) return {};
    return server;
}

} // namespace weft::lab
