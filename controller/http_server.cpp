#include "controller/http_server.hpp"

#include "controller/http_listener.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace weft::controller {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {

using Socket = asio::basic_stream_socket<StreamProtocol>;
using HttpStream = beast::basic_stream<StreamProtocol>;

struct Connection {
    HttpStream stream;
    beast::flat_buffer buffer;
    /// Since when the client owes us bytes; such a connection makes room when the listener is full.
    std::optional<SteadyClock::time_point> waiting_since;
    explicit Connection(Socket socket) : stream(std::move(socket)) {}
};

/// "%2e" → "."; nothing for a percent sign without two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        const char lower = static_cast<char>(c | 0x20);
        return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    };
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space)
            decoded += ' ';
        else if (text[i] != '%')
            decoded += text[i];
        else {
            if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
            decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
            i += 2;
        }
    }
    return decoded;
}

/// Fills in path and query from a request target in origin form (RFC 9112 section 3.2.1).
bool parse_target(std::string_view target, HttpRequest& request) {
    if (!target.starts_with('/')) return false;
    const auto question = target.find('?');
    auto path = percent_decoded(target.substr(0, question), false);
    if (!path) return false;
    request.path = std::move(*path);
    auto rest = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
    while (!rest.empty()) {
        const auto pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const auto equals = pair.find('=');
        auto key = percent_decoded(pair.substr(0, equals), true);
        auto value =
            percent_decoded(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
        if (!key || !value) return false;
        if (!key->empty()) request.query.insert_or_assign(std::move(*key), std::move(*value));
    }
    return true;
}

Task<HttpResponse> answer(const HttpHandler& handler, HttpRequest request) {
    try {
        co_return co_await handler(std::move(request));
    } catch (const std::exception& error) {
        co_return http_error(500, error.what());
    }
}

/// Writes in pieces, each with its own deadline: a long answer to a slow client is fine, a client that stopped is not.
template <class Body>
Task<bool> write_in_pieces(Connection& connection, http::response<Body>& message, Milliseconds timeout) {
    http::response_serializer<Body> serializer(message);
    while (!serializer.is_done()) {
        connection.stream.expires_after(timeout);
        const auto [ec, bytes] = co_await http::async_write_some(connection.stream, serializer, kResult);
        if (ec) co_return false;
    }
    connection.stream.expires_never();
    co_return true;
}

struct Answering {
    unsigned version = 11;
    bool keep_alive = false;
    bool head = false;
    bool read_only = false;
};

Task<bool> respond(Connection& connection, HttpResponse response, Answering how, Milliseconds timeout) {
    const auto fill = [&](auto& message) {
        message.set(http::field::content_type, response.content_type);
        message.set(http::field::cache_control, "no-store");
        if (response.status == 405) message.set(http::field::allow, how.read_only ? "GET, HEAD" : "GET, HEAD, POST");
        message.keep_alive(how.keep_alive);
        // RFC 9110 section 15.4.5: what a 304 leaves out has a length, but not this one's.
        if (response.status != 304) message.content_length(response.body.size());
        for (const auto& [name, value] : response.fields)
            message.set(name, value);
    };
    const auto status = static_cast<http::status>(response.status);
    if (how.head) {
        http::response<http::empty_body> message(status, how.version);
        fill(message);
        co_return co_await write_in_pieces(connection, message, timeout);
    }
    http::response<http::string_body> message(status, how.version);
    fill(message);
    message.body() = std::move(response.body);
    co_return co_await write_in_pieces(connection, message, timeout);
}

/// What a request that Beast refused deserves; nothing where the client is gone or silent.
std::optional<HttpResponse> refusal(const error_code& ec) {
    if (ec == http::error::body_limit) return http_error(413, "the body is too large");
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
        return http_error(431, "the header is too large");
    if (ec == http::error::end_of_stream || ec == http::error::partial_message) return std::nullopt;
    if (ec.category() == make_error_code(http::error::bad_target).category()) return http_error(400, ec.message());
    return std::nullopt;
}

/// Closes so that a client still sending gets to read the answer: a close with unread bytes would reset it away.
Task<> close_gently(Connection& connection) {
    error_code ec;
    connection.stream.socket().shutdown(asio::socket_base::shutdown_send, ec);
    connection.stream.expires_after(std::chrono::seconds(2));
    std::array<char, 4096> unwanted{};
    for (int i = 0; i < 256 && !ec; ++i) {
        std::tie(ec, std::ignore) = co_await connection.stream.async_read_some(asio::buffer(unwanted), kResult);
    }
    connection.stream.close();
}

} // namespace

struct HttpServer::Listening {
    HttpListener listener;
    HttpHandler handler;
    HttpLimits limits;
    std::set<std::shared_ptr<Connection>> connections;
    bool closed = false;

    /// True when the listener has room for one more connection, after the longest silent one made it if need be.
    bool make_room() {
        if (connections.size() < limits.connections) return true;
        const auto longest = std::ranges::min_element(connections, {}, [](const auto& connection) {
            return connection->waiting_since.value_or(SteadyClock::time_point::max());
        });
        if (longest == connections.end() || !(*longest)->waiting_since) return false;
        (*longest)->stream.close();
        connections.erase(longest);
        return true;
    }

    /// Reads one request and answers it. True: another may follow on this connection.
    static Task<bool> exchange(std::shared_ptr<Listening> self, Connection& connection) {
        const auto& limits = self->limits;
        const bool read_only = self->listener.read_only;
        http::request_parser<http::string_body> parser;
        parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
        parser.body_limit(read_only ? limits.read_only_body_bytes : limits.body_bytes);
        connection.waiting_since = SteadyClock::now();
        connection.stream.expires_after(limits.read_timeout);
        auto [ec, header_bytes] =
            co_await http::async_read_header(connection.stream, connection.buffer, parser, kResult);
        Answering how{.read_only = read_only};
        if (!ec) {
            how.version = parser.get().version();
            how.head = parser.get().method() == http::verb::head;
            if (read_only && !how.head && parser.get().method() != http::verb::get) {
                co_await respond(connection, http_error(405, "this address serves reads only; use the unix socket"),
                                 how, limits.write_timeout);
                co_return false;
            }
            // A browser names the page that asks. weft's own page only reads; any other that finds a way to the unix
            // socket (a relay on loopback) writes in the name of whoever looks at it.
            if (!how.head && parser.get().method() != http::verb::get && parser.get().count(http::field::origin) != 0) {
                co_await respond(connection, http_error(403, "a web page may only read"), how, limits.write_timeout);
                co_return false;
            }
            if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
                http::response<http::empty_body> go_on(http::status::continue_, how.version);
                std::tie(ec, std::ignore) = co_await http::async_write(connection.stream, go_on, kResult);
            }
        }
        if (!ec)
            std::tie(ec, std::ignore) =
                co_await http::async_read(connection.stream, connection.buffer, parser, kResult);
        connection.waiting_since.reset();
        if (ec) {
            if (auto refused = refusal(ec))
                co_await respond(connection, std::move(*refused), how, limits.write_timeout);
            co_return false;
        }
        connection.stream.expires_never();
        HttpRequest request;
        request.method = how.head ? "GET" : std::string(parser.get().method_string());
        request.read_only_listener = read_only;
        request.if_none_match = parser.get()[http::field::if_none_match];
        how.keep_alive = parser.get().keep_alive();
        if (!parse_target(parser.get().target(), request)) {
            co_return co_await respond(connection, http_error(400, "the request's target is malformed"), how,
                                       limits.write_timeout) &&
                how.keep_alive;
        }
        request.body = std::move(parser.get().body());
        auto response = co_await answer(self->handler, std::move(request));
        how.keep_alive = how.keep_alive && !self->closed;
        co_return co_await respond(connection, std::move(response), how, limits.write_timeout) && how.keep_alive;
    }

    static Task<> serve(std::shared_ptr<Listening> self, std::shared_ptr<Connection> connection) {
        bool more = true;
        while (more)
            more = co_await exchange(self, *connection);
        connection->waiting_since = SteadyClock::now();
        co_await close_gently(*connection);
        self->connections.erase(connection);
    }

    static Task<> accept(std::shared_ptr<Listening> self) {
        const auto executor = co_await asio::this_coro::executor;
        while (!self->closed) {
            auto [ec, socket] = co_await self->listener.acceptor.async_accept(kResult);
            if (self->closed) co_return;
            if (ec) {
                // Out of descriptors, most likely: at once again would only burn the processor.
                co_await sleep_for(Milliseconds(100));
                continue;
            }
            if (!self->make_room()) {
                // Every connection has a request under way. One non-blocking attempt to say so is all this one gets.
                constexpr std::string_view kBusy =
                    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                socket.non_blocking(true, ec);
                socket.send(asio::buffer(kBusy), 0, ec);
                continue;
            }
            auto connection = std::make_shared<Connection>(std::move(socket));
            self->connections.insert(connection);
            asio::co_spawn(executor, serve(self, connection), asio::detached);
        }
    }
};

Result<std::unique_ptr<HttpServer>> HttpServer::listen(asio::io_context& io, const std::vector<std::string>& endpoints,
                                                       const HttpHandler& handler, HttpLimits limits) {
    // Until all of them listen, `server` owns those that do: an error closes them.
    std::unique_ptr<HttpServer> server(new HttpServer({}));
    for (const auto& endpoint : endpoints) {
        auto listener = http_listen(io, endpoint);
        if (!listener) return std::unexpected(listener.error());
        server->listeners_.push_back(std::make_shared<Listening>(std::move(*listener), handler, limits));
    }
    for (const auto& listening : server->listeners_)
        asio::co_spawn(io, Listening::accept(listening), asio::detached);
    return server;
}

HttpServer::HttpServer(std::vector<std::shared_ptr<Listening>> listeners) : listeners_(std::move(listeners)) {}

HttpServer::~HttpServer() {
    close();
}

std::vector<std::string> HttpServer::endpoints() const {
    std::vector<std::string> endpoints;
    endpoints.reserve(listeners_.size());
    for (const auto& listening : listeners_)
        endpoints.push_back(listening->listener.endpoint);
    return endpoints;
}

std::size_t HttpServer::connections() const {
    std::size_t count = 0;
    for (const auto& listening : listeners_)
        count += listening->connections.size();
    return count;
}

void HttpServer::close() {
    for (const auto& listening : listeners_) {
        listening->closed = true;
        listening->listener.close();
        for (const auto& connection : std::exchange(listening->connections, {}))
            connection->stream.close();
    }
}

HttpResponse http_error(unsigned status, std::string_view text) {
    return {status, "application/json", "{\"error\":" + boost::json::serialize(boost::json::string_view(text)) + "}\n"};
}

} // namespace weft::controller
