#include "controller/api.hpp"

#include "tests/controller/temporary_directory.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

namespace weft::controller {
namespace {

namespace json = boost::json;

constexpr const char* kTopology = R"(
[[host]]
name = "kvm1"
ovsdb = "tcp:127.0.0.1:1"
vtep = "192.0.2.11"
datapath = "netdev"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm2"
ovsdb = "tcp:127.0.0.1:2"
vtep = "192.0.2.12"
datapath = "netdev"
uplinks = { physnet1 = "eth1" }
[[network]]
name = "private1"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"
[[router]]
name = "main"
networks = ["private1"]
gateway = "igw1"
routes = [{ prefix = "192.168.50.0/24", via = "10.0.1.254" }]
[[gateway]]
name = "igw1"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
snat = ["203.0.113.2", "203.0.113.8-203.0.113.9"]
hosts = ["kvm2", "kvm1"]
[[floating_ip]]
address = "203.0.113.20"
port = "web1"
gateway = "igw1"
[[port_forward]]
gateway = "igw1"
address = "203.0.113.2"
protocol = "tcp"
ports = "8000-8010"
to = "web1:9000-9010"
[[port]]
name = "web1"
network = "private1"
ip = "10.0.1.10"
)";

/// A daemon with kTopology in force, none of whose hosts can be reached.
class ApiTest : public testing::Test {
  protected:
    ApiTest() : store_(std::move(*FileStore::open(directory_.path()))) {}

    void SetUp() override {
        ASSERT_TRUE(supervisor_.start());
        const std::vector<topology::Source> sources{{"test.toml", kTopology}};
        const auto candidate = supervisor_.intent().consider(sources);
        for (const auto& problem : candidate.problems)
            EXPECT_NE(problem.severity, topology::Severity::error) << topology::render(problem, sources);
        ASSERT_TRUE(candidate.ok());
        ASSERT_TRUE(supervisor_.apply(candidate, "test.toml", sources));
    }
    void TearDown() override {
        supervisor_.stop();
        io_.run();
    }

    json::value get(const std::string& path, unsigned status = 200) { return ask("GET", path, "", status); }
    json::value plan(const std::string& text) {
        const json::object body{{"sources", json::array{json::object{{"name", "test.toml"}, {"text", text}}}}};
        return ask("POST", "/v1/plan", json::serialize(body), 200);
    }

    HttpResponse answer(HttpRequest request) {
        std::optional<HttpResponse> response;
        asio::co_spawn(io_, api_.handle(std::move(request)), [&](const std::exception_ptr& thrown, HttpResponse given) {
            EXPECT_FALSE(thrown);
            response = std::move(given);
        });
        while (!response)
            io_.run_one();
        return std::move(*response);
    }

  private:
    json::value ask(const std::string& method, const std::string& path, const std::string& body, unsigned status) {
        const auto response = answer({.method = method, .path = path, .query = {}, .body = body});
        EXPECT_EQ(response.status, status) << response.body;
        return json::parse(response.body);
    }

    test::TemporaryDirectory directory_;
    asio::io_context io_;
    Log log_{LogLevel::error, [](std::string_view) {}};
    EventLog events_{io_.get_executor(), {}, log_};
    std::unique_ptr<FileStore> store_;
    Supervisor supervisor_{io_, {.openflow = {Endpoint::Transport::tcp, "127.0.0.1", 0}}, *store_, log_, events_};
    Api api_{supervisor_};
};

TEST_F(ApiTest, ListsRouters) {
    const auto mac = fabric::router_mac("main").to_string();
    EXPECT_EQ(get("/v1/routers"), json::parse(R"([{"name": "main",
        "networks": [{"name": "private1", "addresses": ["10.0.1.1", "fd00:1::1"]}], "mac": ")" +
                                              mac + R"(", "gateway": "igw1",
        "routes": [{"prefix": "192.168.50.0/24", "via": "10.0.1.254", "network": "private1"}],
        "hosts": ["kvm1", "kvm2"]}])"));
}

TEST_F(ApiTest, ListsGateways) {
    const auto mac = nat::virtual_mac("igw1").to_string();
    EXPECT_EQ(get("/v1/gateways"), json::parse(R"([{"name": "igw1", "network": "public", "address": "203.0.113.2",
        "address6": null, "mac": ")" + mac + R"(", "active": "kvm2",
        "candidates": [{"host": "kvm2", "state": "active"}, {"host": "kvm1", "state": "standby"}],
        "nexthop": {"address": "203.0.113.1", "mac": null, "state": "resolving"}, "nexthop6": null,
        "snat": ["203.0.113.2", "203.0.113.8-203.0.113.9"], "routers": ["main"]}])"));
}

TEST_F(ApiTest, ListsTranslationsOfIpv4) {
    EXPECT_EQ(get("/v1/nat"), json::parse(R"([
        {"gateway": "igw1", "kind": "snat", "public": "203.0.113.2,203.0.113.8-203.0.113.9",
         "private": "10.0.1.0/24,192.168.50.0/24", "router": "main", "host": "kvm2", "packets": 0, "bytes": 0},
        {"gateway": "igw1", "kind": "floating_ip", "public": "203.0.113.20", "private": "web1 10.0.1.10",
         "router": null, "host": "kvm2", "packets": 0, "bytes": 0},
        {"gateway": "igw1", "kind": "port_forward", "public": "203.0.113.2:tcp:8000-8010",
         "private": "web1 10.0.1.10:9000-9010", "router": null, "host": "kvm2", "packets": 0, "bytes": 0}])"));
}

TEST_F(ApiTest, ShowsWhatRoutesAndTranslates) {
    EXPECT_EQ(get("/v1/show/router/main").at("translations").as_array().size(), 1U);
    EXPECT_EQ(get("/v1/show/gateway/igw1").at("translations").as_array().size(), 3U);
    EXPECT_EQ(get("/v1/show/floating_ip/203.0.113.20").at("private"), "web1 10.0.1.10");
    EXPECT_EQ(get("/v1/show/port_forward/203.0.113.2:tcp:8000-8010").at("to_ports"), "9000-9010");
    EXPECT_EQ(get("/v1/show/port/web1").at("network"), "private1");
    for (const auto* nothing : {"router/igw1", "gateway/main", "floating_ip/203.0.113.2", "floating_ip/x",
                                "port_forward/203.0.113.2:tcp:8000", "security_group/web"})
        get(std::string("/v1/show/") + nothing, 404);
}

TEST_F(ApiTest, ServesThePage) {
    EXPECT_THAT(answer({.method = "GET", .path = "/"}).content_type, testing::StartsWith("text/html"));
    EXPECT_EQ(answer({.method = "GET", .path = "/web/weft.js"}).status, 200U);
    EXPECT_EQ(answer({.method = "GET", .path = "/web/nothing.js"}).status, 404U);
    EXPECT_EQ(answer({.method = "POST", .path = "/"}).status, 405U);
}

TEST_F(ApiTest, PlansNothingForTheTopologyInForce) {
    EXPECT_EQ(plan(std::string("# a comment\n") + kTopology),
              json::parse(R"({"objects": [], "hosts": [], "reachability": [], "reachability_left_out": 0})"));
}

TEST_F(ApiTest, PlansNoNumbersForHostsThatItDoesNotReach) {
    std::string text = kTopology;
    text.replace(text.find("10.0.1.10"), 9, "10.0.1.11");
    EXPECT_EQ(plan(text), json::parse(R"({"objects": [{"op": "~", "kind": "port", "name": "web1"}], "hosts": [
        {"name": "kvm1", "flows": null, "groups": null, "meters": null, "rows": null, "forgetting": null,
         "more": false, "unplugs": false, "leaves": false},
        {"name": "kvm2", "flows": null, "groups": null, "meters": null, "rows": null, "forgetting": null,
         "more": false, "unplugs": false, "leaves": false}], "reachability": [], "reachability_left_out": 0})"));
}

TEST_F(ApiTest, GivesTheTextOfTheTopologyInForce) {
    const auto topology = get("/v1/topology");
    EXPECT_EQ(topology.at("revision"), 1);
    EXPECT_EQ(topology.at("sources"),
              json::value(json::array{json::object{{"name", "test.toml"}, {"text", kTopology}}}));
}

TEST_F(ApiTest, HasNoRowsOfHostsThatAreDown) {
    EXPECT_EQ(answer({.method = "GET", .path = "/v1/rows", .query = {{"host", "kvm1"}}}).status, 503U);
    EXPECT_EQ(answer({.method = "GET", .path = "/v1/rows", .query = {{"host", "kvm9"}}}).status, 404U);
    EXPECT_EQ(answer({.method = "GET", .path = "/v1/rows"}).status, 404U);
}

TEST_F(ApiTest, FlowsOfHostsThatDoNotAnswerAreMissing) {
    const auto flows = [&](decltype(HttpRequest::query) query) {
        return answer({.method = "GET", .path = "/v1/flows", .query = std::move(query)});
    };
    const auto all = flows({});
    EXPECT_EQ(all.status, 200U);
    EXPECT_EQ(all.body, "[]\n");
    EXPECT_EQ(all.fields, (decltype(all.fields){{"Weft-Missing", "kvm1, kvm2"}}));
    const auto one = flows({{"host", "kvm1"}});
    EXPECT_EQ(one.status, 503U);
    EXPECT_EQ(one.body, R"({"error":"kvm1 does not answer: the bridge is not connected to weftd"})"
                        "\n");
}

TEST_F(ApiTest, FlowsOfWhatIsNotThereAreAnError) {
    using Query = decltype(HttpRequest::query);
    for (const auto& [query, text] :
         {std::pair(Query{{"host", "kvm3"}}, "no host 'kvm3': did you mean 'kvm1'?"),
          std::pair(Query{{"stage", "gaurd"}}, "no stage 'gaurd': did you mean 'guard'?"),
          std::pair(Query{{"owner", "prot/web1"}}, "no object 'prot/web1': did you mean 'port/web1'?"),
          std::pair(Query{{"owner", "port/nobody"}}, "no object 'port/nobody'"),
          std::pair(Query{{"owner", "web1"}}, "no object 'web1': write KIND/NAME, as in port/web1")}) {
        const auto response = answer({.method = "GET", .path = "/v1/flows", .query = query});
        EXPECT_EQ(response.status, 404U);
        EXPECT_EQ(json::parse(response.body).at("error").as_string(), text);
    }
    for (const auto* owner : {"port/web1", "network/private1", "floating_ip/203.0.113.20", "port/?", "unknown"})
        EXPECT_EQ(answer({.method = "GET", .path = "/v1/flows", .query = {{"owner", owner}}}).status, 200U) << owner;
}

TEST_F(ApiTest, MetricsTellOfEveryHostAndGateway) {
    const auto response = answer({.method = "GET", .path = "/metrics"});
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
    for (const auto* line : {"weft_revision 1",
                             "weft_converged 0",
                             "weft_revisions_awaiting_confirm 0",
                             R"(weft_host_state{host="kvm1",state="syncing"} 1)",
                             R"(weft_host_state{host="kvm1",state="synced"} 0)",
                             R"(weft_host_connections_total{host="kvm2",protocol="openflow"} 0)",
                             R"(weft_host_messages_sent_total{host="kvm2",kind="flow_mod"} 0)",
                             R"(weft_drift_repairs_total{host="kvm1"} 0)",
                             R"(weft_events_total{kind="topology_applied"} 1)",
                             R"(weft_gateway_active{gateway="igw1",host="kvm2"} 1)",
                             R"(weft_gateway_active{gateway="igw1",host="kvm1"} 0)",
                             R"(weft_gateway_next_hop_state{gateway="igw1",address="203.0.113.1",state="resolving"} 1)",
                             R"(weft_gateway_next_hop_state{gateway="igw1",address="203.0.113.1",state="failed"} 0)",
                             R"(weft_ports{state="unbound"} 1)",
                             R"(weft_ports{state="up"} 0)",
                             R"(weft_events_total{kind="libvirt_down"} 0)",
                             R"(weft_translations{gateway="igw1",kind="floating_ip"} 1)",
                             R"(weft_leases{protocol="dhcp"} 0)",
                             "weft_apply_duration_seconds_count 1",
                             "# TYPE weft_event_loop_delay_seconds histogram",
                             "# TYPE process_cpu_seconds_total counter"})
        EXPECT_NE(response.body.find(std::string(line) + "\n"), std::string::npos) << line << "\n" << response.body;
}

/// https://prometheus.io/docs/practices/naming/ and the text format: each family once, in one piece.
TEST_F(ApiTest, MetricsAreNamedAsPrometheusHasIt) {
    std::set<std::string> families;
    std::istringstream lines(answer({.method = "GET", .path = "/metrics"}).body);
    std::string name, type;
    for (std::string line; std::getline(lines, line);) {
        if (std::istringstream words(line); line.starts_with("# TYPE ")) {
            std::string hash, keyword;
            words >> hash >> keyword >> name >> type;
            EXPECT_TRUE(families.insert(name).second) << name;
            EXPECT_TRUE(name.starts_with("weft_") || name.starts_with("process_")) << name;
            EXPECT_EQ(name.ends_with("_total"), type == "counter") << name;
            if (type == "histogram") EXPECT_TRUE(name.ends_with("_seconds")) << name;
        } else if (!line.starts_with('#')) {
            EXPECT_TRUE(line.starts_with(name)) << line << " in " << name;
        }
    }
    EXPECT_GT(families.size(), 25U);
}

} // namespace
} // namespace weft::controller
