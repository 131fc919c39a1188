#include "ovsdb/replica.hpp"

#include "ovsdb/decode.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;

Result<void> bad(std::string_view table, std::string_view row, std::string_view why) {
    return fail(ErrorKind::protocol, fmt::format("OVSDB update of {} row {}: {}", table, row, why));
}

enum class Mode { whole, difference };

/// The name of the first column that is unknown or of another type; empty when all is well.
template <class Row>
std::string set_columns(Row& row, const json::object& columns, Mode mode) {
    for (const auto& [key, value] : columns) {
        const std::string_view name(key.data(), key.size());
        bool done = false;
        const auto set = [&, &json = value](const auto& column) {
            if (done || column.name != name) return;
            auto& field = row.*column.field;
            done = mode == Mode::whole ? decode_column(json, field) : modify_column(json, field);
        };
        std::apply([&](const auto&... column) { (set(column), ...); }, Table<Row>::kColumns);
        if (!done) return std::string(name);
    }
    return {};
}

template <class Row>
Result<void> apply_row(std::map<Uuid, Row>& rows, std::string_view text, const json::value& update) {
    constexpr auto kTable = Table<Row>::kName;
    const auto uuid = Uuid::parse(text);
    if (!uuid) return bad(kTable, text, "not a UUID");
    const auto* object = update.if_object();
    if (!object || object->size() != 1) return bad(kTable, text, "not one change");
    const auto& change = *object->begin();
    const std::string_view kind(change.key().data(), change.key().size());
    const auto present = rows.find(*uuid);
    if (kind == "delete") {
        if (present == rows.end()) return bad(kTable, text, "deleted but unknown");
        rows.erase(present);
        return {};
    }
    const auto* columns = change.value().if_object();
    if (!columns) return bad(kTable, text, "no columns");
    std::string wrong;
    if (kind == "modify") {
        if (present == rows.end()) return bad(kTable, text, "modified but unknown");
        wrong = set_columns(present->second, *columns, Mode::difference);
    } else if (kind == "insert" || kind == "initial") {
        if (present != rows.end()) return bad(kTable, text, "inserted twice");
        Row row;
        row.uuid = *uuid;
        wrong = set_columns(row, *columns, Mode::whole);
        rows.emplace(*uuid, std::move(row));
    } else {
        return bad(kTable, text, "unknown kind of change");
    }
    if (!wrong.empty()) return bad(kTable, text, "column " + wrong + " is not as in the schema");
    return {};
}

template <class Row>
Result<void> apply_table(std::map<Uuid, Row>& rows, const json::value& updates) {
    const auto* object = updates.if_object();
    if (!object) return fail(ErrorKind::protocol, "OVSDB update of a table is not an object");
    for (const auto& [uuid, update] : *object) {
        if (auto applied = apply_row(rows, std::string_view(uuid.data(), uuid.size()), update); !applied)
            return applied;
    }
    return {};
}

} // namespace

const std::string* mark_of(const StringMap& external_ids) {
    const auto mark = external_ids.find("weft");
    return mark == external_ids.end() ? nullptr : &mark->second;
}

Result<void> Replica::reset(const json::value& table_updates) {
    *this = {};
    return apply(table_updates);
}

Result<void> Replica::apply(const json::value& table_updates) {
    const auto* object = table_updates.if_object();
    if (!object) return fail(ErrorKind::protocol, "an OVSDB update is not an object");
    for (const auto& [key, updates] : *object) {
        const std::string_view name(key.data(), key.size());
        bool known = false;
        Result<void> applied;
        const auto try_table = [&, &json = updates]<class Row>(std::map<Uuid, Row>& rows) {
            if (known || Table<Row>::kName != name) return;
            known = true;
            applied = apply_table(rows, json);
        };
        std::apply([&](auto&... rows) { (try_table(rows), ...); }, tables_);
        if (!known) return fail(ErrorKind::protocol, fmt::format("OVSDB update of unknown table {}", name));
        if (!applied) return applied;
    }
    return {};
}

const OpenVSwitch* Replica::open_vswitch() const {
    const auto& all = rows<OpenVSwitch>();
    return all.empty() ? nullptr : &all.begin()->second;
}

const Bridge* Replica::bridge_of(const Port& port) const {
    for (const auto& [uuid, bridge] : rows<Bridge>()) {
        if (bridge.ports.contains(port.uuid)) return &bridge;
    }
    return nullptr;
}

std::vector<const Interface*> Replica::interfaces_of(const Bridge& bridge) const {
    std::set<Uuid> uuids;
    for (const Uuid& uuid : bridge.ports) {
        if (const auto* port = find<Port>(uuid)) uuids.insert(port->interfaces.begin(), port->interfaces.end());
    }
    std::vector<const Interface*> found;
    for (const Uuid& uuid : uuids) {
        if (const auto* interface = find<Interface>(uuid)) found.push_back(interface);
    }
    return found;
}

const Datapath* Replica::datapath(std::string_view type) const {
    const auto* root = open_vswitch();
    if (!root) return nullptr;
    const auto named = root->datapaths.find(std::string(type));
    return named == root->datapaths.end() ? nullptr : find<Datapath>(named->second);
}

} // namespace weft::ovsdb
