// What one host's OVSDB holds, as far as weft looks. The session feeds it with the snapshot and the updates of
// monitor_cond ("table-updates2", ovsdb-server(7), 4.1.14); the planner and the host agent read it.
#pragma once
#include "base/result.hpp"
#include "ovsdb/schema.hpp"

#include <boost/json/fwd.hpp>
#include <map>
#include <vector>

namespace weft::ovsdb {

/// The value of external_ids:weft where there is one: such a row is weft's.
const std::string* mark_of(const StringMap& external_ids);

class Replica {
  public:
    /// Replaces everything with the result of monitor_cond.
    Result<void> reset(const boost::json::value& table_updates);
    /// Applies one update. What does not fit (an unknown row, a column of another type) is an error of kind protocol;
    /// after it the replica is not to be used.
    Result<void> apply(const boost::json::value& table_updates);

    template <class Row>
    const std::map<Uuid, Row>& rows() const {
        return std::get<std::map<Uuid, Row>>(tables_);
    }
    /// Null when there is none.
    template <class Row>
    const Row* find(const Uuid& uuid) const {
        const auto row = rows<Row>().find(uuid);
        return row == rows<Row>().end() ? nullptr : &row->second;
    }
    /// The first of that name; null when there is none. Bridge, Port and Interface.
    template <class Row>
    const Row* named(std::string_view name) const {
        for (const auto& [uuid, row] : rows<Row>()) {
            if (row.name == name) return &row;
        }
        return nullptr;
    }
    /// Rows that carry external_ids:weft.
    template <class Row>
    std::vector<const Row*> marked() const {
        std::vector<const Row*> found;
        for (const auto& [uuid, row] : rows<Row>()) {
            if (mark_of(row.external_ids)) found.push_back(&row);
        }
        return found;
    }

    /// Null only in a database that `ovs-vsctl init` has never seen.
    const OpenVSwitch* open_vswitch() const;
    /// The bridge that holds the port; null when none does.
    const Bridge* bridge_of(const Port& port) const;
    /// In the order of the rows' uuids.
    std::vector<const Interface*> interfaces_of(const Bridge& bridge) const;
    /// The Datapath row of a type ("netdev", "system"); null when there is none.
    const Datapath* datapath(std::string_view type) const;

    bool operator==(const Replica&) const = default;

  private:
    template <class... Row>
    static std::tuple<std::map<Uuid, Row>...> tables_for(const std::tuple<Row...>&);

    decltype(tables_for(std::declval<Rows>())) tables_;
};

} // namespace weft::ovsdb
