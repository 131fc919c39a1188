#include "cli/json_text.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

bool scalars_only(const json::array& array) {
    return std::ranges::none_of(array, [](const json::value& item) { return item.is_structured(); });
}

void print(std::string& text, const json::value& value, std::size_t depth) {
    const std::string inner((depth + 1) * 2, ' ');
    const std::string outer(depth * 2, ' ');
    if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
        const char* separator = "{\n";
        for (const auto& [key, item] : *object) {
            text += separator + inner + json::serialize(json::string_view(key)) + ": ";
            print(text, item, depth + 1);
            separator = ",\n";
        }
        text += "\n" + outer + "}";
    } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
        const bool flat = scalars_only(*array);
        const char* separator = flat ? "[" : "[\n";
        for (const auto& item : *array) {
            text += separator + (flat ? "" : inner);
            print(text, item, depth + 1);
            separator = flat ? ", " : ",\n";
        }
        text += flat ? "]" : "\n" + outer + "]";
    } else if (value.is_double())
        text += fmt::format("{}", value.get_double());
    else
        text += json::serialize(value);
}

std::string title_of(std::string_view key) {
    std::string title(key);
    std::ranges::transform(title, title.begin(), [](unsigned char c) { return c == '_' ? ' ' : std::toupper(c); });
    return title;
}

const json::value& at_path(const json::value& value, std::string_view path) {
    const auto dot = path.find('.');
    const auto& found = at(value, path.substr(0, dot));
    return dot == std::string_view::npos ? found : at_path(found, path.substr(dot + 1));
}

bool list_of_objects(const json::value& value) {
    return value.is_array() && !value.get_array().empty() &&
           std::ranges::all_of(value.get_array(), [](const json::value& item) { return item.is_object(); });
}

} // namespace

std::string pretty(const json::value& value) {
    std::string text;
    print(text, value, 0);
    return text + "\n";
}

std::string words(const json::value& value) {
    const auto joined = [](const auto& list, std::string_view separator, const auto& one) {
        std::string text;
        for (const auto& item : list)
            text += (text.empty() ? std::string_view{} : separator), text += one(item);
        return text;
    };
    switch (value.kind()) {
    case json::kind::null:
        return {};
    case json::kind::string:
        return std::string(value.get_string());
    case json::kind::bool_:
        return value.get_bool() ? "yes" : "no";
    case json::kind::double_:
        return fmt::format("{:.6g}", value.get_double());
    case json::kind::array:
        return joined(value.get_array(), ",", [](const auto& item) { return words(item); });
    case json::kind::object:
        return joined(value.get_object(), " ", [](const auto& item) {
            return fmt::format("{}={}", std::string_view(item.key()), words(item.value()));
        });
    default:
        return json::serialize(value);
    }
}

const json::value& at(const json::value& value, std::string_view key) {
    static const json::value kNull;
    const auto* object = value.if_object();
    const auto* found = object == nullptr ? nullptr : object->if_contains(key);
    return found == nullptr ? kNull : *found;
}

std::string words_at(const json::value& value, std::string_view key) {
    return words(at_path(value, key));
}

std::uint64_t count_at(const json::value& value, std::string_view key) {
    boost::system::error_code ec;
    const auto count = at_path(value, key).to_number<std::uint64_t>(ec);
    return ec ? 0 : count;
}

const json::array& items(const json::value& value) {
    static const json::array kNone;
    const auto* array = value.if_array();
    return array == nullptr ? kNone : *array;
}

Colour colour_of_state(std::string_view state) {
    if (state == "synced" || state == "up" || state == "in_force") return Colour::green;
    if (state == "syncing" || state == "unbound" || state == "awaiting_confirm") return Colour::yellow;
    if (state == "down" || state == "degraded" || state == "duplicate") return Colour::red;
    return Colour::none;
}

Table table_of(const json::array& rows, std::initializer_list<JsonColumn> columns) {
    std::vector<Table::Column> heads;
    for (const auto& column : columns)
        heads.push_back({std::string(column.title), column.right});
    Table table(std::move(heads));
    for (const auto& row : rows) {
        std::vector<Cell> cells;
        for (const auto& column : columns) {
            auto text = words_at(row, column.key);
            const auto colour = column.state ? colour_of_state(text) : Colour::none;
            cells.push_back({std::move(text), colour});
        }
        table.add(std::move(cells));
    }
    return table;
}

Table table_of(const json::array& rows) {
    std::vector<std::string_view> keys;
    for (const auto& row : rows) {
        for (const auto& item : row.get_object()) {
            if (std::ranges::find(keys, std::string_view(item.key())) == keys.end()) keys.push_back(item.key());
        }
    }
    std::vector<Table::Column> heads;
    for (const auto key : keys) {
        const bool numbers = std::ranges::all_of(
            rows, [&](const json::value& row) { return at(row, key).is_number() || at(row, key).is_null(); });
        heads.push_back({title_of(key), numbers});
    }
    Table table(std::move(heads));
    for (const auto& row : rows) {
        std::vector<Cell> cells;
        for (const auto key : keys) {
            auto text = words(at(row, key));
            const auto colour = key == "state" ? colour_of_state(text) : Colour::none;
            cells.push_back({std::move(text), colour});
        }
        table.add(std::move(cells));
    }
    return table;
}

void print_object(std::ostream& out, const json::object& object, bool colours, std::string_view indent) {
    std::size_t longest = 0;
    const auto is_section = [](const json::value& value) {
        return list_of_objects(value) || (value.is_object() && !value.get_object().empty());
    };
    for (const auto& [key, value] : object) {
        if (!is_section(value)) longest = std::max(longest, width(std::string_view(key)));
    }
    for (const auto& [key, value] : object) {
        if (is_section(value)) continue;
        auto text = printable(words(value));
        const auto colour = text.empty()                       ? Colour::dim
                            : std::string_view(key) == "state" ? colour_of_state(text)
                                                               : Colour::none;
        if (text.empty()) text = "-";
        out << indent << fmt::format("{:<{}}  ", std::string_view(key), longest) << coloured(text, colour, colours)
            << '\n';
    }
    const auto deeper = std::string(indent) + "  ";
    for (const auto& [key, value] : object) {
        if (!is_section(value)) continue;
        out << '\n' << indent << coloured(std::string_view(key), Colour::bold, colours) << '\n';
        if (value.is_object())
            print_object(out, value.get_object(), colours, deeper);
        else
            table_of(value.get_array()).print(out, colours, deeper);
    }
}

} // namespace weft::cli
