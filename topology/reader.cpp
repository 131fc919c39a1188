#include "topology/reader.hpp"

#include "topology/nearest.hpp"

#include <fmt/format.h>

namespace weft::topology {
namespace {

/// A value as the admin would recognise it in a message: short, on one line, printable.
std::string shown(const toml::node& node) {
    constexpr std::size_t kLongest = 60;
    if (const auto* string = node.as_string()) {
        std::string text = "\"";
        for (const char c : string->get()) {
            if (text.size() > kLongest && (c & 0xc0) != 0x80) return text + "…\"";
            text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
        }
        return text + "\"";
    }
    if (const auto* integer = node.as_integer()) return std::to_string(integer->get());
    if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
    if (node.is_array()) return "a list";
    if (node.is_table()) return "a table";
    return node.is_floating_point() ? "a fraction" : "a date or time";
}

} // namespace

Origin Reading::origin(const toml::source_region& region) const {
    return {file, region.begin.line, region.begin.column, nullptr};
}

void Reading::error(const toml::source_region& region, std::string text, std::string remedy) {
    problems.push_back({Severity::error, origin(region), std::move(text), std::move(remedy), {}});
}

TableReader::TableReader(Reading& reading, const toml::table& table, std::string what)
    : reading_(reading), table_(table), what_(std::move(what)), keys_(std::make_shared<KeyPlaces>()),
      origin_(reading.origin(table.source())), where_(origin_) {
    origin_.keys = keys_;
}

TableReader::TableReader(TableReader& outer, const toml::table& table, std::string_view key)
    : reading_(outer.reading_), table_(table), what_(fmt::format("'{}' of {}", key, outer.what_)),
      path_(fmt::format("{}{}.", outer.path_, key)), keys_(outer.keys_), origin_(outer.origin_),
      where_(reading_.origin(table.source())) {}

TableReader::~TableReader() {
    for (const auto& [key, node] : table_) {
        if (known_.contains(key.str())) continue;
        Nearest nearest(key.str());
        for (const auto& known : known_)
            nearest.offer(known);
        reading_.error(key.source(), fmt::format("unknown key '{}' in {}", key.str(), what_), nearest.remedy());
    }
}

std::vector<std::string> TableReader::keys() const {
    std::vector<std::string> names;
    for (const auto& [key, node] : table_)
        names.emplace_back(key.str());
    return names;
}

const toml::node* TableReader::take(std::string_view key) {
    known_.emplace(key);
    const auto* node = table_.get(key);
    if (node != nullptr) place(key, node->source());
    return node;
}

bool TableReader::require(std::string_view key) {
    known_.emplace(key);
    if (table_.contains(key)) return true;
    error(fmt::format("missing '{}' in {}", key, what_));
    return false;
}

void TableReader::boolean(std::string_view key, bool& into) {
    const auto* node = take(key);
    if (node == nullptr) return;
    if (const auto* value = node->as_boolean())
        into = value->get();
    else
        malformed(*node, key, key, "true or false", {});
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, std::int64_t lowest, std::int64_t highest) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    const auto* value = node->as_integer();
    if (value != nullptr && lowest <= value->get() && value->get() <= highest) return value->get();
    malformed(*node, key, key, fmt::format("an integer from {} to {}", lowest, highest), {});
    return std::nullopt;
}

const toml::array* TableReader::array(std::string_view key, std::string_view expected) {
    const auto* node = take(key);
    if (node == nullptr) return nullptr;
    if (const auto* list = node->as_array()) return list;
    const auto* text = node->as_string();
    const bool brackets_missing = text != nullptr && text->get().size() < 60;
    malformed(*node, key, key, expected, brackets_missing ? fmt::format("write [{}]", shown(*node)) : std::string());
    return nullptr;
}

const toml::table* TableReader::as_table(const toml::node& node, std::string_view key, std::string_view part) {
    if (const auto* table = node.as_table()) return table;
    malformed(node, key, part, "a table like { … }", {});
    return nullptr;
}

std::string TableReader::element(std::string_view key, std::size_t index) {
    return fmt::format("{}[{}]", key, index);
}

void TableReader::place(std::string_view part, const toml::source_region& region) {
    keys_->insert_or_assign(path_ + std::string(part), KeyPlace{region.begin.line, region.begin.column, false});
}

void TableReader::malformed(const toml::node& node, std::string_view key, std::string_view part,
                            std::string_view expected, std::string remedy) {
    for (const auto& path : {key, part}) {
        auto& at = (*keys_)[path_ + std::string(path)];
        at.malformed = true;
    }
    const auto* each = key == part ? "" : "each of ";
    reading_.error(node.source(), fmt::format("{}'{}' must be {}, not {}", each, key, expected, shown(node)),
                   std::move(remedy));
}

void TableReader::error(std::string text, std::string remedy) {
    reading_.problems.push_back({Severity::error, where_, std::move(text), std::move(remedy), {}});
}

void TableReader::error_at(std::string_view key, std::string text, std::string remedy, Origin other) {
    reading_.problems.push_back(
        {Severity::error, origin_.at(path_ + std::string(key)), std::move(text), std::move(remedy), std::move(other)});
}

} // namespace weft::topology
