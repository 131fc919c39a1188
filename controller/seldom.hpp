// Seldom: how often something may be said of one object, so that nobody fills the log and the events of all.
#pragma once
#include "base/mailbox.hpp"

#include <chrono>
#include <map>

namespace weft::controller {

template <class Key>
class Seldom {
  public:
    explicit Seldom(int times_a_minute) : most_(times_a_minute) {}

    /// True: it may be said once more within this minute.
    bool allows(const Key& key, SteadyClock::time_point now) {
        auto& window = windows_[key];
        if (window.said == 0 || now - window.began >= std::chrono::minutes(1)) window = {now, 0};
        if (window.said >= most_) return false;
        ++window.said;
        return true;
    }

  private:
    struct Window {
        SteadyClock::time_point began;
        int said = 0;
    };
    int most_;
    std::map<Key, Window> windows_;
};

} // namespace weft::controller
