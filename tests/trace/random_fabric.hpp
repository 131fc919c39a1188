// Random fabrics: a topology with everything that the pipeline has flows for, its ports on three hosts, and what those
// hosts showed of themselves. The same for the same seed.
#pragma once
#include "tests/fabric/fixture.hpp"

#include <random>
#include <set>

namespace weft::fabric {

/// Whole numbers and choices.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : random_(seed) {}
    /// 0 to n-1.
    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    bool chance(unsigned percent) { return below(100) < percent; }
    template <class Choices>
    auto of(const Choices& choices) {
        return *std::next(std::begin(choices), static_cast<std::ptrdiff_t>(below(std::size(choices))));
    }
    template <class T>
    T of(std::initializer_list<T> choices) {
        return *(choices.begin() + below(choices.size()));
    }

  private:
    std::mt19937_64 random_;
};

/// The largest ofport that a fabric of random_fabric() has.
inline constexpr std::uint32_t kLastPort = 60;

Fixture random_fabric(Dice& dice);

} // namespace weft::fabric
