// Rising: a total that only rises, of a counter that somebody else keeps and may lose: a switch that begins anew, flows
// that go and take along what they counted. What is exported as a counter must not fall, or it is taken for a restart
// and everything is counted again.
#pragma once
#include <cstdint>
#include <optional>

namespace weft::controller {

class Rising {
  public:
    /// The counter stands at `count` now. `life`: another number when it began anew at 0 since the last call, and only
    /// then: else what is left of a sum, of which flows took their part along, would be counted again. What it counted
    /// before the first call is left out.
    void note(std::uint64_t count, std::uint64_t life) {
        if (last_ && life != life_)
            total_ += count;
        else if (last_ && count > *last_)
            total_ += count - *last_;
        last_ = count;
        life_ = life;
    }
    std::uint64_t total() const { return total_; }

  private:
    std::optional<std::uint64_t> last_;
    std::uint64_t life_ = 0;
    std::uint64_t total_ = 0;
};

} // namespace weft::controller
