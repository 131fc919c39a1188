// Writes RFC 7047 operations (section 5.2) and keeps the account of what they change. The planner decides, this spells.
#pragma once
#include "ovsdb/desired.hpp"
#include "ovsdb/replica.hpp"
#include "ovsdb/transaction.hpp"

#include <boost/json/object.hpp>

namespace weft::ovsdb {

/// Values of columns for an insert or an update.
class Columns {
  public:
    void string(std::string_view name, std::string_view value);
    void integer(std::string_view name, std::int64_t value);
    void string_set(std::string_view name, const std::set<std::string>& values);
    void string_map(std::string_view name, const StringMap& map);
    void integer_named_map(std::string_view name, const std::map<std::int64_t, std::string>& names);
    /// References to rows that the same transaction inserts.
    void named_set(std::string_view name, const std::vector<std::string>& names);
    void uuid(std::string_view name, const Uuid& uuid);
    void empty_set(std::string_view name);

    bool empty() const { return object_.empty(); }
    std::string names() const; ///< "fail_mode, protocols"
    const boost::json::object& json() const { return object_; }

  private:
    boost::json::object object_;
};

class Operations {
  public:
    /// The uuid-name of the new row.
    std::string insert(std::string_view table, const Columns& columns);
    /// A port and its interface; the uuid-name of the port.
    std::string insert_port(const DesiredPort& port, const std::string& mark);

    void create_bridge(const OpenVSwitch& root, const std::string& name, const Columns& columns);
    void remove_bridge(const OpenVSwitch& root, const Bridge& bridge);
    void create_datapath(const OpenVSwitch& root, const std::string& type, const std::string& mark);
    void remove_datapath(const OpenVSwitch& root, const std::string& type);
    void add_port(const Bridge& bridge, const DesiredPort& port, const std::string& mark);
    void remove_port(const Bridge& bridge, const Port& port);
    /// Leaves the port with one interface: `present` when the port has it, else a new one.
    void replace_interfaces(const Port& port, const DesiredPort& want, const Interface* present,
                            const std::string& mark);
    void clear_tag(const Port& port);
    /// One mutation of Bridge.controller. Nothing when there is nothing to change.
    void change_controllers(const Bridge& bridge, const std::vector<std::string>& targets,
                            const std::vector<std::string>& inserted, const std::vector<const Controller*>& extra);

    /// Nothing when `columns` or the change is empty; `what` names the row for the log.
    void update(std::string_view table, const Uuid& row, const std::string& what, const Columns& columns);
    void change_map(std::string_view table, const Uuid& row, const std::string& what, std::string_view column,
                    const StringMap& set, const std::set<std::string>& remove);
    /// The same on external_ids of an interface that is not weft's: nothing for ovs-vswitchd to apply.
    void change_keys(const Interface& interface, const StringMap& set, const std::set<std::string>& remove);

    /// A QoS row and its queues, put on a port.
    void add_shaper(const Port& port, const DesiredShaper& shaper, const std::string& mark);
    void add_queue(const Qos& qos, std::int64_t number, const StringMap& other_config, const std::string& mark,
                   const std::string& port);
    /// Takes it out of the QoS row; the row of the queue itself stays.
    void drop_queue(const Qos& qos, std::int64_t number, const std::string& port);
    void clear_qos(const Port& port);
    /// A row that nothing refers to.
    void remove_row(std::string_view table, const Uuid& row);

    /// Changes no row: ovs-vswitchd goes through all of them again.
    void reconfigure(std::string why);

    Transaction finish();

  private:
    void add(const boost::json::object& object);
    std::string insert_queue(const StringMap& other_config, const std::string& mark);
    void add_mutation(std::string_view table, const Uuid& row, boost::json::array mutations);
    void changed(std::string what); ///< something for ovs-vswitchd to apply

    Transaction transaction_;
    int names_ = 0;
};

} // namespace weft::ovsdb
