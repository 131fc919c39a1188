// Aligned tables of text for people. Fed by the commands; prints to a stream. Knows nothing of JSON or of weft.
#pragma once
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace weft::cli {

enum class Colour { none, green, yellow, red, dim, bold };

/// `text` in `colour` if `enabled`: ANSI escapes (ECMA-48 SGR).
std::string coloured(std::string_view text, Colour colour, bool enabled);

/// Columns that a terminal takes for UTF-8 text: its code points. Wide and combining characters count as one.
std::size_t width(std::string_view text);

/// What came from elsewhere must not steer the terminal: control characters become '?'.
std::string printable(std::string_view text);

struct Cell {
    std::string text;
    Colour colour = Colour::none;
};

class Table {
  public:
    struct Column {
        std::string title;
        bool right = false; ///< numbers
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    /// As many cells as columns; empty ones show as "-".
    void add(std::vector<Cell> row);
    bool empty() const { return rows_.empty(); }
    /// Titles, then rows, two blanks between columns, no blanks at a line's end. Columns in which every row is empty
    /// are left out. Prints nothing for a table without rows.
    void print(std::ostream& out, bool colours, std::string_view indent = "") const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

} // namespace weft::cli
