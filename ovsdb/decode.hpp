// OVSDB values as JSON (RFC 7047, 5.1) into the fields of rows. A set of one element may stand as its bare atom; an
// update of a set or map is a list of what to toggle, of anything else the new value (ovsdb-server(7), 4.1.14).
#pragma once
#include "base/result.hpp"
#include "ovsdb/uuid.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace weft::ovsdb {

bool decode_atom(const boost::json::value& json, std::string& atom);
bool decode_atom(const boost::json::value& json, std::int64_t& atom);
bool decode_atom(const boost::json::value& json, bool& atom);
bool decode_atom(const boost::json::value& json, Uuid& atom);

/// The elements of ["set",[…]] or ["map",[…]]; null when `json` is not of that form.
const boost::json::array* elements_of(const boost::json::value& json, std::string_view tag);

template <class T>
bool decode_column(const boost::json::value& json, T& column) {
    return decode_atom(json, column);
}

template <class T>
bool decode_column(const boost::json::value& json, std::set<T>& column) {
    column.clear();
    const auto* elements = elements_of(json, "set");
    T atom{};
    if (!elements) return decode_atom(json, atom) && column.insert(std::move(atom)).second;
    for (const auto& element : *elements) {
        if (!decode_atom(element, atom) || !column.insert(std::move(atom)).second) return false;
        atom = T{};
    }
    return true;
}

template <class T>
bool decode_column(const boost::json::value& json, std::optional<T>& column) {
    std::set<T> set;
    if (!decode_column(json, set) || set.size() > 1) return false;
    column.reset();
    if (!set.empty()) column = *set.begin();
    return true;
}

template <class K, class V>
bool decode_column(const boost::json::value& json, std::map<K, V>& column) {
    column.clear();
    const auto* pairs = elements_of(json, "map");
    if (!pairs) return false;
    for (const auto& element : *pairs) {
        const auto* pair = element.if_array();
        K key{};
        V value{};
        if (!pair || pair->size() != 2 || !decode_atom((*pair)[0], key) || !decode_atom((*pair)[1], value))
            return false;
        if (!column.emplace(std::move(key), std::move(value)).second) return false;
    }
    return true;
}

template <class T>
bool modify_column(const boost::json::value& json, T& column) {
    return decode_column(json, column);
}

template <class T>
bool modify_column(const boost::json::value& json, std::set<T>& column) {
    std::set<T> toggled;
    if (!decode_column(json, toggled)) return false;
    for (const T& atom : toggled) {
        if (column.erase(atom) == 0) column.insert(atom);
    }
    return true;
}

template <class K, class V>
bool modify_column(const boost::json::value& json, std::map<K, V>& column) {
    std::map<K, V> toggled;
    if (!decode_column(json, toggled)) return false;
    for (const auto& [key, value] : toggled) {
        const auto [present, inserted] = column.emplace(key, value);
        if (inserted) continue;
        if (present->second == value)
            column.erase(present);
        else
            present->second = value;
    }
    return true;
}

} // namespace weft::ovsdb
