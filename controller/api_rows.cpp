// What weft holds as it was written and read: the text of the topology in force, and the rows of a host's OVSDB.
#include "controller/api.hpp"

#include <boost/json.hpp>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

// A column's value, in its own words.
json::value shown(const std::string& value) {
    return value.c_str();
}
json::value shown(std::int64_t value) {
    return value;
}
json::value shown(bool value) {
    return value;
}
json::value shown(const ovsdb::Uuid& value) {
    return value.to_string().c_str();
}
template <class T>
json::value shown(const std::optional<T>& value) {
    return value ? shown(*value) : json::value(nullptr);
}
template <class T>
json::value shown(const std::set<T>& values) {
    json::array all;
    for (const auto& value : values)
        all.push_back(shown(value));
    return all;
}
std::string key_of(const std::string& key) {
    return key;
}
std::string key_of(std::int64_t key) {
    return std::to_string(key);
}
template <class Key, class T>
json::value shown(const std::map<Key, T>& values) {
    json::object all;
    for (const auto& [key, value] : values)
        all[key_of(key)] = shown(value);
    return all;
}

template <class Row>
void add_table(json::object& tables, const ovsdb::Replica& replica) {
    json::array rows;
    for (const auto& [uuid, row] : replica.rows<Row>()) {
        json::object object{{"uuid", uuid.to_string()}};
        std::apply([&](const auto&... column) { ((object[column.name] = shown(row.*column.field)), ...); },
                   ovsdb::Table<Row>::kColumns);
        rows.push_back(std::move(object));
    }
    tables[ovsdb::Table<Row>::kName] = std::move(rows);
}

template <class... Row>
json::object tables_of(const ovsdb::Replica& replica, const std::tuple<Row...>&) {
    json::object tables;
    (add_table<Row>(tables, replica), ...);
    return tables;
}

} // namespace

json::value topology(const Supervisor& supervisor) {
    const auto& state = supervisor.intent().state();
    json::array sources;
    const auto* in_force = state.find(state.current);
    if (in_force != nullptr)
        for (const auto& source : in_force->sources)
            sources.push_back({{"name", source.name}, {"text", source.text}});
    return json::object{{"revision", state.current},
                        {"source", in_force == nullptr ? "" : in_force->source},
                        {"sources", std::move(sources)}};
}

Result<json::value> rows(const Supervisor& supervisor, const std::string& host) {
    const auto agent = supervisor.hosts().find(host);
    if (agent == supervisor.hosts().end())
        return fail(ErrorKind::invalid, "rows need the name of a host: /v1/rows?host=kvm1");
    const auto* replica = agent->second.rows->replica();
    if (replica == nullptr) return fail(ErrorKind::io, host + " is not connected: " + agent->second.rows->reason());
    return json::object{{"host", host}, {"tables", tables_of(*replica, ovsdb::Rows{})}};
}

} // namespace weft::controller::view
