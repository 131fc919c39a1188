#include "ovsdb/decode.hpp"

namespace weft::ovsdb {

bool decode_atom(const boost::json::value& json, std::string& atom) {
    const auto* text = json.if_string();
    if (!text) return false;
    atom.assign(text->data(), text->size());
    return true;
}

bool decode_atom(const boost::json::value& json, std::int64_t& atom) {
    const auto* number = json.if_int64();
    if (!number) return false;
    atom = *number;
    return true;
}

bool decode_atom(const boost::json::value& json, bool& atom) {
    const auto* truth = json.if_bool();
    if (!truth) return false;
    atom = *truth;
    return true;
}

bool decode_atom(const boost::json::value& json, Uuid& atom) {
    const auto* pair = json.if_array();
    if (!pair || pair->size() != 2 || (*pair)[0] != "uuid") return false;
    const auto* text = (*pair)[1].if_string();
    if (!text) return false;
    const auto uuid = Uuid::parse({text->data(), text->size()});
    if (!uuid) return false;
    atom = *uuid;
    return true;
}

const boost::json::array* elements_of(const boost::json::value& json, std::string_view tag) {
    const auto* pair = json.if_array();
    if (!pair || pair->size() != 2) return nullptr;
    const auto* name = (*pair)[0].if_string();
    if (!name || std::string_view(name->data(), name->size()) != tag) return nullptr;
    return (*pair)[1].if_array();
}

} // namespace weft::ovsdb
