// Commands that fetch one JSON value and show it: status, history, hosts, networks, ports, routers, gateways,
// groups, qos, nat, flows, show.
#include "base/ids.hpp"
#include "cli/change.hpp"
#include "cli/commands.hpp"
#include "cli/http_client.hpp"
#include "cli/json_text.hpp"
#include "topology/nearest.hpp"

#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <functional>
#include <ostream>
#include <sstream>

namespace weft::cli {

namespace json = boost::json;
using Printer = void (*)(std::ostream&, const json::value&, bool colours);

namespace {

constexpr std::chrono::seconds kWatchInterval{2};

struct Fetched {
    json::value value;
    std::vector<Error> missing; ///< what the value lacks
};
using Fetch = std::function<Result<Fetched>(const Daemon&)>;

std::string text_of(const Context& context, const Fetched& fetched, Printer print) {
    if (context.json) return pretty(fetched.value);
    std::ostringstream text;
    print(text, fetched.value, context.colours);
    return text.str();
}

std::string words_of(const Error& error) {
    return "weftctl: " + error.text + "\n";
}

int list(Context& context, const Fetch& fetch, Printer print) {
    auto& environment = context.environment;
    while (true) {
        const auto fetched = fetch(context.daemon);
        if (!context.watch) {
            if (!fetched) return complain(context, fetched.error());
            environment.out << text_of(context, *fetched, print);
            for (const auto& error : fetched->missing)
                complain(context, error);
            return fetched->missing.empty() ? kDone : kError;
        }
        auto text = fetched ? text_of(context, *fetched, print) : words_of(fetched.error());
        if (fetched)
            for (const auto& error : fetched->missing)
                text += words_of(error);
        // The screen is cleared only when the new text is there: no flicker while the daemon thinks. A daemon that is
        // away is shown as such and asked again: watching a restart is what this is for.
        if (environment.terminal) {
            environment.out << "\x1b[H\x1b[2J"
                            << coloured(fmt::format("every {} s: {}\n\n", kWatchInterval.count(), context.command),
                                        Colour::dim, context.colours);
        }
        environment.out << text << std::flush;
        if (!environment.pause(kWatchInterval)) return kDone;
    }
}

int list(Context& context, const std::string& target, Printer print) {
    return list(
        context,
        [&](const Daemon& daemon) -> Result<Fetched> {
            auto value = daemon.get(target);
            if (!value) return std::unexpected(value.error());
            return Fetched{std::move(*value), {}};
        },
        print);
}

void print_table(std::ostream& out, const Table& table, bool colours, std::string_view none) {
    if (table.empty()) out << none << '\n';
    table.print(out, colours);
}

void print_status(std::ostream& out, const json::value& value, bool colours) {
    const bool converged = at(value, "converged") == json::value(true);
    out << "revision " << words_at(value, "revision") << ", "
        << (converged ? coloured("converged", Colour::green, colours)
                      : coloured("not converged", Colour::yellow, colours))
        << '\n';
    if (const auto trial = trial_text(value); !trial.empty()) out << coloured(trial, Colour::yellow, colours) << '\n';
    out << '\n';
    print_table(out,
                table_of(items(at(value, "hosts")), {{"HOST", "name"},
                                                     {"STATE", "state", false, true},
                                                     {"REVISION", "revision", true},
                                                     {"FLOWS", "flows", true},
                                                     {"LAG MS", "lag_ms", true},
                                                     {"FLOW MODS", "sent.flow_mods", true},
                                                     {"GROUP MODS", "sent.group_mods", true},
                                                     {"METER MODS", "sent.meter_mods", true},
                                                     {"OVSDB OPS", "sent.ovsdb_ops", true},
                                                     {"LIBVIRT", "libvirt.state"},
                                                     {"REASON", "reason"}}),
                colours, "no hosts: apply a topology that has some");
    for (const auto& host : items(at(value, "hosts")))
        if (const auto why = words_at(host, "libvirt.reason"); !why.empty() && why != "-")
            out << fmt::format("\n{}: {}\n", words_at(host, "name"), why);
    for (const auto& trouble : items(at(value, "troubles")))
        out << fmt::format("\n{}: {}\n", words_at(trouble, "object"), words_at(trouble, "text"));
}

void print_history(std::ostream& out, const json::value& value, bool colours) {
    auto rows = items(value);
    for (auto& row : rows)
        if (auto* revision = row.if_object(); revision != nullptr && count_at(row, "restores") != 0)
            (*revision)["source"] =
                fmt::format("{} (revision {} again)", words_at(row, "source"), count_at(row, "restores"));
    print_table(out,
                table_of(rows, {{"REVISION", "revision", true},
                                {"TIME", "time"},
                                {"STATE", "state", false, true},
                                {"CONFIRM BY", "confirm_by"},
                                {"SOURCE", "source"}}),
                colours, "no revisions: weftctl apply makes the first");
}

void print_hosts(std::ostream& out, const json::value& value, bool colours) {
    print_table(out,
                table_of(items(value), {{"NAME", "name"},
                                        {"STATE", "state", false, true},
                                        {"REVISION", "revision", true},
                                        {"PORTS", "ports", true},
                                        {"FLOWS", "flows", true},
                                        {"VTEP", "vtep"},
                                        {"BRIDGE", "bridge"},
                                        {"DATAPATH", "datapath"},
                                        {"OVSDB", "ovsdb"},
                                        {"REASON", "reason"}}),
                colours, "no hosts");
}

void print_networks(std::ostream& out, const json::value& value, bool colours) {
    print_table(out,
                table_of(items(value), {{"NAME", "name"},
                                        {"KIND", "kind"},
                                        {"VNI", "vni", true},
                                        {"VLAN", "vlan", true},
                                        {"PHYSNET", "physnet"},
                                        {"SUBNET", "subnet"},
                                        {"SUBNET6", "subnet6"},
                                        {"MTU", "mtu", true},
                                        {"PORTS", "ports", true},
                                        {"HOSTS", "hosts"}}),
                colours, "no networks");
}

void print_ports(std::ostream& out, const json::value& value, bool colours) {
    auto rows = items(value);
    for (auto& row : rows) {
        // A trunk's entries in a cell: "office:100,lab:200".
        json::array trunk;
        for (const auto& entry : items(at(row, "trunk"))) {
            trunk.emplace_back(words_at(entry, "network") + ":" + words_at(entry, "vlan"));
        }
        // When they end: the addresses are in IPS. "until 2024-05-01T12:00:00Z" of several networks: the first that
        // ends.
        std::string until;
        for (const auto& lease : items(at(row, "leases")))
            if (const auto ends = words_at(lease, "until"); until.empty() || ends < until) until = ends;
        if (const auto fraction = until.find('.'); fraction != std::string::npos)
            until = until.substr(0, fraction) + "Z";
        if (row.is_object()) row.get_object()["trunk"] = std::move(trunk);
        if (row.is_object()) row.get_object()["leased_until"] = until;
    }
    print_table(out,
                table_of(rows, {{"NAME", "name"},
                                {"NETWORK", "network"},
                                {"STATE", "state", false, true},
                                {"HOST", "host"},
                                {"INTERFACE", "interface"},
                                {"OFPORT", "ofport", true},
                                {"MAC", "mac"},
                                {"IPS", "ips"},
                                {"TRUNK", "trunk"},
                                {"LEASED UNTIL", "leased_until"},
                                {"RX PACKETS", "rx_packets", true},
                                {"TX PACKETS", "tx_packets", true}}),
                colours, "no ports");
}

/// The names in a list of objects, in a cell.
json::array names_in(const json::value& objects) {
    json::array names;
    for (const auto& object : items(objects))
        names.emplace_back(words_at(object, "name"));
    return names;
}

void print_routers(std::ostream& out, const json::value& value, bool colours) {
    auto rows = items(value);
    for (auto& row : rows) {
        const auto networks = names_in(at(row, "networks"));
        const auto routes = items(at(row, "routes")).size();
        if (auto* object = row.if_object()) (*object)["networks"] = networks, (*object)["routes"] = routes;
    }
    print_table(out,
                table_of(rows, {{"NAME", "name"},
                                {"NETWORKS", "networks"},
                                {"GATEWAY", "gateway"},
                                {"ROUTES", "routes", true},
                                {"MAC", "mac"},
                                {"HOSTS", "hosts"}}),
                colours, "no routers");
}

void print_gateways(std::ostream& out, const json::value& value, bool colours) {
    auto rows = items(value);
    for (auto& row : rows) {
        auto* object = row.if_object();
        if (object == nullptr) continue;
        // "kvm1:active,kvm2:standby"
        json::array candidates;
        for (const auto& candidate : items(at(row, "candidates")))
            candidates.emplace_back(words_at(candidate, "host") + ":" + words_at(candidate, "state"));
        (*object)["candidates"] = std::move(candidates);
        // "203.0.113.1 resolved"
        for (const auto* key : {"nexthop", "nexthop6"})
            if (const auto nexthop = at(row, key); nexthop.is_object())
                (*object)[key] = words_at(nexthop, "address") + " " + words_at(nexthop, "state");
    }
    print_table(out,
                table_of(rows, {{"NAME", "name"},
                                {"NETWORK", "network"},
                                {"ADDRESS", "address"},
                                {"ADDRESS6", "address6"},
                                {"ACTIVE", "active"},
                                {"CANDIDATES", "candidates"},
                                {"NEXT HOP", "nexthop"},
                                {"NEXT HOP6", "nexthop6"},
                                {"ROUTERS", "routers"}}),
                colours, "no gateways");
}

void print_groups(std::ostream& out, const json::value& value, bool colours) {
    // A line for each rule, the group's own words on the first.
    json::array rows;
    for (const auto& group : items(value)) {
        json::object row{
            {"name", at(group, "name")}, {"ports", items(at(group, "ports")).size()}, {"hosts", at(group, "hosts")}};
        const auto rules = items(at(group, "rules"));
        if (rules.empty()) rows.push_back(row);
        int number = 0;
        for (const auto& rule : rules) {
            row["number"] = ++number;
            for (const auto* key : {"rule", "packets"})
                row[key] = at(rule, key);
            rows.push_back(std::exchange(row, {}));
        }
    }
    print_table(out,
                table_of(rows, {{"NAME", "name"},
                                {"PORTS", "ports", true},
                                {"HOSTS", "hosts"},
                                {"#", "number", true},
                                {"RULE", "rule"},
                                {"PACKETS", "packets", true}}),
                colours, "no security groups");
}

/// 200000000: "200mbit", in the words of the topology file.
json::value rate_words(const json::value& bits) {
    if (!bits.is_number()) return nullptr;
    auto number = bits.to_number<std::uint64_t>();
    constexpr std::array kUnits{"bit", "kbit", "mbit", "gbit"};
    std::size_t unit = 0;
    for (; unit + 1 < kUnits.size() && number != 0 && number % 1000 == 0; ++unit)
        number /= 1000;
    return json::value(fmt::format("{}{}", number, kUnits[unit]));
}

/// A line for each thing that the class does at a port, the class's own words on the first.
void print_qos(std::ostream& out, const json::value& value, bool colours) {
    json::array rows;
    for (const auto& qos : items(value)) {
        json::object row{{"name", at(qos, "name")},
                         {"egress", rate_words(at(at(qos, "egress"), "rate"))},
                         {"ingress", rate_words(at(at(qos, "ingress"), "rate"))},
                         {"dscp", at(qos, "dscp")},
                         {"guarantee", rate_words(at(qos, "guarantee"))}};
        const auto ports = items(at(qos, "ports"));
        if (ports.empty()) rows.push_back(row);
        for (const auto& port : ports) {
            for (const auto* key : {"port", "host", "what", "packets", "dropped"})
                row[key] = at(port, key);
            row["acts"] = at(port, "acts") == json::value(true) ? "yes" : "no";
            rows.push_back(std::exchange(row, {}));
        }
    }
    print_table(out,
                table_of(rows, {{"NAME", "name"},
                                {"EGRESS", "egress", true},
                                {"INGRESS", "ingress", true},
                                {"DSCP", "dscp", true},
                                {"GUARANTEE", "guarantee", true},
                                {"PORT", "port"},
                                {"HOST", "host"},
                                {"WHAT", "what"},
                                {"ACTS", "acts"},
                                {"PACKETS", "packets", true},
                                {"DROPPED", "dropped", true}}),
                colours, "no QoS classes");
}

void print_nat(std::ostream& out, const json::value& value, bool colours) {
    print_table(out,
                table_of(items(value), {{"GATEWAY", "gateway"},
                                        {"KIND", "kind"},
                                        {"PUBLIC", "public"},
                                        {"PRIVATE", "private"},
                                        {"ROUTER", "router"},
                                        {"HOST", "host"},
                                        {"PACKETS", "packets", true},
                                        {"BYTES", "bytes", true}}),
                colours, "no translations");
}

void print_flows(std::ostream& out, const json::value& value, bool colours) {
    print_table(out,
                table_of(items(value), {{"HOST", "host"},
                                        {"TABLE", "table", true},
                                        {"STAGE", "stage"},
                                        {"PRIORITY", "priority", true},
                                        {"PACKETS", "packets", true},
                                        {"BYTES", "bytes", true},
                                        {"OWNER", "owner"},
                                        {"REASON", "reason"},
                                        {"MATCH", "match"},
                                        {"ACTIONS", "actions"}}),
                colours, "no flows");
}

/// Of all hosts, asked one by one: each answers or says why not. `query` begins with '?' or is empty.
Result<Fetched> fetch_flows(const Daemon& daemon, const std::string& query) {
    const auto hosts = daemon.get("/v1/hosts");
    if (!hosts) return std::unexpected(hosts.error());
    json::array flows;
    Fetched fetched;
    for (const auto& host : items(*hosts)) {
        const auto name = url_encoded(words_at(host, "name"));
        const auto answer =
            daemon.call("GET", fmt::format("/v1/flows{}{}host={}", query, query.empty() ? "?" : "&", name));
        if (!answer) return std::unexpected(answer.error());
        if (answer->status == 200) {
            const auto of_host = items(answer->body);
            flows.insert(flows.end(), of_host.begin(), of_host.end());
        } else if (answer->status == 503) {
            fetched.missing.push_back(daemon.error_of(*answer));
        } else {
            return std::unexpected(daemon.error_of(*answer));
        }
    }
    fetched.value = std::move(flows);
    return fetched;
}

/// In the words of `ovs-ofctl dump-flows`, under a line for each host.
void print_raw_flows(std::ostream& out, const json::value& value, bool colours) {
    std::string host;
    for (const auto& flow : items(value)) {
        if (const auto name = printable(words_at(flow, "host")); name != host) {
            out << coloured("# " + name, Colour::bold, colours) << '\n';
            host = name;
        }
        const auto match = printable(words_at(flow, "match"));
        out << fmt::format("table={}, n_packets={}, n_bytes={}, priority={}{}{} actions={}\n", words_at(flow, "table"),
                           words_at(flow, "packets"), words_at(flow, "bytes"), words_at(flow, "priority"),
                           match.empty() ? "" : ",", match, printable(words_at(flow, "actions")));
    }
}

void print_anything(std::ostream& out, const json::value& value, bool colours) {
    if (const auto* object = value.if_object())
        print_object(out, *object, colours);
    else
        out << printable(words(value)) << '\n';
}

} // namespace

int complain(Context& context, const Error& error) {
    context.environment.err << words_of(error);
    return kError;
}

int status(Context& context) {
    return list(context, "/v1/status", print_status);
}
int history(Context& context) {
    return list(context, "/v1/history", print_history);
}
int hosts(Context& context) {
    return list(context, "/v1/hosts", print_hosts);
}
int networks(Context& context) {
    return list(context, "/v1/networks", print_networks);
}
int ports(Context& context) {
    return list(context, "/v1/ports", print_ports);
}
int routers(Context& context) {
    return list(context, "/v1/routers", print_routers);
}
int gateways(Context& context) {
    return list(context, "/v1/gateways", print_gateways);
}
int groups(Context& context) {
    return list(context, "/v1/groups", print_groups);
}
int qos(Context& context) {
    return list(context, "/v1/qos", print_qos);
}
int nat(Context& context) {
    return list(context, "/v1/nat", print_nat);
}

int flows(Context& context, const FlowFilter& filter) {
    std::string query;
    const auto add = [&](std::string_view key, std::string_view value) {
        if (!value.empty()) query += fmt::format("{}{}={}", query.empty() ? "?" : "&", key, url_encoded(value));
    };
    add("owner", filter.owner);
    add("stage", filter.stage);
    add("drops", filter.drops ? "1" : "");
    add("hits", filter.hits ? "1" : "");
    add("raw", filter.raw ? "1" : "");
    add("host", filter.host);
    const auto print = filter.raw ? print_raw_flows : print_flows;
    if (!filter.host.empty()) return list(context, "/v1/flows" + query, print);
    return list(context, [&](const Daemon& daemon) { return fetch_flows(daemon, query); }, print);
}

int show(Context& context, const std::string& kind, const std::string& name) {
    topology::Nearest nearest(kind);
    for (auto value = static_cast<int>(Kind::host); value <= static_cast<int>(Kind::qos); ++value) {
        const auto known = name_of(static_cast<Kind>(value));
        if (known == kind) return list(context, "/v1/show/" + kind + "/" + url_encoded(name), print_anything);
        nearest.offer(known);
    }
    const auto remedy = nearest.remedy();
    return complain(context,
                    {ErrorKind::invalid, fmt::format("no kind '{}': {}", kind,
                                                     remedy.empty() ? "weftctl show --help lists the kinds" : remedy)});
}

int names(Context& context, const std::string& kind) {
    // Translations are one listing, and a public side is the name of those that have one.
    const bool translation = kind == "floating_ip" || kind == "port_forward";
    const bool revision = kind == "revision";
    const auto listing = translation                ? "nat"
                         : revision                 ? "history"
                         : kind == "security_group" ? "groups"
                         : kind == "qos"            ? kind
                                                    : kind + "s";
    const auto* key = translation ? "public" : revision ? "revision" : "name";
    if (const auto value = context.daemon.get("/v1/" + listing, Milliseconds(2000))) {
        for (const auto& object : items(*value)) {
            if (translation && words_at(object, "kind") != kind) continue;
            context.environment.out << printable(words_at(object, key)) << '\n';
        }
    }
    return kDone;
}

} // namespace weft::cli
