#include "cli/table.hpp"

#include <algorithm>
#include <cassert>
#include <ostream>

namespace weft::cli {

std::string coloured(std::string_view text, Colour colour, bool enabled) {
    std::string_view code;
    switch (colour) {
    case Colour::none:
        break;
    case Colour::green:
        code = "32";
        break;
    case Colour::yellow:
        code = "33";
        break;
    case Colour::red:
        code = "31";
        break;
    case Colour::dim:
        code = "2";
        break;
    case Colour::bold:
        code = "1";
        break;
    }
    if (!enabled || code.empty()) return std::string(text);
    return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string printable(std::string_view text) {
    std::string clean(text);
    std::ranges::replace_if(clean, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return clean;
}

void Table::add(std::vector<Cell> row) {
    assert(row.size() == columns_.size());
    for (auto& cell : row)
        cell.text = printable(cell.text);
    rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out, bool colours, std::string_view indent) const {
    std::vector<std::size_t> shown;
    std::vector<std::size_t> widths(columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        widths[i] = width(columns_[i].title);
        bool used = false;
        for (const auto& row : rows_) {
            used = used || !row[i].text.empty();
            widths[i] = std::max(widths[i], width(row[i].text));
        }
        if (used) shown.push_back(i);
    }
    const auto print_line = [&](const auto& cell_of) {
        std::string line(indent);
        std::size_t owed = 0; // blanks that are written only if something follows
        for (const auto i : shown) {
            const Cell cell = cell_of(i);
            const auto padding = widths[i] - width(cell.text);
            line.append(owed + (columns_[i].right ? padding : 0), ' ');
            line += coloured(cell.text, cell.colour, colours);
            owed = 2 + (columns_[i].right ? 0 : padding);
        }
        out << line << '\n';
    };
    if (shown.empty()) return;
    print_line([&](std::size_t i) { return Cell{columns_[i].title, Colour::bold}; });
    for (const auto& row : rows_) {
        print_line([&](std::size_t i) { return row[i].text.empty() ? Cell{"-", Colour::dim} : row[i]; });
    }
}

} // namespace weft::cli
