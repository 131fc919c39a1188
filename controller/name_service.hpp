// NameService: names of ports, asked for by DNS (RFC 1035). What weft knows it answers at once; what others know it
// asks of them. A guest knows the names of its own network, and of the networks of its router.
#pragma once
#include "controller/dns_forwarder.hpp"
#include "controller/network_names.hpp"
#include "controller/onto_wire.hpp"
#include "controller/udp.hpp"
#include "fabric/world.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::controller {

class NameService {
  public:
    /// Of every port, plugged in or not; asked for with each question.
    using Addresses = std::function<const topology::Allocations&()>;
    /// Another number when these have changed.
    using Version = std::function<std::uint64_t()>;

    /// `resolvers`: for networks whose dhcp.dns names nobody but weft.
    NameService(asio::io_context& io, SendFrom send, Addresses addresses, Version version, std::vector<Ip> resolvers)
        : forwarder_(io), send_(std::move(send)), addresses_(std::move(addresses)), version_(std::move(version)),
          resolvers_(std::move(resolvers)) {}

    void publish(fabric::WorldPtr world) { world_ = std::move(world); }

    struct Question {
        std::span<const std::byte> frame;
        const std::optional<Datagram>& udp; ///< of the frame
        const std::string& host;            ///< that the guest is plugged in on
        const fabric::NetworkView& network;
        const fabric::Attachment& attachment;
    };
    struct Answer {
        std::string_view counted; ///< "answered", "nxdomain", "forwarded", …
        std::optional<Frame> frame;
    };
    /// Nothing: it is no question for names. Without a frame: none is due, or it comes later by `send`.
    std::optional<Answer> answer(const Question& question);

    void stop() { forwarder_.stop(); }

  private:
    /// Who is asked for what weft does not know in a network.
    std::vector<Ip> resolvers_of(const fabric::NetworkView& network) const;

    DnsForwarder forwarder_;
    SendFrom send_;
    /// What weft knows, as seen from a network. Made when it is asked for, and kept as long as it is true.
    const NetworkNames& names_in(const std::string& network);

    Addresses addresses_;
    Version version_;
    std::vector<Ip> resolvers_;
    fabric::WorldPtr world_;
    std::shared_ptr<const topology::Topology> topology_; ///< of the following
    std::uint64_t known_version_ = 0;
    std::optional<Directory> directory_;
    std::map<std::string, NetworkNames> names_; ///< by network
};

} // namespace weft::controller
