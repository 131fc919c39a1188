#include "ovsdb/operations.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxComment = 1000;

json::array pair_of(json::value first, json::value second) {
    json::array pair;
    pair.reserve(2);
    pair.push_back(std::move(first));
    pair.push_back(std::move(second));
    return pair;
}

json::string text(std::string_view value) {
    return json::string(value);
}
json::array set_of(json::array elements) {
    return pair_of("set", std::move(elements));
}
json::array uuid_of(const Uuid& uuid) {
    return pair_of("uuid", text(uuid.to_string()));
}
json::array named_uuid(std::string_view name) {
    return pair_of("named-uuid", text(name));
}

json::array strings(const auto& values) {
    json::array array;
    for (const std::string& value : values)
        array.emplace_back(text(value));
    return array;
}

json::array map_of(const StringMap& map) {
    json::array pairs;
    for (const auto& [key, value] : map)
        pairs.push_back(pair_of(text(key), text(value)));
    return pair_of("map", std::move(pairs));
}

json::array mutation(std::string_view column, std::string_view mutator, json::value value) {
    json::array triple = pair_of(text(column), text(mutator));
    triple.push_back(std::move(value));
    return triple;
}

json::array only(json::value element) {
    json::array array;
    array.push_back(std::move(element));
    return array;
}

json::object operation(std::string_view op, std::string_view table) {
    json::object object;
    object["op"] = op;
    object["table"] = table;
    return object;
}

json::array where_uuid(const Uuid& uuid) {
    return only(mutation("_uuid", "==", uuid_of(uuid)));
}

/// Insert does not overwrite a key that is there, so what is set is deleted first.
json::array map_mutations(std::string_view column, const StringMap& set, const std::set<std::string>& remove) {
    json::array mutations;
    json::array keys = strings(remove);
    for (const auto& [key, value] : set)
        keys.emplace_back(text(key));
    mutations.push_back(mutation(column, "delete", set_of(std::move(keys))));
    if (!set.empty()) mutations.push_back(mutation(column, "insert", map_of(set)));
    return mutations;
}

std::string keys_of(const StringMap& set, const std::set<std::string>& remove) {
    std::set<std::string> keys = remove;
    for (const auto& [key, value] : set)
        keys.insert(key);
    return fmt::format("{}", fmt::join(keys, ", "));
}

} // namespace

void Columns::string(std::string_view name, std::string_view value) {
    object_[name] = value;
}
void Columns::integer(std::string_view name, std::int64_t value) {
    object_[name] = value;
}
void Columns::string_set(std::string_view name, const std::set<std::string>& values) {
    object_[name] = set_of(strings(values));
}
void Columns::string_map(std::string_view name, const StringMap& map) {
    object_[name] = map_of(map);
}
void Columns::named_set(std::string_view name, const std::vector<std::string>& names) {
    json::array elements;
    for (const auto& row : names)
        elements.push_back(named_uuid(row));
    object_[name] = set_of(std::move(elements));
}
void Columns::integer_named_map(std::string_view name, const std::map<std::int64_t, std::string>& names) {
    json::array pairs;
    for (const auto& [key, row] : names)
        pairs.push_back(pair_of(key, named_uuid(row)));
    object_[name] = pair_of("map", std::move(pairs));
}
void Columns::uuid(std::string_view name, const Uuid& uuid) {
    object_[name] = uuid_of(uuid);
}
void Columns::empty_set(std::string_view name) {
    object_[name] = set_of({});
}

std::string Columns::names() const {
    std::string names;
    for (const auto& [key, value] : object_) {
        if (!names.empty()) names += ", ";
        names.append(key.data(), key.size());
    }
    return names;
}

void Operations::add(const json::object& object) {
    transaction_.operations.push_back(json::serialize(object));
}

void Operations::add_mutation(std::string_view table, const Uuid& row, json::array mutations) {
    json::object mutate = operation("mutate", table);
    mutate["where"] = where_uuid(row);
    mutate["mutations"] = std::move(mutations);
    add(mutate);
    ++transaction_.rows.change;
}

void Operations::changed(std::string what) {
    transaction_.changes.push_back(std::move(what));
    transaction_.reconfigures = true;
}

std::string Operations::insert(std::string_view table, const Columns& columns) {
    std::string name = fmt::format("row{}", ++names_);
    json::object insert = operation("insert", table);
    insert["uuid-name"] = text(name);
    insert["row"] = columns.json();
    add(insert);
    ++transaction_.rows.add;
    return name;
}

std::string Operations::insert_port(const DesiredPort& port, const std::string& mark) {
    StringMap ids = port.external_ids;
    ids.insert_or_assign(std::string(kMark), mark);
    Columns interface;
    interface.string("name", port.name);
    interface.string("type", port.type);
    interface.string_map("options", port.options);
    interface.string_map("bfd", port.bfd);
    interface.string_map("external_ids", ids);
    Columns row;
    row.string("name", port.name);
    row.named_set("interfaces", {insert("Interface", interface)});
    row.string_map("external_ids", {{std::string(kMark), mark}});
    return insert("Port", row);
}

void Operations::create_bridge(const OpenVSwitch& root, const std::string& name, const Columns& columns) {
    const std::string row = insert("Bridge", columns);
    add_mutation("Open_vSwitch", root.uuid, only(mutation("bridges", "insert", set_of(only(named_uuid(row))))));
    changed("create bridge " + name);
}

void Operations::remove_bridge(const OpenVSwitch& root, const Bridge& bridge) {
    add_mutation("Open_vSwitch", root.uuid, only(mutation("bridges", "delete", set_of(only(uuid_of(bridge.uuid))))));
    changed("remove bridge " + bridge.name);
}

void Operations::create_datapath(const OpenVSwitch& root, const std::string& type, const std::string& mark) {
    Columns columns;
    columns.string_map("external_ids", {{std::string(kMark), mark}});
    const std::string row = insert("Datapath", columns);
    json::array map = pair_of("map", only(pair_of(text(type), named_uuid(row))));
    add_mutation("Open_vSwitch", root.uuid, only(mutation("datapaths", "insert", std::move(map))));
    changed("create the Datapath row of " + type);
}

void Operations::remove_datapath(const OpenVSwitch& root, const std::string& type) {
    add_mutation("Open_vSwitch", root.uuid, only(mutation("datapaths", "delete", set_of(only(text(type))))));
    changed("remove the Datapath row of " + type);
}

void Operations::add_port(const Bridge& bridge, const DesiredPort& port, const std::string& mark) {
    const std::string row = insert_port(port, mark);
    add_mutation("Bridge", bridge.uuid, only(mutation("ports", "insert", set_of(only(named_uuid(row))))));
    changed(fmt::format("add port {} to {}", port.name, bridge.name));
}

void Operations::remove_port(const Bridge& bridge, const Port& port) {
    add_mutation("Bridge", bridge.uuid, only(mutation("ports", "delete", set_of(only(uuid_of(port.uuid))))));
    changed(fmt::format("remove port {} from {}", port.name, bridge.name));
}

void Operations::replace_interfaces(const Port& port, const DesiredPort& want, const Interface* present,
                                    const std::string& mark) {
    Columns columns;
    if (present && port.interfaces.contains(present->uuid)) {
        columns.uuid("interfaces", present->uuid);
    } else {
        StringMap ids = want.external_ids;
        ids.insert_or_assign(std::string(kMark), mark);
        Columns interface;
        interface.string("name", want.name);
        interface.string("type", want.type);
        interface.string_map("options", want.options);
        interface.string_map("bfd", want.bfd);
        interface.string_map("external_ids", ids);
        columns.named_set("interfaces", {insert("Interface", interface)});
    }
    update("Port", port.uuid, port.name, columns);
}

void Operations::clear_tag(const Port& port) {
    Columns columns;
    columns.empty_set("tag");
    update("Port", port.uuid, port.name, columns);
}

void Operations::change_controllers(const Bridge& bridge, const std::vector<std::string>& targets,
                                    const std::vector<std::string>& inserted,
                                    const std::vector<const Controller*>& extra) {
    if (inserted.empty() && extra.empty()) return;
    json::array added;
    for (const auto& name : inserted)
        added.push_back(named_uuid(name));
    json::array removed;
    for (const auto* controller : extra)
        removed.push_back(uuid_of(controller->uuid));
    json::array mutations;
    if (!added.empty()) mutations.push_back(mutation("controller", "insert", set_of(std::move(added))));
    if (!removed.empty()) mutations.push_back(mutation("controller", "delete", set_of(std::move(removed))));
    add_mutation("Bridge", bridge.uuid, std::move(mutations));
    for (const auto& target : targets)
        changed(fmt::format("add controller {} to {}", target, bridge.name));
    for (const auto* row : extra)
        changed(fmt::format("remove controller {} from {}", row->target, bridge.name));
}

void Operations::update(std::string_view table, const Uuid& row, const std::string& what, const Columns& columns) {
    if (columns.empty()) return;
    json::object update = operation("update", table);
    update["where"] = where_uuid(row);
    update["row"] = columns.json();
    add(update);
    ++transaction_.rows.change;
    changed(fmt::format("set {} of {} {}", columns.names(), table, what));
}

void Operations::change_map(std::string_view table, const Uuid& row, const std::string& what, std::string_view column,
                            const StringMap& set, const std::set<std::string>& remove) {
    if (set.empty() && remove.empty()) return;
    add_mutation(table, row, map_mutations(column, set, remove));
    changed(fmt::format("set {}:{} of {} {}", column, keys_of(set, remove), table, what));
}

void Operations::change_keys(const Interface& interface, const StringMap& set, const std::set<std::string>& remove) {
    if (set.empty() && remove.empty()) return;
    add_mutation("Interface", interface.uuid, map_mutations("external_ids", set, remove));
    transaction_.changes.push_back(
        fmt::format("set external_ids:{} of Interface {}", keys_of(set, remove), interface.name));
}

std::string Operations::insert_queue(const StringMap& other_config, const std::string& mark) {
    Columns columns;
    columns.string_map("other_config", other_config);
    columns.string_map("external_ids", {{std::string(kMark), mark}});
    return insert("Queue", columns);
}

void Operations::add_shaper(const Port& port, const DesiredShaper& shaper, const std::string& mark) {
    std::map<std::int64_t, std::string> queues;
    for (const auto& [number, other_config] : shaper.queues)
        queues.emplace(number, insert_queue(other_config, mark));
    Columns columns;
    columns.string("type", kShaperType);
    columns.string_map("other_config", shaper.other_config);
    columns.integer_named_map("queues", queues);
    columns.string_map("external_ids", {{std::string(kMark), mark}});
    Columns place;
    place.named_set("qos", {insert("QoS", columns)});
    update("Port", port.uuid, port.name, place);
}

void Operations::add_queue(const Qos& qos, std::int64_t number, const StringMap& other_config, const std::string& mark,
                           const std::string& port) {
    const std::string row = insert_queue(other_config, mark);
    json::array map = pair_of("map", only(pair_of(number, named_uuid(row))));
    add_mutation("QoS", qos.uuid, only(mutation("queues", "insert", std::move(map))));
    changed(fmt::format("add queue {} to {}", number, port));
}

void Operations::drop_queue(const Qos& qos, std::int64_t number, const std::string& port) {
    add_mutation("QoS", qos.uuid, only(mutation("queues", "delete", set_of(only(number)))));
    changed(fmt::format("remove queue {} from {}", number, port));
}

void Operations::clear_qos(const Port& port) {
    Columns columns;
    columns.empty_set("qos");
    update("Port", port.uuid, port.name, columns);
}

void Operations::remove_row(std::string_view table, const Uuid& row) {
    json::object object = operation("delete", table);
    object["where"] = where_uuid(row);
    add(object);
    ++transaction_.rows.remove;
    transaction_.changes.push_back(fmt::format("remove a {} row that is not in use any more", table));
    ++transaction_.tidied;
}

void Operations::reconfigure(std::string why) {
    transaction_.changes.push_back(std::move(why));
    transaction_.reconfigures = true;
}

Transaction Operations::finish() {
    if (transaction_.changes.empty()) return {};
    std::string comment = fmt::format("weft: {}", fmt::join(transaction_.changes, "; "));
    if (comment.size() > kMaxComment) {
        std::size_t end = kMaxComment;
        while ((static_cast<unsigned char>(comment[end]) & 0xc0) == 0x80)
            --end; // not inside a UTF-8 character
        comment.resize(end);
    }
    json::object note;
    note["op"] = "comment";
    note["comment"] = text(comment);
    add(note);
    if (transaction_.reconfigures) {
        json::object mutate = operation("mutate", "Open_vSwitch");
        mutate["where"] = json::array();
        mutate["mutations"] = only(mutation("next_cfg", "+=", 1));
        add(mutate);
        json::object select = operation("select", "Open_vSwitch");
        select["where"] = json::array();
        select["columns"] = only("next_cfg");
        add(select);
    }
    return std::move(transaction_);
}

} // namespace weft::ovsdb
