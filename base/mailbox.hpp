// Signal: a conflating mailbox of one bit. Many raises before the receiver looks are one wake-up, so a slow
// receiver costs its senders nothing and always sees the newest state when it reads the value the bit stands for.
// Single-threaded: every use is on the io_context's one thread.
#pragma once
#include "base/asio.hpp"

#include <utility>

namespace weft {

class Signal {
  public:
    explicit Signal(const asio::any_io_executor& executor) : timer_(executor, SteadyClock::time_point::max()) {}

    /// Wakes the waiter, now or at its next wait.
    void raise() {
        raised_ = true;
        timer_.cancel();
    }

    bool raised() const { return raised_; }

    /// Clears without waiting; whether it was raised.
    bool take() { return std::exchange(raised_, false); }

    /// Returns at the next raise (at once if one is pending) and clears it. False after `timeout`.
    /// One waiter at a time.
    Task<bool> wait(SteadyClock::duration timeout = SteadyClock::duration::max()) {
        if (!raised_) {
            if (timeout == SteadyClock::duration::max())
                timer_.expires_at(SteadyClock::time_point::max());
            else
                timer_.expires_after(timeout);
            co_await timer_.async_wait(kResult);
        }
        co_return std::exchange(raised_, false);
    }

  private:
    asio::steady_timer timer_;
    bool raised_ = false;
};

} // namespace weft
