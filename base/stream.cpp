#include "base/stream.hpp"

#include "base/mailbox.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace weft {
namespace {

using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;
using Tls = asio::ssl::stream<Tcp::socket>;

constexpr Milliseconds kHandshakeTimeout{5000};
constexpr Milliseconds kAcceptRetry{100};    ///< after EMFILE and its like
constexpr std::size_t kMaxHandshakes = 4096; ///< what silent peers may hold open at once

Tcp::socket& bottom(Tcp::socket& socket) {
    return socket;
}
Local::socket& bottom(Local::socket& socket) {
    return socket;
}
Tcp::socket& bottom(Tls& stream) {
    return stream.next_layer();
}

void close_now(auto& stream) {
    error_code ignored;
    bottom(stream).close(ignored);
}

void set_no_delay(Tcp::socket& socket) {
    error_code ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
}
void set_no_delay(Local::socket&) {}

std::string text_of(const asio::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    }
    return address.to_string();
}
std::string peer_of(const Tcp::socket& socket) {
    error_code ec;
    const auto end = socket.remote_endpoint(ec);
    return ec ? std::string() : text_of(end.address());
}
std::string peer_of(const Local::socket&) {
    return {};
}
std::string local_of(const Tcp::socket& socket) {
    error_code ec;
    const auto end = socket.local_endpoint(ec);
    return ec ? std::string() : text_of(end.address());
}
std::string local_of(const Local::socket&) {
    return {};
}

std::string common_name_of(const auto&) {
    return {};
}
std::string common_name_of(Tls& stream) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(stream.native_handle()),
                                                                  &X509_free);
    if (!certificate) return {};
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0) return {};
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
    if (size < 0) return {};
    std::string name(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    return name;
}

/// The socket is shared with the operations in flight: Asio's TLS operations use the stream after it was closed under
/// them, so it must outlive a Stream destroyed while it is being read.
template <class Socket>
class SocketStream final : public Stream {
  public:
    explicit SocketStream(std::shared_ptr<Socket> socket)
        : socket_(std::move(socket)), peer_address_(peer_of(bottom(*socket_))),
          local_address_(local_of(bottom(*socket_))), peer_common_name_(common_name_of(*socket_)) {
        set_no_delay(bottom(*socket_));
    }
    ~SocketStream() override { close_now(*socket_); }
    SocketStream(const SocketStream&) = delete;
    SocketStream& operator=(const SocketStream&) = delete;

    Task<Result<std::size_t>> read_some(std::span<std::byte> buffer) override {
        const auto socket = socket_;
        auto [ec, count] = co_await socket->async_read_some(asio::buffer(buffer.data(), buffer.size()), kResult);
        if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated) {
            co_return fail(ErrorKind::io, "the peer closed the connection");
        }
        if (ec) co_return fail(ErrorKind::io, ec.message());
        co_return count;
    }

    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        const auto socket = socket_;
        auto [ec, count] = co_await asio::async_write(*socket, asio::buffer(bytes.data(), bytes.size()), kResult);
        if (ec) co_return fail(ErrorKind::io, ec.message());
        co_return Result<void>();
    }

    void close() override { close_now(*socket_); }
    std::string peer_address() const override { return peer_address_; }
    std::string local_address() const override { return local_address_; }
    std::string peer_common_name() const override { return peer_common_name_; }

  private:
    std::shared_ptr<Socket> socket_;
    std::string peer_address_;
    std::string local_address_;
    std::string peer_common_name_;
};

/// Closes the socket when the time is up, unless destroyed before. A timer whose handler is queued already cannot be
/// called back, hence the flag.
template <class Socket>
class Deadline {
  public:
    Deadline(const asio::any_io_executor& executor, Milliseconds timeout, std::shared_ptr<Socket> socket)
        : timer_(executor, timeout), state_(std::make_shared<State>()) {
        timer_.async_wait([state = state_, socket = std::move(socket)](const error_code& ec) {
            if (ec || state->over) return;
            state->expired = true;
            close_now(*socket);
        });
    }
    ~Deadline() { state_->over = true; }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    bool expired() const { return state_->expired; }

  private:
    struct State {
        bool over = false;
        bool expired = false;
    };
    asio::steady_timer timer_;
    std::shared_ptr<State> state_;
};

Result<Tcp::endpoint> tcp_endpoint(const Endpoint& endpoint) {
    error_code ec;
    const auto address = asio::ip::make_address(endpoint.address, ec);
    if (ec) return fail(ErrorKind::invalid, fmt::format("'{}' is not a numeric address", endpoint.address));
    return Tcp::endpoint(address, endpoint.port);
}

Result<Local::endpoint> local_endpoint(const Endpoint& endpoint) {
    if (endpoint.address.size() >= sizeof(sockaddr_un::sun_path)) {
        return fail(ErrorKind::invalid, fmt::format("{}: the path of a unix socket is limited to {} characters",
                                                    endpoint.address, sizeof(sockaddr_un::sun_path) - 1));
    }
    return Local::endpoint(endpoint.address);
}

/// What stands where a TLS record is to begin is none.
bool speaks_no_tls(const error_code& ec) {
    if (ec.category() != asio::error::get_ssl_category()) return false;
    const auto code = static_cast<unsigned long>(ec.value());
    const int reason = ERR_GET_REASON(code);
    return ERR_GET_LIB(code) == ERR_LIB_SSL && (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST);
}

/// Why a handshake failed. The verdict on the peer's certificate says more than the error that it led to.
std::string handshake_error(Tls& stream, const error_code& ec) {
    if (speaks_no_tls(ec)) return "the peer speaks no TLS";
    const long verdict = SSL_get_verify_result(stream.native_handle());
    return "TLS: " + (verdict == X509_V_OK ? ec.message() : std::string(X509_verify_cert_error_string(verdict)));
}

template <class Socket>
Error connect_error(const Deadline<Socket>& deadline, const std::string& where, const std::string& why) {
    if (deadline.expired()) return {ErrorKind::timeout, where + ": no answer in time"};
    return {ErrorKind::io, where + ": " + why};
}

template <class Socket, class Remote>
Task<Result<std::unique_ptr<Stream>>> connect_plain(Remote remote, std::string where, Milliseconds timeout) {
    const auto executor = co_await asio::this_coro::executor;
    const auto socket = std::make_shared<Socket>(executor);
    const Deadline<Socket> deadline(executor, timeout, socket);
    auto [ec] = co_await socket->async_connect(remote, kResult);
    if (ec) co_return std::unexpected(connect_error(deadline, where, ec.message()));
    co_return std::make_unique<SocketStream<Socket>>(socket);
}

Task<Result<std::unique_ptr<Stream>>> connect_tls(Tcp::endpoint remote, std::string where,
                                                  std::shared_ptr<asio::ssl::context> context, Milliseconds timeout) {
    const auto executor = co_await asio::this_coro::executor;
    const auto socket = std::make_shared<Tls>(executor, *context);
    const Deadline<Tls> deadline(executor, timeout, socket);
    auto [refused] = co_await socket->next_layer().async_connect(remote, kResult);
    if (refused) co_return std::unexpected(connect_error(deadline, where, refused.message()));
    auto [ec] = co_await socket->async_handshake(asio::ssl::stream_base::client, kResult);
    if (ec) co_return std::unexpected(connect_error(deadline, where, handshake_error(*socket, ec)));
    co_return std::make_unique<SocketStream<Tls>>(socket);
}

/// What the accepting coroutine, the handshakes and the Listener share.
template <class Protocol>
struct Accepting {
    Accepting(asio::io_context& io, std::shared_ptr<asio::ssl::context> tls, Refused tell)
        : acceptor(io), context(std::move(tls)), refused(std::move(tell)), signal(io.get_executor()) {}

    typename Protocol::acceptor acceptor;
    std::shared_ptr<asio::ssl::context> context; ///< null without TLS
    Refused refused;
    std::deque<std::unique_ptr<Stream>> ready;
    std::size_t handshakes = 0;
    Signal signal;
    bool closed = false;

    void add(std::unique_ptr<Stream> stream) {
        if (closed) return;
        ready.push_back(std::move(stream));
        signal.raise();
    }
};

Task<void> shake_hands(std::shared_ptr<Accepting<Tcp>> state, Tcp::socket peer) {
    ++state->handshakes;
    {
        const auto address = peer_of(peer);
        const auto socket = std::make_shared<Tls>(std::move(peer), *state->context);
        const Deadline<Tls> deadline(socket->get_executor(), kHandshakeTimeout, socket);
        auto [ec] = co_await socket->async_handshake(asio::ssl::stream_base::server, kResult);
        if (!ec)
            state->add(std::make_unique<SocketStream<Tls>>(socket));
        else if (state->refused && !state->closed)
            state->refused(address, deadline.expired() ? "TLS: no handshake in time" : handshake_error(*socket, ec));
    }
    --state->handshakes;
}

void admit(const std::shared_ptr<Accepting<Tcp>>& state, Tcp::socket peer) {
    if (!state->context)
        return state->add(std::make_unique<SocketStream<Tcp::socket>>(std::make_shared<Tcp::socket>(std::move(peer))));
    if (state->handshakes >= kMaxHandshakes) return;
    const auto executor = peer.get_executor();
    asio::co_spawn(executor, shake_hands(state, std::move(peer)), asio::detached);
}

void admit(const std::shared_ptr<Accepting<Local>>& state, Local::socket peer) {
    state->add(std::make_unique<SocketStream<Local::socket>>(std::make_shared<Local::socket>(std::move(peer))));
}

template <class Protocol>
Task<void> accept_all(std::shared_ptr<Accepting<Protocol>> state) {
    while (!state->closed) {
        auto [ec, peer] = co_await state->acceptor.async_accept(kResult);
        if (state->closed) co_return;
        if (!ec)
            admit(state, std::move(peer));
        else if (ec != asio::error::connection_aborted)
            co_await sleep_for(kAcceptRetry);
    }
}

template <class Protocol>
class SocketListener final : public Listener {
  public:
    SocketListener(std::shared_ptr<Accepting<Protocol>> state, Endpoint endpoint)
        : state_(std::move(state)), endpoint_(std::move(endpoint)) {
        asio::co_spawn(state_->acceptor.get_executor(), accept_all<Protocol>(state_), asio::detached);
    }
    ~SocketListener() override { end(); }
    SocketListener(const SocketListener&) = delete;
    SocketListener& operator=(const SocketListener&) = delete;

    Task<Result<std::unique_ptr<Stream>>> accept() override {
        const auto state = state_;
        while (state->ready.empty()) {
            if (state->closed) co_return fail(ErrorKind::io, "the listener is closed");
            co_await state->signal.wait();
        }
        auto stream = std::move(state->ready.front());
        state->ready.pop_front();
        co_return stream;
    }

    Endpoint endpoint() const override { return endpoint_; }
    void close() override { end(); }

  private:
    void end() {
        if (std::exchange(state_->closed, true)) return;
        error_code ignored;
        state_->acceptor.close(ignored);
        state_->ready.clear();
        state_->signal.raise();
        if (endpoint_.transport == Endpoint::Transport::unix_socket) ::unlink(endpoint_.address.c_str());
    }

    std::shared_ptr<Accepting<Protocol>> state_;
    Endpoint endpoint_;
};

/// A socket file nobody answers on is left over from a killed process; one that is answered stays, and bind() says so.
void unlink_stale(asio::io_context& io, const Local::endpoint& endpoint) {
    struct stat status{};
    if (::lstat(endpoint.path().c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
    Local::socket probe(io);
    error_code ec;
    probe.connect(endpoint, ec);
    if (ec == asio::error::connection_refused) ::unlink(endpoint.path().c_str());
}

template <class Protocol>
Result<std::unique_ptr<Listener>> listen_on(asio::io_context& io, const typename Protocol::endpoint& local,
                                            Endpoint endpoint, std::shared_ptr<asio::ssl::context> context,
                                            Refused refused) {
    auto state = std::make_shared<Accepting<Protocol>>(io, std::move(context), std::move(refused));
    error_code ec;
    const auto step = [&ec](auto&& operation) {
        if (!ec) operation();
    };
    step([&] { state->acceptor.open(local.protocol(), ec); });
    if constexpr (std::is_same_v<Protocol, Tcp>) {
        step([&] { state->acceptor.set_option(Tcp::acceptor::reuse_address(true), ec); });
    }
    step([&] { state->acceptor.bind(local, ec); });
    step([&] { state->acceptor.listen(asio::socket_base::max_listen_connections, ec); });
    if (ec) return fail(ErrorKind::io, fmt::format("cannot listen on {}: {}", endpoint.to_string(), ec.message()));
    if constexpr (std::is_same_v<Protocol, Tcp>) endpoint.port = state->acceptor.local_endpoint().port();
    return std::make_unique<SocketListener<Protocol>>(std::move(state), std::move(endpoint));
}

/// Why a file of `kind` cannot be used. The library says "unsupported (DECODER routines)" of one that is another thing.
std::unexpected<Error> unusable(std::string_view kind, const std::string& file, const error_code& ec) {
    const int library = ERR_GET_LIB(static_cast<unsigned long>(ec.value()));
    const bool another =
        ec.category() == asio::error::get_ssl_category() && (library == ERR_LIB_PEM || library == ERR_LIB_OSSL_DECODER);
    return fail(ErrorKind::invalid, another ? fmt::format("{} is no {} in PEM", file, kind)
                                            : fmt::format("{} {}: {}", kind, file, ec.message()));
}

} // namespace

Result<std::shared_ptr<asio::ssl::context>> tls_context(const TlsFiles& files) {
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls);
    SSL_CTX* raw = context->native_handle();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    // Every connection shows its certificate anew: a resumed session would outlive its certificate.
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(raw, 0);
    error_code ec;
    context->use_certificate_chain_file(files.certificate, ec);
    if (ec) return unusable("certificate", files.certificate, ec);
    context->use_private_key_file(files.key, asio::ssl::context::pem, ec);
    if (ec) return unusable("private key", files.key, ec);
    context->load_verify_file(files.ca, ec);
    if (ec) return unusable("CA certificate", files.ca, ec);
    context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, ec);
    if (ec) return fail(ErrorKind::invalid, ec.message());
    return context;
}

Task<Result<std::unique_ptr<Stream>>> connect(Endpoint endpoint, std::shared_ptr<asio::ssl::context> context,
                                              Milliseconds timeout) {
    const std::string where = endpoint.to_string();
    if (endpoint.transport == Endpoint::Transport::unix_socket) {
        const auto remote = local_endpoint(endpoint);
        if (!remote) co_return std::unexpected(remote.error());
        co_return co_await connect_plain<Local::socket>(*remote, where, timeout);
    }
    const auto remote = tcp_endpoint(endpoint);
    if (!remote) co_return std::unexpected(remote.error());
    if (endpoint.transport == Endpoint::Transport::tcp) {
        co_return co_await connect_plain<Tcp::socket>(*remote, where, timeout);
    }
    if (!context) co_return fail(ErrorKind::invalid, where + " needs a key, a certificate and a CA");
    co_return co_await connect_tls(*remote, where, std::move(context), timeout);
}

Result<std::unique_ptr<Listener>> listen(asio::io_context& io, const Endpoint& endpoint,
                                         std::shared_ptr<asio::ssl::context> context, Refused refused) {
    if (endpoint.transport == Endpoint::Transport::unix_socket) {
        const auto local = local_endpoint(endpoint);
        if (!local) return std::unexpected(local.error());
        unlink_stale(io, *local);
        return listen_on<Local>(io, *local, endpoint, nullptr, {});
    }
    const auto local = tcp_endpoint(endpoint);
    if (!local) return std::unexpected(local.error());
    if (endpoint.transport == Endpoint::Transport::tcp) return listen_on<Tcp>(io, *local, endpoint, nullptr, {});
    if (!context) return fail(ErrorKind::invalid, endpoint.to_string() + " needs a key, a certificate and a CA");
    return listen_on<Tcp>(io, *local, endpoint, std::move(context), std::move(refused));
}

} // namespace weft
