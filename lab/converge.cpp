#include "lab/converge.hpp"

#include "lab/command.hpp"
#include "lab/daemons.hpp"
#include "lab/record.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <set>
#include <thread>

namespace weft::lab {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

Command weftctl(const LabPlan& plan, const std::vector<std::string>& words) {
    Command command{{"weftctl", "--api", api_of(plan.name)}, "", {}, ""};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    return command;
}

Result<void> wait_for_ports(const LabPlan& plan, Clock::time_point deadline) {
    for (;;) {
        const auto shown = run(weftctl(plan, {"ports", "-o", "json"}));
        if (!shown) return std::unexpected(shown.error());
        const auto missing = ports_missing(plan, *shown);
        if (!missing) return std::unexpected(missing.error());
        if (missing->empty()) return {};
        if (Clock::now() > deadline)
            return fail(ErrorKind::timeout,
                        fmt::format("weftd does not show these ports as up: {}", fmt::join(*missing, ", ")));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

Result<void> wait_for_hosts(const LabPlan& plan, Clock::time_point deadline) {
    const auto left =
        std::max(std::chrono::ceil<std::chrono::seconds>(deadline - Clock::now()), std::chrono::seconds(1));
    const auto done =
        run(weftctl(plan, {"wait", "--timeout", fmt::format("{}s", left.count())}), left + std::chrono::seconds(5));
    if (!done) return std::unexpected(done.error());
    return {};
}

} // namespace

Result<std::vector<std::string>> ports_missing(const LabPlan& plan, const std::string& ports_json) {
    std::set<std::pair<std::string, std::string>> up; // port, host
    try {
        for (const auto& entry : json::parse(ports_json).as_array())
            if (entry.at("state") == "up")
                up.emplace(json::value_to<std::string>(entry.at("name")),
                           json::value_to<std::string>(entry.at("host")));
    } catch (const std::exception& error) {
        return fail(ErrorKind::protocol, fmt::format("weftctl ports -o json: {}", error.what()));
    }
    std::vector<std::string> missing;
    for (const auto& endpoint : plan.endpoints)
        if (endpoint.kind == EndpointKind::port && !up.contains({endpoint.name, endpoint.host}))
            missing.push_back(endpoint.name);
    return missing;
}

Result<void> converge(const LabPlan& plan, std::chrono::seconds timeout) {
    const auto deadline = Clock::now() + timeout;
    auto ready = wait_for_ports(plan, deadline);
    if (ready) ready = wait_for_hosts(plan, deadline);
    if (!ready)
        ready.error().text +=
            fmt::format("{}\nthe lab is left running: weftctl --lab={} status, weft-lab down --name {}",
                        log_tail(lab_directory(plan.name) + "/weftd.log"), plan.name, plan.name);
    return ready;
}

} // namespace weft::lab
