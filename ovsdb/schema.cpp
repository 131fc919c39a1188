#include "ovsdb/schema.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;

/// A column's type as RFC 7047 section 3.2 has it, reduced to what decoding depends on.
struct Shape {
    std::string key;
    std::string value; ///< "" unless a map
    bool at_least_one = true;
    bool at_most_one = true;
    bool operator==(const Shape&) const = default;
};

std::string_view atom_name(const std::string*) {
    return "string";
}
std::string_view atom_name(const std::int64_t*) {
    return "integer";
}
std::string_view atom_name(const bool*) {
    return "boolean";
}
std::string_view atom_name(const Uuid*) {
    return "uuid";
}
template <class T>
constexpr const T* kNone = nullptr;

template <class T>
Shape shape_of(const T*) {
    return {std::string(atom_name(kNone<T>)), "", true, true};
}
template <class T>
Shape shape_of(const std::optional<T>*) {
    return {std::string(atom_name(kNone<T>)), "", false, true};
}
template <class T>
Shape shape_of(const std::set<T>*) {
    return {std::string(atom_name(kNone<T>)), "", false, false};
}
template <class K, class V>
Shape shape_of(const std::map<K, V>*) {
    return {std::string(atom_name(kNone<K>)), std::string(atom_name(kNone<V>)), false, false};
}

std::string base_type(const json::value* type) {
    if (type && type->is_object()) type = type->as_object().if_contains("type");
    return type && type->is_string() ? std::string(type->as_string()) : std::string();
}

Shape read_shape(const json::value& type) {
    const auto* object = type.if_object();
    if (!object) return {base_type(&type), "", true, true};
    Shape shape{base_type(object->if_contains("key")), base_type(object->if_contains("value")), true, true};
    if (const auto* min = object->if_contains("min")) shape.at_least_one = *min != 0;
    if (const auto* max = object->if_contains("max")) shape.at_most_one = *max == 1;
    return shape;
}

/// A set that may not be empty (Port.interfaces) is decoded like any other.
bool decodable_as(const Shape& have, const Shape& want) {
    return have.key == want.key && have.value == want.value && have.at_most_one == want.at_most_one &&
           (have.at_least_one == want.at_least_one || !want.at_most_one);
}

const json::object* child(const json::object* object, std::string_view name) {
    const auto* value = object ? object->if_contains(name) : nullptr;
    return value ? value->if_object() : nullptr;
}

template <class Row>
Result<void> check_table(const json::object* tables) {
    const auto* table = child(tables, Table<Row>::kName);
    if (!table) return fail(ErrorKind::refused, fmt::format("its schema has no table {}", Table<Row>::kName));
    const auto* columns = child(table, "columns");
    std::string wrong;
    const auto check = [&]<class T>(const Column<Row, T>& column) {
        const auto* have = child(columns, column.name);
        const auto* type = have ? have->if_contains("type") : nullptr;
        if (wrong.empty() && (!type || !decodable_as(read_shape(*type), shape_of(kNone<T>)))) wrong = column.name;
    };
    std::apply([&](const auto&... column) { (check(column), ...); }, Table<Row>::kColumns);
    if (wrong.empty()) return {};
    return fail(ErrorKind::refused,
                fmt::format("its schema lacks column {}.{} of the type weft knows", Table<Row>::kName, wrong));
}

template <class Row>
void add_request(json::object& requests) {
    json::array columns;
    std::apply([&](const auto&... column) { (columns.emplace_back(json::string(column.name)), ...); },
               Table<Row>::kColumns);
    json::object request;
    request["columns"] = std::move(columns);
    json::array list;
    list.emplace_back(std::move(request));
    requests[Table<Row>::kName] = std::move(list);
}

} // namespace

json::object monitor_requests() {
    json::object requests;
    [&]<class... Row>(const std::tuple<Row...>*) { (add_request<Row>(requests), ...); }(kNone<Rows>);
    return requests;
}

Result<void> check_schema(const json::value& schema) {
    const auto* tables = child(schema.if_object(), "tables");
    Result<void> result;
    [&]<class... Row>(const std::tuple<Row...>*) {
        ((result = result ? check_table<Row>(tables) : result), ...);
    }(kNone<Rows>);
    return result;
}

} // namespace weft::ovsdb
