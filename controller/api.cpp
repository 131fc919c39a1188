#include "controller/api.hpp"

#include "controller/page.hpp"
#include "topology/form.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller {
namespace json = boost::json;
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t kLongestPollSeconds = 60;

std::string query_value(const HttpRequest& request, const std::string& key) {
    const auto found = request.query.find(key);
    return found == request.query.end() ? std::string() : found->second;
}

std::uint64_t query_number(const HttpRequest& request, const std::string& key) {
    const auto text = query_value(request, key);
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// The body of attach, detach and migrate: {"vm", "network"} or {"vm", "from", "to"}, and what is optional.
Result<PlugRequest> plug_request(const std::string& body, bool migrates) {
    error_code ec;
    const auto value = json::parse(body, ec);
    const auto* object = ec ? nullptr : value.if_object();
    if (object == nullptr) return fail(ErrorKind::invalid, "the body must be a JSON object");
    std::string wrong;
    const auto text = [&](const char* key, bool required) {
        const auto* found = object->if_contains(key);
        if (found != nullptr && found->is_string() && (!required || !found->get_string().empty()))
            return std::string(found->get_string());
        if ((required || found != nullptr) && wrong.empty()) wrong = key;
        return std::string();
    };
    PlugRequest request{.vm = text("vm", true),
                        .network = text(migrates ? "to" : "network", true),
                        .from = migrates ? text("from", true) : "",
                        .port = text("port", false),
                        .qos = text("qos", false)};
    if (const auto* groups = object->if_contains("security_groups"); groups != nullptr && groups->is_array()) {
        for (const auto& group : groups->get_array())
            if (group.is_string())
                request.security_groups.emplace_back(group.get_string());
            else
                wrong = "security_groups";
    } else if (groups != nullptr) {
        wrong = "security_groups";
    }
    if (!wrong.empty()) return fail(ErrorKind::invalid, fmt::format("'{}' is missing or no text", wrong));
    return request;
}

unsigned status_of(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::invalid:
        return 422;
    case ErrorKind::refused:
        return 409;
    case ErrorKind::timeout:
        return 504;
    default:
        return 503;
    }
}

Task<HttpResponse> events(Supervisor& supervisor, const HttpRequest& request) {
    const auto since = query_number(request, "since");
    const auto seconds = std::min(query_number(request, "wait"), kLongestPollSeconds);
    if (seconds > 0) co_await supervisor.events().wait(since, std::chrono::seconds(seconds));
    co_return ok(view::events(supervisor.events(), since));
}

/// ?from=web1&to=10.0.1.12&proto=tcp&dport=80&sport=0&reply=1
Result<fabric::Question> question(const HttpRequest& request) {
    fabric::Question asked{.from = query_value(request, "from"), .to = query_value(request, "to")};
    if (asked.from.empty() || asked.to.empty())
        return fail(ErrorKind::invalid, "a trace needs from and to: ports or addresses");
    const auto proto = query_value(request, "proto");
    const auto port = [&](const char* key, std::uint16_t& into) {
        const auto number = query_number(request, key);
        into = static_cast<std::uint16_t>(number);
        return number <= 0xffff;
    };
    if (!port("dport", asked.target_port) || !port("sport", asked.source_port))
        return fail(ErrorKind::invalid, "ports are 1 to 65535");
    const auto protocol = topology::form::protocol(proto.empty() ? (asked.target_port == 0 ? "icmp" : "tcp") : proto);
    if (!protocol || protocol->kind == topology::Protocol::Class::any)
        return fail(ErrorKind::invalid, fmt::format("'{}' is no protocol: icmp, tcp, udp, sctp or a number", proto));
    if (protocol->kind == topology::Protocol::Class::number) asked.protocol = protocol->number;
    if (protocol->has_ports() != (asked.target_port != 0))
        return fail(ErrorKind::invalid, protocol->has_ports() ? fmt::format("{} has ports: give --dport", proto)
                                                              : "only tcp, udp and sctp have ports");
    return asked;
}

Task<HttpResponse> trace(const Supervisor& supervisor, const HttpRequest& request) {
    view::TraceQuery query{.question = {.from = query_value(request, "from"), .to = {}},
                           .frame = query_value(request, "frame"),
                           .tunnel = query_value(request, "tunnel"),
                           .reply = query_value(request, "reply") == "1"};
    if (query.frame.empty()) {
        auto asked = question(request);
        if (!asked) co_return http_error(400, asked.error().text);
        query.question = std::move(*asked);
    }
    const auto traced = co_await view::trace(supervisor, std::move(query));
    if (!traced) co_return http_error(status_of(traced.error().kind), traced.error().text);
    co_return ok(*traced);
}

/// Of what a host holds.
HttpResponse unread(const Error& error) {
    return http_error(error.kind == ErrorKind::invalid ? 404 : 503, error.text);
}

/// An array is all flows or those of the hosts that answered: a field of the header names the others.
HttpResponse flows(Result<view::Flows> read) {
    if (!read) return unread(read.error());
    auto response = ok(std::move(read->flows));
    if (!read->missing.empty())
        response.fields.emplace_back("Weft-Missing", fmt::format("{}", fmt::join(read->missing, ", ")));
    return response;
}

Task<HttpResponse> show(const Supervisor& supervisor, std::string_view path) {
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) co_return http_error(404, "show needs a kind and a name: /v1/show/port/web1");
    const std::string kind(path.substr(0, slash));
    const std::string name(path.substr(slash + 1));
    const auto shown = co_await view::show(supervisor, kind, name);
    if (!shown) co_return http_error(404, shown.error().text);
    co_return ok(*shown);
}

} // namespace

HttpResponse ok(const json::value& value, unsigned status) {
    return {status, "application/json", json::serialize(value) + "\n"};
}

Task<HttpResponse> Api::plug(std::string verb, std::string body) {
    const bool migrates = verb == "migrate";
    auto wanted = plug_request(body, migrates);
    if (!wanted) co_return http_error(400, wanted.error().text);
    const auto done = migrates           ? co_await plugging_.migrate(std::move(*wanted))
                      : verb == "attach" ? co_await plugging_.attach(std::move(*wanted))
                                         : co_await plugging_.detach(std::move(*wanted));
    if (!done) co_return http_error(status_of(done.error().kind), done.error().text);
    json::array ips;
    for (const auto& ip : done->ips)
        ips.emplace_back(ip.to_string());
    co_return ok(json::object{{"port", done->port},
                              {"network", done->network},
                              {"vm", done->vm},
                              {"host", done->host},
                              {"mac", done->mac.to_string()},
                              {"ips", std::move(ips)},
                              {"interface", done->interface},
                              {"state", done->up ? "up" : "unbound"}});
}

Task<HttpResponse> Api::handle(HttpRequest request) {
    const auto& path = request.path;
    if (request.method == "POST" && (path == "/v1/attach" || path == "/v1/detach" || path == "/v1/migrate"))
        co_return co_await plug(path.substr(std::string_view("/v1/").size()), std::move(request.body));
    if (request.method == "POST" && topologies::takes(path))
        co_return co_await topologies::post(supervisor_, path, std::move(request.body));
    if (request.method != "GET")
        co_return http_error(405, "only GET, and POST on /v1/plan, /v1/apply, /v1/confirm, /v1/rollback, /v1/attach, "
                                  "/v1/detach and /v1/migrate");
    if (path == "/healthz") co_return HttpResponse{200, "text/plain", "ok\n"};
    if (path == "/metrics")
        co_return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8",
                               co_await view::metrics(supervisor_, counts_)};
    if (path == "/v1/status") co_return ok(view::status(supervisor_));
    if (path == "/v1/history") co_return ok(view::history(supervisor_));
    if (path == "/v1/topology") co_return ok(view::topology(supervisor_));
    if (path == "/v1/rows") {
        const auto rows = view::rows(supervisor_, query_value(request, "host"));
        co_return rows ? ok(*rows) : unread(rows.error());
    }
    if (path == "/v1/hosts") co_return ok(view::hosts(supervisor_));
    if (path == "/v1/networks") co_return ok(view::networks(supervisor_));
    if (path == "/v1/services") co_return ok(view::services(supervisor_));
    if (path == "/v1/ports") co_return ok(co_await view::ports(supervisor_));
    if (path == "/v1/routers") co_return ok(view::routers(supervisor_));
    if (path == "/v1/gateways") co_return ok(view::gateways(supervisor_));
    if (path == "/v1/groups") co_return ok(co_await view::groups(supervisor_));
    if (path == "/v1/qos") co_return ok(co_await view::qos(supervisor_));
    if (path == "/v1/nat") co_return ok(co_await view::translations(supervisor_));
    if (path == "/v1/flows") {
        view::FlowQuery query{query_value(request, "host"),        query_value(request, "owner"),
                              query_value(request, "stage"),       query_value(request, "drops") == "1",
                              query_value(request, "hits") == "1", query_value(request, "raw") == "1"};
        co_return flows(co_await view::flows(supervisor_, std::move(query)));
    }
    if (path == "/v1/trace") co_return co_await trace(supervisor_, request);
    if (path == "/v1/events") co_return co_await events(supervisor_, request);
    constexpr std::string_view kShow = "/v1/show/";
    if (path.starts_with(kShow)) co_return co_await show(supervisor_, std::string_view(path).substr(kShow.size()));
    if (auto file = page(request)) co_return std::move(*file);
    co_return http_error(404, fmt::format("no such path: {}", path));
}

} // namespace weft::controller
