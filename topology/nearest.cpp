#include "topology/nearest.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <vector>

namespace weft::topology {

int edit_distance(std::string_view a, std::string_view b) {
    // Three rows of the matrix: a swap of neighbours looks two rows back.
    std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        above[j] = static_cast<int>(j);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = static_cast<int>(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, above);
        std::swap(above, row);
    }
    return above[b.size()];
}

void Nearest::offer(std::string_view candidate) {
    const auto longer = std::max(word_.size(), candidate.size());
    const auto shorter = std::min(word_.size(), candidate.size());
    if (longer - shorter >= 3 || candidate.empty()) return;
    const int distance = edit_distance(word_, candidate);
    // Two edits turn any word of two letters into any other: that is no resemblance.
    if (distance < distance_ && static_cast<std::size_t>(distance) < longer) {
        distance_ = distance;
        best_ = candidate;
    }
}

std::string Nearest::remedy() const {
    return best_.empty() ? std::string() : fmt::format("did you mean '{}'?", best_);
}

} // namespace weft::topology
