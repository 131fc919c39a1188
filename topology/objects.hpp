// One function per kind of object: a table of the file → a value in the Topology, defaults filled in. Rules between
// objects are validate's; what a single key must look like is topology/form's.
#pragma once
#include "topology/model.hpp"
#include "topology/reader.hpp"

#include <fmt/format.h>

namespace weft::topology {

void read_host(TableReader& reader, Topology& topology);
void read_network(TableReader& reader, Topology& topology);
void read_port(TableReader& reader, Topology& topology);
void read_router(TableReader& reader, Topology& topology);
void read_gateway(TableReader& reader, Topology& topology);
void read_floating_ip(TableReader& reader, Topology& topology);
void read_port_forward(TableReader& reader, Topology& topology);
void read_security_group(TableReader& reader, Topology& topology);
void read_qos(TableReader& reader, Topology& topology);
void read_lab_endpoint(TableReader& reader, Topology& topology);
void read_lab_vm(TableReader& reader, Topology& topology);

/// "routes" of a router or a lab endpoint.
void read_routes(TableReader& reader, std::vector<Route>& into);

/// Adds the object under its key, or reports the second of a name with both places. `what`: "network 'office'".
template <class Map>
void add(TableReader& reader, Map& objects, const typename Map::key_type& key, typename Map::mapped_type&& object,
         std::string_view key_name, const std::string& what) {
    const auto [first, added] = objects.try_emplace(key, std::move(object));
    if (!added)
        reader.error_at(key_name, fmt::format("{} is defined twice", what), {}, first->second.origin.at(key_name));
}

} // namespace weft::topology
