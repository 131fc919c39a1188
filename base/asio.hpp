// The one spelling of Asio in weft: the alias, the coroutine type and how a wait reports its error.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace weft {
namespace asio = boost::asio;
using boost::system::error_code;
template <class T = void>
using Task = asio::awaitable<T>;
using Milliseconds = std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

/// Completion token: `auto [ec, value...] = co_await op(..., kResult)`; nothing throws.
inline constexpr auto kResult = asio::as_tuple(asio::use_awaitable);

/// Suspends for `delay`, or less when the coroutine is cancelled (then false).
inline Task<bool> sleep_for(Milliseconds delay) {
    asio::steady_timer timer(co_await asio::this_coro::executor, delay);
    auto [ec] = co_await timer.async_wait(kResult);
    co_return !ec;
}
} // namespace weft
