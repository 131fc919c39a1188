#include "base/asio.hpp"
#include "base/stream.hpp"
#include "lab/command.hpp"
#include "lab/commands.hpp"
#include "lab/setup.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace weft::lab {
namespace {

using Tcp = asio::ip::tcp;

// Until either end has had enough; then neither has more to say.
Task<> pass_on(std::shared_ptr<Tcp::socket> from, std::shared_ptr<Tcp::socket> to) {
    std::array<char, 16384> buffer{};
    error_code ec;
    while (!ec) {
        std::size_t length = 0;
        std::tie(ec, length) = co_await from->async_read_some(asio::buffer(buffer), kResult);
        if (!ec) std::tie(ec, length) = co_await asio::async_write(*to, asio::buffer(buffer, length), kResult);
    }
    from->close(ec);
    to->close(ec);
}

Task<> relay(std::shared_ptr<Tcp::socket> browser, Tcp::endpoint weftd) {
    const auto executor = co_await asio::this_coro::executor;
    auto server = std::make_shared<Tcp::socket>(executor);
    auto [ec] = co_await server->async_connect(weftd, kResult);
    if (ec) co_return; // weftd is away: as if nobody listened
    asio::co_spawn(executor, pass_on(browser, server), asio::detached);
    co_await pass_on(server, browser);
}

Task<> accept(Tcp::acceptor acceptor, Tcp::endpoint weftd) {
    const auto executor = co_await asio::this_coro::executor;
    while (true) {
        auto browser = std::make_shared<Tcp::socket>(executor);
        auto [ec] = co_await acceptor.async_accept(*browser, kResult);
        if (ec)
            co_await sleep_for(Milliseconds(100)); // out of descriptors, most likely
        else
            asio::co_spawn(executor, relay(std::move(browser), weftd), asio::detached);
    }
}

} // namespace

Result<void> page(const std::string& lab, const std::string& listen) {
    if (auto root = check_root(); !root) return root;
    const auto opened = open_lab(lab);
    if (!opened) return std::unexpected(opened.error());
    if (!opened->record.controller)
        return fail(ErrorKind::invalid, fmt::format("lab '{}' has no weftd, which serves the page", lab));
    const auto where = Endpoint::parse("tcp:" + listen);
    error_code ec;
    const auto address = where ? asio::ip::make_address(where->address, ec) : asio::ip::address();
    if (!where || ec)
        return fail(ErrorKind::invalid, fmt::format("--listen {}: write ADDRESS:PORT, such as 127.0.0.1:8080", listen));

    asio::io_context io;
    Tcp::acceptor acceptor(io);
    const Tcp::endpoint here(address, where->port);
    acceptor.open(here.protocol(), ec);
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor.bind(here, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec)
        return fail(ErrorKind::io, fmt::format("{}: {}; --listen ADDRESS:PORT takes another", listen, ec.message()));
    const auto local = acceptor.local_endpoint();
    // What listens stays in this machine's namespace; what connects from now on is in the lab's.
    if (auto entered = enter_netns(opened->plan.control_netns); !entered) return entered;
    fmt::print("the page of lab {}: http://{}:{}/   (reads only; Ctrl-C ends it)\n", lab,
               address.is_v6() ? fmt::format("[{}]", address.to_string()) : address.to_string(), local.port());
    std::fflush(stdout);
    const Tcp::endpoint weftd(asio::ip::address_v4::loopback(), kPagePort);
    asio::co_spawn(io, accept(std::move(acceptor), weftd), asio::detached);
    io.run();
    return {};
}

} // namespace weft::lab
