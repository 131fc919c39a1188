// JSON values as text: pretty for `-o json`, and as the words of a table's cell.
#pragma once
#include "cli/table.hpp"

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

namespace weft::cli {

/// Two blanks of indentation, keys in the order they came; empty containers and lists of scalars on one line. Ends with
/// a newline.
std::string pretty(const boost::json::value& value);

/// The value for a person: a string as it is, numbers in decimal, true/false as yes/no, lists joined by commas,
/// an object as key=value pairs, null as nothing.
std::string words(const boost::json::value& value);

/// object[key], or null when the value is no object or has no such key.
const boost::json::value& at(const boost::json::value& value, std::string_view key);

/// words(at(value, key))
std::string words_at(const boost::json::value& value, std::string_view key);

/// at(value, key) as a count; 0 if it is not one.
std::uint64_t count_at(const boost::json::value& value, std::string_view key);

/// The items of the list at `key`, or of `value` itself without a key; none if it is not a list.
const boost::json::array& items(const boost::json::value& value);

/// The colour of a word that says how something is: a host's, a port's or a revision's state.
Colour colour_of_state(std::string_view state);

struct JsonColumn {
    std::string_view title;
    std::string_view key; ///< "sent.flow_mods": a key within a key
    bool right = false;
    bool state = false; ///< coloured by colour_of_state
};

/// A row for each item of a list of objects.
Table table_of(const boost::json::array& rows, std::initializer_list<JsonColumn> columns);

/// A table of any list of objects: a column for every key of any of them, in order of first appearance.
Table table_of(const boost::json::array& rows);

/// Everything in an object: aligned `key  value` lines, then each list of objects as a table and each object within
/// indented under its key.
void print_object(std::ostream& out, const boost::json::object& object, bool colours, std::string_view indent = "");

} // namespace weft::cli
