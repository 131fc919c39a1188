// Byte streams as OVS writes them: "tcp:ADDR:PORT", "ssl:ADDR:PORT", "unix:PATH" (ovsdb(7), "Connection Methods").
// ovsdb/ connects with it, openflow/ listens with it; neither sees a socket type or TLS.
#pragma once
#include "base/asio.hpp"
#include "base/result.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace weft {

/// Where a stream leads. IPv6 addresses stand in brackets: "tcp:[fd00::1]:6640". A listener's address may be 0.0.0.0 or
/// [::].
struct Endpoint {
    enum class Transport { tcp, ssl, unix_socket };
    Transport transport = Transport::tcp;
    std::string address; ///< numeric address, or the path of a unix socket
    std::uint16_t port = 0;

    static Result<Endpoint> parse(std::string_view text);
    std::string to_string() const;
    bool operator==(const Endpoint&) const = default;
};

/// Files in PEM. Peers must present a certificate signed by `ca`; TLS 1.2 at least.
struct TlsFiles {
    std::string key;
    std::string certificate;
    std::string ca;
    bool operator==(const TlsFiles&) const = default;
};

/// A context usable for both directions. Errors name the file.
Result<std::shared_ptr<asio::ssl::context>> tls_context(const TlsFiles& files);

/// One connected byte stream. Not copyable; destroying it closes the connection at once.
class Stream {
  public:
    virtual ~Stream() = default;
    /// At least one byte; an error at end of stream.
    virtual Task<Result<std::size_t>> read_some(std::span<std::byte> buffer) = 0;
    /// All of it.
    virtual Task<Result<void>> write(std::span<const std::byte> bytes) = 0;
    /// Ends pending reads and writes with an error. Idempotent.
    virtual void close() = 0;
    /// The peer's numeric address ("192.0.2.1"), empty for a unix socket.
    virtual std::string peer_address() const = 0;
    /// This end's numeric address, empty for a unix socket.
    virtual std::string local_address() const { return {}; }
    /// The subject common name of the peer's verified certificate; empty without TLS.
    virtual std::string peer_common_name() const = 0;
};

/// Connects, with the TLS handshake where the transport is ssl. `context` may be null for tcp and unix.
Task<Result<std::unique_ptr<Stream>>> connect(Endpoint endpoint, std::shared_ptr<asio::ssl::context> context,
                                              Milliseconds timeout);

/// Accepts connections. A TLS handshake that fails or takes over 5 s is that connection's end and nobody else's: it is
/// done in the background, so that a slow peer never delays another.
class Listener {
  public:
    virtual ~Listener() = default;
    /// The next connected peer.
    virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
    /// The bound endpoint, with the real port where 0 was asked for.
    virtual Endpoint endpoint() const = 0;
    virtual void close() = 0;
};

/// `refused` hears of each TLS handshake that failed: the peer's address and why.
using Refused = std::function<void(const std::string& peer, const std::string& why)>;
Result<std::unique_ptr<Listener>> listen(asio::io_context& io, const Endpoint& endpoint,
                                         std::shared_ptr<asio::ssl::context> context, Refused refused = {});

} // namespace weft
