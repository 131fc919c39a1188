// Exponential back-off for reconnects: initial, doubled per failure up to a ceiling, reset by success.
#pragma once
#include <algorithm>
#include <chrono>

namespace weft {

class Backoff {
  public:
    using Duration = std::chrono::milliseconds;
    constexpr Backoff(Duration initial, Duration ceiling) : initial_(initial), ceiling_(ceiling), next_(initial) {}

    /// The delay to wait now; the following one is twice as long.
    constexpr Duration next() {
        const Duration delay = next_;
        next_ = std::min(next_ * 2, ceiling_);
        return delay;
    }
    constexpr void reset() { next_ = initial_; }

  private:
    Duration initial_;
    Duration ceiling_;
    Duration next_;
};

} // namespace weft
