// Runs a coroutine to its end on an io_context, within a limit: tests stay straight-line code.
#pragma once
#include "base/asio.hpp"

#include <cstdlib>
#include <functional>
#include <optional>

namespace weft::test {

template <class T>
Task<void> store(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
}

/// Whether `done` became true within `limit`.
inline bool eventually(asio::io_context& io, const std::function<bool()>& done,
                       Milliseconds limit = Milliseconds(20000)) {
    const auto deadline = SteadyClock::now() + limit;
    while (!done()) {
        if (SteadyClock::now() >= deadline) return false;
        if (io.stopped()) io.restart();
        io.run_one_for(Milliseconds(10));
    }
    return true;
}

template <class T>
T run(asio::io_context& io, Task<T> task) {
    std::optional<T> result;
    std::exception_ptr thrown;
    bool finished = false;
    asio::co_spawn(io, store(std::move(task), result), [&](std::exception_ptr exception) {
        thrown = exception;
        finished = true;
    });
    if (!eventually(io, [&] { return finished; })) std::abort(); // its frame refers to ours
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*result);
}

} // namespace weft::test
