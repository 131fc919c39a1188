// Runs one coroutine on an io_context to its end, in at most a minute.
#pragma once
#include "base/asio.hpp"

#include <optional>
#include <stdexcept>

namespace weft::openflow {

template <class T>
T run(asio::io_context& io, Task<T> task, std::chrono::seconds limit = std::chrono::seconds(60)) {
    std::optional<T> result;
    asio::co_spawn(io, std::move(task), [&result](std::exception_ptr error, T value) {
        if (error) std::rethrow_exception(error);
        result = std::move(value);
    });
    io.restart();
    const auto deadline = SteadyClock::now() + limit;
    while (!result && SteadyClock::now() < deadline)
        io.run_one_until(deadline);
    if (!result) throw std::runtime_error("the coroutine did not end");
    return std::move(*result);
}

inline void run_for(asio::io_context& io, Milliseconds time) {
    io.restart();
    io.run_for(time);
}

} // namespace weft::openflow
