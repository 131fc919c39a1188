// Sockets for lab/probe: opened in a namespace, closed with the value, never blocking.
#pragma once
#include "base/address.hpp"

#include <cstdint>
#include <optional>
#include <sys/socket.h>
#include <utility>

namespace weft::lab {

class Socket {
  public:
    Socket() = default;
    explicit Socket(int fd) : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Socket();
    int fd() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_storage);

    SocketAddress() = default;
    SocketAddress(const Ip& ip, std::uint16_t port);
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    std::optional<Ip> ip() const;
};

/// Echo requests and replies, those of others too.
Socket open_icmp(bool v6);
/// SOCK_STREAM or SOCK_DGRAM.
Socket open_client(bool v6, int type);
/// Bound, and listening if it is a stream; nothing when the port is taken.
Socket open_server(const Ip& ip, std::uint16_t port, int type);

} // namespace weft::lab
