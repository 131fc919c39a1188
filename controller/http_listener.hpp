// The API's listening sockets: "unix:PATH" and "http:ADDR:PORT" made into one kind of acceptor.
#pragma once
#include "base/asio.hpp"
#include "base/result.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <memory>
#include <string>
#include <sys/types.h>

namespace weft::controller {

using StreamProtocol = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<StreamProtocol>;

struct HttpListener {
    Acceptor acceptor;
    std::string endpoint; ///< as given, with the real port
    bool read_only = false;
    std::string path; ///< of a unix socket
    ino_t inode = 0;  ///< of that socket: what another process put in its place stays

    /// Stops accepting and removes the unix socket.
    void close();
};

/// See HttpServer::listen for what the endpoints mean. The error names the endpoint and the remedy.
Result<HttpListener> http_listen(asio::io_context& io, const std::string& endpoint);

} // namespace weft::controller
