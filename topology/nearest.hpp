// "Did you mean": the word of a vocabulary that a misspelt one was probably meant to be.
#pragma once
#include <string>
#include <string_view>

namespace weft::topology {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. O(a·b).
int edit_distance(std::string_view a, std::string_view b);

/// Offer every candidate; the closest within two edits stays, the first of several equally close.
class Nearest {
  public:
    explicit Nearest(std::string_view word) : word_(word) {}
    void offer(std::string_view candidate);
    /// "did you mean 'subnet'?", or empty when nothing comes close.
    std::string remedy() const;

  private:
    std::string_view word_;
    std::string_view best_;
    int distance_ = 3;
};

/// The remedy over the keys of a map.
template <class Map>
std::string nearest_key(std::string_view word, const Map& map) {
    Nearest nearest(word);
    for (const auto& [name, value] : map)
        nearest.offer(name);
    return nearest.remedy();
}

} // namespace weft::topology
