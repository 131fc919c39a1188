#include "lab/agent.hpp"
#include "lab/commands.hpp"
#include "lab/table.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weft::lab {
namespace {

namespace json = boost::json;

struct Row {
    std::string name, kind, netns, host;
    std::vector<std::string> addresses;
};

std::vector<Row> rows_of(const LabPlan& plan) {
    std::vector<Row> rows;
    rows.reserve(plan.hosts.size() + plan.endpoints.size());
    for (const auto& host : plan.hosts)
        rows.push_back({host.name, "host", host.netns, host.name, {host.vtep.address.to_string()}});
    for (const auto& endpoint : plan.endpoints) {
        Row row{endpoint.name,
                endpoint.kind == EndpointKind::port ? "port" : "endpoint",
                endpoint.netns,
                endpoint.host,
                {}};
        for (const Ip& ip : endpoint.addresses())
            row.addresses.push_back(ip.to_string());
        rows.push_back(std::move(row));
    }
    for (const auto& vm : plan.vms) {
        Row row{vm.name, "vm", "", running_on(plan, vm), {}};
        for (const Ip& ip : vm.addresses)
            row.addresses.push_back(ip.to_string());
        rows.push_back(std::move(row));
    }
    return rows;
}

} // namespace

Result<void> status(const std::string& lab, bool as_json) {
    const auto or_null = [](const std::string& text) {
        return text.empty() ? json::value(nullptr) : json::value(text);
    };
    const auto opened = open_lab(lab);
    if (!opened) return std::unexpected(opened.error());
    json::array array;
    Table table{{"NAME", "KIND", "NAMESPACE", "HOST", "ADDRESSES"}};
    for (const auto& row : rows_of(opened->plan)) {
        array.push_back(json::object{{"name", row.name},
                                     {"kind", row.kind},
                                     {"namespace", or_null(row.netns)},
                                     {"host", or_null(row.host)},
                                     {"addresses", json::array(row.addresses.begin(), row.addresses.end())}});
        table.push_back({row.name, row.kind, row.netns.empty() ? "-" : row.netns, row.host.empty() ? "-" : row.host,
                         fmt::format("{}", fmt::join(row.addresses, " "))});
    }
    if (as_json)
        fmt::print("{}\n", json::serialize(array));
    else
        fmt::print("{}", render(table));
    return {};
}

} // namespace weft::lab
