#include "cli/http_client.hpp"

#include "base/stream.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>
#include <optional>
#include <sys/un.h>

namespace weft::cli {

namespace beast = boost::beast;
namespace http = beast::http;
using Protocol = asio::generic::stream_protocol;
using Outcome = std::expected<HttpReply, HttpFailure>;

namespace {

constexpr std::uint64_t kMaxReply = 512ULL * 1024 * 1024; // the flows of a large fabric

Outcome failed(const error_code& ec) {
    using boost::system::errc::make_error_code;
    using enum boost::system::errc::errc_t;
    auto why = Unreachable::broken;
    if (ec == connection_refused || ec == no_such_file_or_directory)
        why = Unreachable::absent;
    else if (ec == permission_denied || ec == operation_not_permitted)
        why = Unreachable::forbidden;
    else if (ec == beast::error::timeout)
        why = Unreachable::timeout;
    return std::unexpected(HttpFailure{why, ec.message()});
}

std::optional<Protocol::endpoint> resolve(const std::string& address) {
    if (address.starts_with("unix:")) {
        const auto path = address.substr(5);
        if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
        return asio::local::stream_protocol::endpoint(path);
    }
    if (!address.starts_with("http:")) return std::nullopt;
    const auto where = Endpoint::parse("tcp:" + address.substr(5));
    error_code ec;
    if (!where) return std::nullopt;
    const auto ip = asio::ip::make_address(where->address, ec);
    if (ec) return std::nullopt;
    return asio::ip::tcp::endpoint(ip, where->port);
}

Task<Outcome> converse(const HttpCall& call, Protocol::endpoint endpoint) {
    beast::basic_stream<Protocol> stream(co_await asio::this_coro::executor);
    stream.expires_after(call.timeout);
    auto [connect_error] = co_await stream.async_connect(endpoint, kResult);
    if (connect_error) co_return failed(connect_error);

    http::request<http::string_body> request(http::string_to_verb(call.method), call.target, 11);
    request.set(http::field::host, "weftd");
    if (!call.body.empty()) request.set(http::field::content_type, "application/json");
    request.body() = call.body;
    request.prepare_payload();
    request.keep_alive(false);
    auto [write_error, wrote] = co_await http::async_write(stream, request, kResult);
    // A server that refuses a body early answers before it has read everything: the answer says more than the reset.
    if (write_error == beast::error::timeout) co_return failed(write_error);

    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxReply);
    auto [read_error, got] = co_await http::async_read(stream, buffer, parser, kResult);
    if (read_error) co_return failed(write_error ? write_error : read_error);
    co_return HttpReply{parser.get().result_int(), std::move(parser.get().body())};
}

} // namespace

Outcome exchange(const HttpCall& call) {
    const auto endpoint = resolve(call.address);
    if (!endpoint) {
        return std::unexpected(HttpFailure{
            Unreachable::bad_address,
            fmt::format("'{}' is no address of weftd: write unix:PATH or http:ADDRESS:PORT", call.address)});
    }
    asio::io_context io(1);
    Outcome outcome = std::unexpected(HttpFailure{});
    asio::co_spawn(io, converse(call, *endpoint), [&](const std::exception_ptr& error, Outcome result) {
        if (!error) outcome = std::move(result);
    });
    io.run();
    return outcome;
}

std::string url_encoded(std::string_view text) {
    constexpr std::string_view kUnreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    std::string encoded;
    for (const char c : text) {
        if (kUnreserved.contains(c))
            encoded += c;
        else
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return encoded;
}

} // namespace weft::cli
