#include "ovsdb/plan_rows.hpp"

#include "base/ids.hpp"
#include "ovsdb/operations.hpp"
#include "ovsdb/plan_shapers.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::ovsdb {
namespace {

constexpr std::string_view kFailMode = "secure";
constexpr std::string_view kConnectionMode = "out-of-band";
constexpr std::int64_t kMaxBackoff = 1000;       ///< ms
constexpr std::int64_t kInactivityProbe = 10000; ///< ms
constexpr std::size_t kDeviceName = 15;

/// A port of weft's, on its own bridge or on the one an uplink leads to.
struct Place {
    DesiredPort port;
    std::string bridge;
};

/// What must change in a map of which weft owns some keys: `want`'s, and those with weft's prefix where they are stale.
struct MapChange {
    StringMap set;
    std::set<std::string> remove;
    bool empty() const { return set.empty() && remove.empty(); }
};

bool has_prefix(const std::string& key) {
    return key.starts_with(kKeyPrefix);
}

MapChange change_of(const StringMap& have, const StringMap& want) {
    MapChange change;
    for (const auto& [key, value] : want) {
        const auto present = have.find(key);
        if (present == have.end() || present->second != value) change.set.emplace(key, value);
    }
    for (const auto& [key, value] : have) {
        if (has_prefix(key) && !want.contains(key)) change.remove.insert(key);
    }
    return change;
}

StringMap with_mark(StringMap ids, const std::string& mark) {
    ids.insert_or_assign(std::string(kMark), mark);
    return ids;
}

class Planner {
  public:
    Planner(const Replica& replica, const DesiredRows& desired) : replica_(replica), desired_(desired) {}

    Result<Transaction> plan() {
        root_ = replica_.open_vswitch();
        if (!root_) return fail(ErrorKind::refused, "its Open_vSwitch table is empty; initialise it: ovs-vsctl init");
        if (auto places = find_places(); !places) return std::unexpected(places.error());
        bridge_ = replica_.named<Bridge>(desired_.bridge.name);
        if (auto owned = check_ownership(); !owned) return std::unexpected(owned.error());
        remove_extra_bridges();
        plan_datapath();
        remove_extra_ports();
        if (bridge_)
            restore_bridge();
        else
            create_bridge();
        for (const auto& [name, place] : places_)
            plan_port(place);
        plan_interface_keys();
        plan_shapers(replica_, desired_, operations_);
        return operations_.finish();
    }

  private:
    Result<void> find_places() {
        const std::string& own = desired_.bridge.name;
        for (const auto& [name, port] : desired_.ports)
            places_[name] = {port, own};
        for (const auto& [physnet, target] : desired_.uplinks) {
            if (target == own) {
                return fail(ErrorKind::invalid, fmt::format("uplink {} is weft's own bridge {}", physnet, own));
            }
            const StringMap ids{{std::string(kUplinkKey), physnet}};
            const Bridge* foreign = replica_.named<Bridge>(target);
            if (!foreign || mark_of(foreign->external_ids)) {
                if (auto added = add_place({{target, "", {}, {}, ids}, own}); !added) return added;
                continue;
            }
            const auto [near, far] = patch_names(physnet, desired_.ports);
            if (auto added = add_place({{near, "patch", {{"peer", far}}, {}, ids}, own}); !added) return added;
            if (auto added = add_place({{far, "patch", {{"peer", near}}, {}, {}}, target}); !added) return added;
        }
        return {};
    }

    Result<void> add_place(Place place) {
        const std::string name = place.port.name;
        if (places_.emplace(name, std::move(place)).second) return {};
        return fail(ErrorKind::invalid, fmt::format("two ports of one host are called {}", name));
    }

    Result<void> check_ownership() const {
        const std::string& mark = desired_.owner_mark;
        if (bridge_ && !mark_of(bridge_->external_ids)) {
            return fail(ErrorKind::refused,
                        fmt::format("bridge {0} exists and is not weft's; to hand it over: ovs-vsctl set bridge {0} "
                                    "external_ids:weft={1}",
                                    bridge_->name, mark));
        }
        for (const auto& [name, place] : places_) {
            const Port* port = replica_.named<Port>(name);
            if (!port || is_ours(*port)) continue;
            const Bridge* holder = replica_.bridge_of(*port);
            const bool elsewhere = holder && holder->name != desired_.bridge.name;
            return fail(
                ErrorKind::refused,
                fmt::format("port {0} exists on bridge {1} and is not weft's; {2}to hand it over: ovs-vsctl set "
                            "port {0} external_ids:weft={3}",
                            name, holder ? holder->name : "?", elsewhere ? "make that bridge the uplink, or " : "",
                            mark));
        }
        return {};
    }

    /// A mark on either of the two rows that make a port is enough: the other is restored.
    bool is_ours(const Port& port) const {
        if (mark_of(port.external_ids)) return true;
        return std::ranges::any_of(port.interfaces, [&](const Uuid& uuid) {
            const auto* interface = replica_.find<Interface>(uuid);
            return interface && mark_of(interface->external_ids);
        });
    }

    void remove_extra_bridges() {
        for (const Bridge* bridge : replica_.marked<Bridge>()) {
            if (bridge->name == desired_.bridge.name) continue;
            operations_.remove_bridge(*root_, *bridge);
            removed_.insert(bridge->uuid);
        }
    }

    void plan_datapath() {
        const std::string& type = desired_.bridge.datapath_type;
        for (const auto& [name, uuid] : root_->datapaths) {
            const auto* row = replica_.find<Datapath>(uuid);
            if (name != type && row && mark_of(row->external_ids)) operations_.remove_datapath(*root_, name);
        }
        if (!root_->datapaths.contains(type)) operations_.create_datapath(*root_, type, desired_.owner_mark);
    }

    void remove_extra_ports() {
        for (const auto& [uuid, bridge] : replica_.rows<Bridge>()) {
            if (removed_.contains(uuid)) continue;
            for (const Uuid& port_uuid : bridge.ports) {
                const auto* port = replica_.find<Port>(port_uuid);
                if (!port || !is_ours(*port) || is_local(*port, bridge)) continue;
                const auto place = places_.find(port->name);
                if (place == places_.end() || place->second.bridge != bridge.name) {
                    operations_.remove_port(bridge, *port);
                }
            }
        }
    }

    /// A bridge's local port comes and goes with its bridge.
    static bool is_local(const Port& port, const Bridge& bridge) { return port.name == bridge.name; }

    void create_bridge() {
        const DesiredBridge& want = desired_.bridge;
        std::vector<std::string> controllers;
        for (const std::string& target : unique_targets()) {
            controllers.push_back(operations_.insert("Controller", controller_columns(target)));
        }
        std::vector<std::string> ports{operations_.insert_port(local_port(), desired_.owner_mark)};
        for (const auto& [name, place] : places_) {
            if (place.bridge == want.name) ports.push_back(operations_.insert_port(place.port, desired_.owner_mark));
        }
        Columns columns;
        columns.string("name", want.name);
        columns.string("datapath_type", want.datapath_type);
        columns.string("fail_mode", kFailMode);
        columns.string_set("protocols", want.protocols);
        columns.string_map("other_config", other_config());
        columns.string_map("external_ids", with_mark({}, desired_.owner_mark));
        columns.named_set("controller", controllers);
        columns.named_set("ports", ports);
        operations_.create_bridge(*root_, want.name, columns);
    }

    DesiredPort local_port() const { return {desired_.bridge.name, "internal", {}, {}, {}}; }

    std::set<std::string> unique_targets() const {
        return {desired_.bridge.controllers.begin(), desired_.bridge.controllers.end()};
    }

    StringMap other_config() const {
        return {{"disable-in-band", "true"}, {"datapath-id", desired_.bridge.datapath_id}};
    }

    Columns controller_columns(const std::string& target) const {
        Columns columns;
        columns.string("target", target);
        columns.string("connection_mode", kConnectionMode);
        columns.integer("max_backoff", kMaxBackoff);
        columns.integer("inactivity_probe", kInactivityProbe);
        columns.string_map("external_ids", with_mark({}, desired_.owner_mark));
        return columns;
    }

    void restore_bridge() {
        const DesiredBridge& want = desired_.bridge;
        Columns columns;
        if (bridge_->datapath_type != want.datapath_type) columns.string("datapath_type", want.datapath_type);
        if (bridge_->fail_mode != kFailMode) columns.string("fail_mode", kFailMode);
        if (bridge_->protocols != want.protocols) columns.string_set("protocols", want.protocols);
        operations_.update("Bridge", bridge_->uuid, bridge_->name, columns);
        const MapChange config = change_of(bridge_->other_config, other_config());
        operations_.change_map("Bridge", bridge_->uuid, bridge_->name, "other_config", config.set, config.remove);
        restore_ids("Bridge", *bridge_, {}, bridge_->name);
        restore_controllers();
        if (!replica_.named<Port>(want.name)) {
            operations_.add_port(*bridge_, local_port(), desired_.owner_mark);
        }
    }

    /// New ones go in by the operation that takes old ones out: a live bridge that passes through "no controller"
    /// loses every flow.
    void restore_controllers() {
        std::set<std::string> missing = unique_targets();
        std::vector<const Controller*> extra;
        for (const Uuid& uuid : bridge_->controller) {
            const auto* controller = replica_.find<Controller>(uuid);
            if (!controller) continue;
            const bool kept = mark_of(controller->external_ids) && missing.erase(controller->target) > 0;
            if (!kept) {
                extra.push_back(controller);
                continue;
            }
            Columns columns;
            if (controller->connection_mode != kConnectionMode) columns.string("connection_mode", kConnectionMode);
            if (controller->max_backoff != kMaxBackoff) columns.integer("max_backoff", kMaxBackoff);
            if (controller->inactivity_probe != kInactivityProbe) columns.integer("inactivity_probe", kInactivityProbe);
            operations_.update("Controller", uuid, controller->target, columns);
            restore_ids("Controller", *controller, {}, controller->target);
        }
        std::vector<std::string> inserted;
        inserted.reserve(missing.size());
        for (const std::string& target : missing) {
            inserted.push_back(operations_.insert("Controller", controller_columns(target)));
        }
        operations_.change_controllers(*bridge_, {missing.begin(), missing.end()}, inserted, extra);
    }

    void plan_port(const Place& place) {
        const Port* port = replica_.named<Port>(place.port.name);
        const Bridge* holder = port ? replica_.bridge_of(*port) : nullptr;
        if (holder && holder->name == place.bridge && !removed_.contains(holder->uuid))
            return restore_port(*port, place);
        const Bridge* bridge = replica_.named<Bridge>(place.bridge);
        if (!bridge) return; // made with its bridge
        operations_.add_port(*bridge, place.port, desired_.owner_mark);
    }

    void restore_port(const Port& port, const Place& place) {
        restore_ids("Port", port, {}, port.name);
        const auto* interface = replica_.named<Interface>(place.port.name);
        if (port.interfaces.size() != 1 || !interface || !port.interfaces.contains(interface->uuid)) {
            return operations_.replace_interfaces(port, place.port, interface, desired_.owner_mark);
        }
        if (port.tag) operations_.clear_tag(port);
        Columns columns;
        if (interface->type != place.port.type) columns.string("type", place.port.type);
        if (interface->options != place.port.options) columns.string_map("options", place.port.options);
        if (interface->bfd != place.port.bfd) columns.string_map("bfd", place.port.bfd);
        operations_.update("Interface", interface->uuid, interface->name, columns);
        restore_ids("Interface", *interface, place.port.external_ids, interface->name);
    }

    template <class Row>
    void restore_ids(std::string_view table, const Row& row, const StringMap& keys, const std::string& what) {
        const MapChange change = change_of(row.external_ids, with_mark(keys, desired_.owner_mark));
        operations_.change_map(table, row.uuid, what, "external_ids", change.set, change.remove);
    }

    void plan_interface_keys() {
        static const StringMap none;
        for (const auto& [uuid, interface] : replica_.rows<Interface>()) {
            if (mark_of(interface.external_ids) || places_.contains(interface.name)) continue;
            if (is_going(uuid)) continue;
            const auto keys = desired_.interface_keys.find(interface.name);
            const MapChange change =
                change_of(interface.external_ids, keys == desired_.interface_keys.end() ? none : keys->second);
            operations_.change_keys(interface, change.set, change.remove);
        }
    }

    bool is_going(const Uuid& interface) const {
        return std::ranges::any_of(removed_, [&](const Uuid& bridge) {
            const auto rows = replica_.interfaces_of(*replica_.find<Bridge>(bridge));
            return std::ranges::any_of(rows, [&](const Interface* row) { return row->uuid == interface; });
        });
    }

    const Replica& replica_;
    const DesiredRows& desired_;
    const OpenVSwitch* root_ = nullptr;
    const Bridge* bridge_ = nullptr;      ///< weft's, when it exists
    std::map<std::string, Place> places_; ///< by port name
    std::set<Uuid> removed_;              ///< bridges
    Operations operations_;
};

} // namespace

Result<Transaction> plan_rows(const Replica& replica, const DesiredRows& desired) {
    for (const auto& [name, keys] : desired.interface_keys) {
        for (const auto& [key, value] : keys) {
            if (!has_prefix(key)) return fail(ErrorKind::invalid, fmt::format("key {} of {} is not weft's", key, name));
        }
    }
    return Planner(replica, desired).plan();
}

std::set<std::string> other_controllers(const Replica& replica, const DesiredRows& desired) {
    std::set<std::string> targets;
    const auto* bridge = replica.named<Bridge>(desired.bridge.name);
    if (!bridge) return targets;
    for (const Uuid& uuid : bridge->controller) {
        const auto* controller = replica.find<Controller>(uuid);
        if (controller && mark_of(controller->external_ids)) targets.insert(controller->target);
    }
    for (const auto& target : desired.bridge.controllers)
        targets.erase(target);
    return targets;
}

Transaction try_again() {
    Operations operations;
    operations.reconfigure("let ovs-vswitchd try again");
    return operations.finish();
}

Transaction cleanup_rows(const Replica& replica) {
    Operations operations;
    const auto* root = replica.open_vswitch();
    if (!root) return {};
    std::set<Uuid> going;
    for (const Bridge* bridge : replica.marked<Bridge>()) {
        operations.remove_bridge(*root, *bridge);
        for (const auto* interface : replica.interfaces_of(*bridge))
            going.insert(interface->uuid);
    }
    for (const auto& [uuid, bridge] : replica.rows<Bridge>()) {
        if (mark_of(bridge.external_ids)) continue;
        for (const Uuid& port_uuid : bridge.ports) {
            const auto* port = replica.find<Port>(port_uuid);
            if (!port || !mark_of(port->external_ids)) continue;
            operations.remove_port(bridge, *port);
            going.insert(port->interfaces.begin(), port->interfaces.end());
        }
    }
    for (const auto& [type, uuid] : root->datapaths) {
        const auto* row = replica.find<Datapath>(uuid);
        if (row && mark_of(row->external_ids)) operations.remove_datapath(*root, type);
    }
    for (const auto& [uuid, interface] : replica.rows<Interface>()) {
        if (going.contains(uuid)) continue;
        operations.change_keys(interface, {}, change_of(interface.external_ids, {}).remove);
    }
    plan_shapers(replica, {}, operations);
    return operations.finish();
}

std::pair<std::string, std::string> patch_names(std::string_view physnet,
                                                const std::map<std::string, DesiredPort>& taken) {
    constexpr std::string_view kPeer = "-p";
    constexpr std::size_t kHash = 5; ///< hex digits
    std::string name = fmt::format("{}{}", kKeyPrefix, physnet);
    if (name.size() + kPeer.size() > kDeviceName || taken.contains(name)) {
        const std::size_t room = kDeviceName - kKeyPrefix.size() - kPeer.size() - kHash;
        name = fmt::format("{}{}{:05x}", kKeyPrefix, physnet.substr(0, room), content_hash(physnet) & 0xfffff);
    }
    return {name, name + std::string(kPeer)};
}

} // namespace weft::ovsdb
