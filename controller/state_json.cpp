// State in JSON. The format number changes when a reader of the old one would misunderstand the new; keys may be added.
#include "controller/state.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weft::controller {

namespace json = boost::json;

namespace {

constexpr std::int64_t kFormat = 1;

template <class T>
void put(json::object& object, std::string_view key, const std::optional<T>& value) {
    if (value) object[key] = value->to_string();
}

json::object dynamic_port_json(const fabric::DynamicPort& dynamic) {
    const auto& port = dynamic.port;
    json::object object{{"name", port.name}, {"network", port.network}, {"vm", port.vm}};
    put(object, "mac", port.mac);
    put(object, "ip", port.ip);
    put(object, "ip6", port.ip6);
    object["security_groups"] = json::array(port.security_groups.begin(), port.security_groups.end());
    object["qos"] = port.qos;
    object["vm_id"] = dynamic.uuid;
    object["hosts"] = json::array(dynamic.hosts.begin(), dynamic.hosts.end());
    return object;
}

/// Reads values out of JSON; the first thing that is not as it should be is remembered and makes the whole a failure.
/// So the readers below need not test each step.
class Reader {
  public:
    const std::string& wrong() const { return wrong_; }
    void refuse(std::string_view key) {
        if (wrong_.empty()) wrong_ = key;
    }

    const json::object& object(const json::value& value, std::string_view key) {
        static const json::object kEmpty;
        if (const auto* found = value.if_object()) return *found;
        refuse(key);
        return kEmpty;
    }
    const json::value& at(const json::object& object, std::string_view key) {
        static const json::value kNull;
        if (const auto* found = object.if_contains(key)) return *found;
        refuse(key);
        return kNull;
    }
    const json::array& array(const json::object& object, std::string_view key) {
        static const json::array kEmpty;
        if (const auto* found = at(object, key).if_array()) return *found;
        refuse(key);
        return kEmpty;
    }
    std::string text(const json::value& value, std::string_view key) {
        if (const auto* found = value.if_string()) return std::string(*found);
        refuse(key);
        return {};
    }
    std::string text(const json::object& object, std::string_view key) { return text(at(object, key), key); }
    std::uint64_t number(const json::value& value, std::string_view key) {
        if (value.is_uint64()) return value.get_uint64();
        if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
        refuse(key);
        return 0;
    }
    std::uint64_t number(const json::object& object, std::string_view key) { return number(at(object, key), key); }
    /// An address that may be absent.
    template <class T>
    std::optional<T> address(const json::object& object, std::string_view key) {
        if (!object.contains(key)) return std::nullopt;
        auto parsed = T::parse(text(object, key));
        if (!parsed) refuse(key);
        return parsed;
    }

  private:
    std::string wrong_;
};

Revision read_revision(Reader& reader, const json::object& object) {
    Revision revision;
    revision.number = reader.number(object, "number");
    const auto time = parse_iso8601(reader.text(object, "time"));
    if (!time) reader.refuse("time");
    revision.time = time.value_or(Timestamp{});
    revision.source = reader.text(object, "source");
    const auto state = reader.text(object, "state");
    bool known = false;
    for (const auto candidate : {RevisionState::in_force, RevisionState::superseded, RevisionState::awaiting_confirm,
                                 RevisionState::rolled_back}) {
        if (name_of(candidate) != state) continue;
        revision.state = candidate;
        known = true;
    }
    if (!known) reader.refuse("state");
    if (object.contains("restores")) revision.restores = reader.number(object, "restores");
    return revision;
}

std::optional<Awaiting> read_awaiting(Reader& reader, const json::object& object) {
    if (!object.contains("awaiting")) return std::nullopt;
    const auto& awaiting = reader.object(object.at("awaiting"), "awaiting");
    const auto until = parse_iso8601(reader.text(awaiting, "until"));
    if (!until) reader.refuse("until");
    return Awaiting{until.value_or(Timestamp{}), reader.number(awaiting, "back_to")};
}

std::optional<Lease> read_lease(Reader& reader, const json::object& object, std::string_view key) {
    if (!object.contains(key)) return std::nullopt;
    const auto& entry = reader.object(object.at(key), key);
    const auto ip = reader.address<Ip>(entry, "address");
    const auto since = parse_iso8601(reader.text(entry, "since"));
    const auto until = parse_iso8601(reader.text(entry, "until"));
    if (!ip || !since || !until) reader.refuse(key);
    return Lease{ip.value_or(Ip{}), since.value_or(Timestamp{}), until.value_or(Timestamp{}),
                 reader.text(entry, "host_name")};
}

topology::AttachmentKey read_key(Reader& reader, const json::object& object) {
    return {reader.text(object, "port"), reader.text(object, "network")};
}

void read_allocations(Reader& reader, const json::object& object, topology::Allocations& allocations) {
    for (const auto& [network, vni] : reader.object(reader.at(object, "vnis"), "vnis")) {
        allocations.vnis[network] = static_cast<std::uint32_t>(reader.number(vni, "vnis"));
    }
    if (object.contains("gateways")) {
        for (const auto& [gateway, value] : reader.object(reader.at(object, "gateways"), "gateways")) {
            const auto& numbers = reader.object(value, "gateways");
            allocations.gateways[gateway] = {static_cast<std::uint32_t>(reader.number(numbers, "vni")),
                                             static_cast<std::uint16_t>(reader.number(numbers, "zone"))};
        }
    }
    if (object.contains("zones")) {
        for (const auto& value : reader.array(object, "zones")) {
            const auto& zone = reader.object(value, "zones");
            const auto kind = reader.text(zone, "kind") == name_of(Kind::router) ? Kind::router : Kind::network;
            allocations.zones[{kind, reader.text(zone, "name")}] =
                static_cast<std::uint16_t>(reader.number(zone, "zone"));
        }
    }
    for (const auto& value : reader.array(object, "attachments")) {
        const auto& attachment = reader.object(value, "attachments");
        auto& addresses = allocations.attachments[read_key(reader, attachment)];
        addresses.mac = reader.address<Mac>(attachment, "mac").value_or(Mac{});
        addresses.ip = reader.address<Ip>(attachment, "ip");
        addresses.ip6 = reader.address<Ip>(attachment, "ip6");
    }
    if (object.contains("services")) {
        const auto& services = reader.object(reader.at(object, "services"), "services");
        for (const auto& [network, _] : services)
            if (const auto ip = reader.address<Ip>(services, network)) allocations.services.emplace(network, *ip);
    }
    if (object.contains("declined"))
        for (const auto& value : reader.array(object, "declined")) {
            const auto& declined = reader.object(value, "declined");
            allocations.declined[read_key(reader, declined)] = {reader.address<Ip>(declined, "ip"),
                                                                reader.address<Ip>(declined, "ip6")};
        }
}

fabric::DynamicPort read_dynamic_port(Reader& reader, const json::object& object) {
    fabric::DynamicPort dynamic;
    auto& port = dynamic.port;
    port.name = reader.text(object, "name");
    port.network = reader.text(object, "network");
    port.vm = reader.text(object, "vm");
    port.mac = reader.address<Mac>(object, "mac");
    if (!port.mac) reader.refuse("mac");
    port.ip = reader.address<Ip>(object, "ip");
    port.ip6 = reader.address<Ip>(object, "ip6");
    for (const auto& group : reader.array(object, "security_groups")) {
        port.security_groups.push_back(reader.text(group, "security_groups"));
    }
    port.qos = reader.text(object, "qos");
    dynamic.uuid = reader.text(object, "vm_id");
    for (const auto& host : reader.array(object, "hosts"))
        dynamic.hosts.insert(reader.text(host, "hosts"));
    return dynamic;
}

json::object key_json(const topology::AttachmentKey& key) {
    return {{"port", key.port}, {"network", key.network}};
}

json::object lease_json(const Lease& lease) {
    return {{"address", lease.ip.to_string()},
            {"since", iso8601(lease.since)},
            {"until", iso8601(lease.until)},
            {"host_name", lease.host_name}};
}

Result<json::value> parse(std::string_view text) {
    boost::system::error_code ec;
    auto value = json::parse(json::string_view(text.data(), text.size()), ec);
    if (ec || !value.is_object()) return fail(ErrorKind::invalid, "the saved state is not JSON: " + ec.message());
    const auto* format = value.get_object().if_contains("format");
    if (format == nullptr || !format->is_int64())
        return fail(ErrorKind::invalid, "the saved state has no format number");
    if (format->get_int64() != kFormat) {
        return fail(ErrorKind::invalid,
                    fmt::format("the saved state has format {}, this weftd reads format {}; install "
                                "the version of weft that wrote it",
                                format->get_int64(), kFormat));
    }
    return value;
}

} // namespace

std::string encode(const State& state) {
    json::array revisions;
    for (const auto& revision : state.revisions) {
        revisions.push_back(json::object{{"number", revision.number},
                                         {"time", iso8601(revision.time)},
                                         {"source", revision.source},
                                         {"state", name_of(revision.state)}});
        if (revision.restores != 0) revisions.back().get_object()["restores"] = revision.restores;
    }
    json::object vnis;
    for (const auto& [network, vni] : state.allocations.vnis)
        vnis[network] = vni;
    json::object gateways;
    for (const auto& [gateway, numbers] : state.allocations.gateways)
        gateways[gateway] = json::object{{"vni", numbers.vni}, {"zone", numbers.zone}};
    json::array zones;
    for (const auto& [key, zone] : state.allocations.zones)
        zones.push_back({{"kind", name_of(key.first)}, {"name", key.second}, {"zone", zone}});
    json::array attachments;
    for (const auto& [key, addresses] : state.allocations.attachments) {
        auto object = key_json(key);
        object["mac"] = addresses.mac.to_string();
        put(object, "ip", addresses.ip);
        put(object, "ip6", addresses.ip6);
        attachments.push_back(std::move(object));
    }
    json::object services;
    for (const auto& [network, ip] : state.allocations.services)
        services[network] = ip.to_string();
    json::array declined;
    for (const auto& [key, addresses] : state.allocations.declined) {
        auto entry = key_json(key);
        put(entry, "ip", addresses.ip);
        put(entry, "ip6", addresses.ip6);
        declined.push_back(std::move(entry));
    }
    json::array leases;
    for (const auto& [key, of_port] : state.leases) {
        auto object = key_json(key);
        if (of_port.ip) object["ip"] = lease_json(*of_port.ip);
        if (of_port.ip6) object["ip6"] = lease_json(*of_port.ip6);
        leases.push_back(std::move(object));
    }
    json::array ports;
    for (const auto& [name, dynamic] : state.dynamic_ports)
        ports.push_back(dynamic_port_json(dynamic));
    json::array vm_nics;
    for (const auto& [port, nic] : state.vm_nics)
        vm_nics.push_back({{"port", port}, {"mac", nic.mac.to_string()}, {"vm_id", nic.uuid}});
    json::object holders;
    for (const auto& [port, host] : state.holders)
        holders[port] = host;
    json::object dead_links;
    for (const auto& [host, physnets] : state.learnt.dead_links)
        dead_links[host] = json::array(physnets.begin(), physnets.end());
    json::array returning;
    for (const auto& [gateway, host] : state.learnt.returning)
        returning.push_back({{"gateway", gateway}, {"host", host}});
    json::array unanswered;
    for (const auto& at : state.learnt.unanswered)
        unanswered.push_back({{"host", at.host}, {"network", at.network}, {"ip", at.ip.to_string()}});
    json::array neighbours;
    for (const auto& [key, mac] : state.learnt.neighbours)
        neighbours.push_back({{"network", key.first}, {"ip", key.second.to_string()}, {"mac", mac.to_string()}});

    json::object object{
        {"format", kFormat},
        {"current", state.current},
        {"last_number", state.last_number},
        {"revisions", std::move(revisions)},
        {"allocations", json::object{{"vnis", std::move(vnis)},
                                     {"gateways", std::move(gateways)},
                                     {"zones", std::move(zones)},
                                     {"attachments", std::move(attachments)},
                                     {"services", std::move(services)},
                                     {"declined", std::move(declined)}}},
        {"leases", std::move(leases)},
        {"dynamic_ports", std::move(ports)},
        {"vm_nics", std::move(vm_nics)},
        {"holders", std::move(holders)},
        {"neighbours", std::move(neighbours)},
        {"out_of_service", json::array(state.learnt.out_of_service.begin(), state.learnt.out_of_service.end())},
        {"dead_links", std::move(dead_links)},
        {"returning", std::move(returning)},
        {"absent", json::array(state.learnt.absent.begin(), state.learnt.absent.end())},
        {"unanswered", std::move(unanswered)},
    };
    if (state.awaiting)
        object["awaiting"] =
            json::object{{"until", iso8601(state.awaiting->until)}, {"back_to", state.awaiting->back_to}};
    return json::serialize(object);
}

Result<State> decode(std::string_view text) {
    auto value = parse(text);
    if (!value) return std::unexpected(value.error());
    const auto& object = value->get_object();
    Reader reader;
    State state;
    state.current = reader.number(object, "current");
    state.last_number = reader.number(object, "last_number");
    for (const auto& revision : reader.array(object, "revisions")) {
        state.revisions.push_back(read_revision(reader, reader.object(revision, "revisions")));
    }
    state.awaiting = read_awaiting(reader, object);
    read_allocations(reader, reader.object(reader.at(object, "allocations"), "allocations"), state.allocations);
    for (const auto& entry : reader.array(object, "dynamic_ports")) {
        auto dynamic = read_dynamic_port(reader, reader.object(entry, "dynamic_ports"));
        state.dynamic_ports.emplace(dynamic.port.name, std::move(dynamic));
    }
    if (object.contains("vm_nics"))
        for (const auto& entry : reader.array(object, "vm_nics")) {
            const auto& nic = reader.object(entry, "vm_nics");
            if (const auto mac = reader.address<Mac>(nic, "mac"))
                state.vm_nics.insert_or_assign(reader.text(nic, "port"),
                                               fabric::PortNic{*mac, reader.text(nic, "vm_id")});
        }
    for (const auto& [port, host] : reader.object(reader.at(object, "holders"), "holders")) {
        state.holders[port] = reader.text(host, "holders");
    }
    if (object.contains("leases"))
        for (const auto& of_port : reader.array(object, "leases")) {
            const auto& entry = reader.object(of_port, "leases");
            state.leases[read_key(reader, entry)] = {read_lease(reader, entry, "ip"), read_lease(reader, entry, "ip6")};
        }
    if (object.contains("neighbours"))
        for (const auto& entry : reader.array(object, "neighbours")) {
            const auto& neighbour = reader.object(entry, "neighbours");
            const auto ip = reader.address<Ip>(neighbour, "ip");
            const auto mac = reader.address<Mac>(neighbour, "mac");
            if (ip && mac) state.learnt.neighbours.insert_or_assign({reader.text(neighbour, "network"), *ip}, *mac);
        }
    if (object.contains("out_of_service"))
        for (const auto& host : reader.array(object, "out_of_service"))
            state.learnt.out_of_service.insert(reader.text(host, "out_of_service"));
    if (object.contains("dead_links"))
        for (const auto& [host, physnets] : reader.object(reader.at(object, "dead_links"), "dead_links"))
            for (const auto& physnet : reader.array(object.at("dead_links").get_object(), host))
                state.learnt.dead_links[host].insert(reader.text(physnet, "dead_links"));
    if (object.contains("returning"))
        for (const auto& entry : reader.array(object, "returning")) {
            const auto& candidate = reader.object(entry, "returning");
            state.learnt.returning.insert({reader.text(candidate, "gateway"), reader.text(candidate, "host")});
        }
    if (object.contains("absent"))
        for (const auto& host : reader.array(object, "absent"))
            state.learnt.absent.insert(reader.text(host, "absent"));
    if (object.contains("unanswered"))
        for (const auto& entry : reader.array(object, "unanswered")) {
            const auto& at = reader.object(entry, "unanswered");
            if (const auto ip = reader.address<Ip>(at, "ip"))
                state.learnt.unanswered.insert({reader.text(at, "host"), reader.text(at, "network"), *ip});
        }
    if (!reader.wrong().empty()) {
        return fail(ErrorKind::invalid, fmt::format("the saved state is damaged: '{}' is missing or of the wrong type; "
                                                    "restore the state directory from a backup, or empty it and apply "
                                                    "the topology again",
                                                    reader.wrong()));
    }
    return state;
}

std::string encode(const Recollection& recollection) {
    State state;
    state.allocations = recollection.allocations;
    state.dynamic_ports = recollection.dynamic_ports;
    state.vm_nics = recollection.vm_nics;
    state.learnt.neighbours = recollection.neighbours;
    return encode(state);
}

Result<Recollection> decode_recollection(std::string_view text) {
    const auto state = decode(text);
    if (!state) return std::unexpected(state.error());
    return state->recollection();
}

std::string encode_sources(const std::vector<topology::Source>& sources) {
    json::array array;
    for (const auto& source : sources)
        array.push_back(json::object{{"name", source.name}, {"text", source.text}});
    return json::serialize(json::object{{"format", kFormat}, {"sources", std::move(array)}});
}

Result<std::vector<topology::Source>> decode_sources(std::string_view text) {
    auto value = parse(text);
    if (!value) return std::unexpected(value.error());
    Reader reader;
    std::vector<topology::Source> sources;
    for (const auto& entry : reader.array(value->get_object(), "sources")) {
        const auto& object = reader.object(entry, "sources");
        sources.push_back({reader.text(object, "name"), reader.text(object, "text")});
    }
    if (!reader.wrong().empty()) return fail(ErrorKind::invalid, "its text is damaged");
    return sources;
}

} // namespace weft::controller
