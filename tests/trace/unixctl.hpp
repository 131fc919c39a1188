// One connection to a daemon's control socket (ovs-appctl(8)): JSON-RPC 1.0, one object a request, no framing. A
// thousand traces would cost a thousand processes otherwise.
#pragma once
#include "base/asio.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <string>
#include <vector>

namespace weft::openflow {

class Unixctl {
  public:
    explicit Unixctl(const std::string& path);
    /// The command's output; throws what the daemon answers to a wrong command.
    std::string call(const std::string& method, const std::vector<std::string>& parameters);

  private:
    asio::io_context io_;
    asio::local::stream_protocol::socket socket_;
    std::uint64_t next_ = 0;
};

} // namespace weft::openflow
