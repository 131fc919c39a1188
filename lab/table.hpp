// Columns for people.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

namespace weft::lab {

using Table = std::vector<std::vector<std::string>>; ///< the first row is the heading

/// Left-aligned, two spaces between columns, none at a line's end.
inline std::string render(const Table& table) {
    std::vector<std::size_t> widths;
    for (const auto& row : table) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : table) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += row[i] + std::string(widths[i] + 2 - row[i].size(), ' ');
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

} // namespace weft::lab
