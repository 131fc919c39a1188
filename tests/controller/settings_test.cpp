#include "controller/settings.hpp"

#include <gtest/gtest.h>

namespace weft::controller {
namespace {

ParsedSettings parse(const std::string& text) {
    return parse_settings({"weftd.toml", text});
}

/// "line:column text; remedy" of every problem.
std::vector<std::string> problems(const std::string& text) {
    std::vector<std::string> said;
    for (const auto& problem : parse(text).problems) {
        said.push_back(std::to_string(problem.where.line) + ":" + std::to_string(problem.where.column) + " " +
                       problem.text + (problem.remedy.empty() ? "" : "; " + problem.remedy));
    }
    return said;
}

using Said = std::vector<std::string>;

TEST(Settings, OfAnEmptyFileAreTheDefaults) {
    const auto parsed = parse("");
    EXPECT_TRUE(parsed.ok());
    EXPECT_EQ(parsed.settings, Settings{});
    EXPECT_EQ(parsed.settings.openflow.to_string(), "tcp:0.0.0.0:6653");
}

TEST(Settings, ReadsEveryKey) {
    const auto parsed = parse(R"(
openflow  = "ssl:0.0.0.0:6653"
api       = ["unix:/run/weft/api.sock", "http:[::1]:8080"]
state_dir = "/srv/weft"
advertise = "192.0.2.1"
log_level = "debug"
[tls]
key = "/etc/weft/key.pem"
certificate = "/etc/weft/cert.pem"
ca = "/etc/weft/ca.pem"
[host.kvm1]
ovsdb = "tcp:192.0.2.11:6640"
vtep = "192.0.2.11"
datapath = "netdev"
uplinks = { physnet1 = "eth1" }
libvirt = "qemu:///system"
)");
    ASSERT_TRUE(parsed.ok()) << parsed.problems[0].text;
    const auto& settings = parsed.settings;
    EXPECT_EQ(settings.openflow.transport, Endpoint::Transport::ssl);
    EXPECT_EQ(settings.api, (std::vector<std::string>{"unix:/run/weft/api.sock", "http:[::1]:8080"}));
    EXPECT_EQ(settings.state_dir, "/srv/weft");
    EXPECT_EQ(settings.advertise, "192.0.2.1");
    EXPECT_EQ(settings.log_level, LogLevel::debug);
    EXPECT_EQ(settings.tls, (TlsFiles{"/etc/weft/key.pem", "/etc/weft/cert.pem", "/etc/weft/ca.pem"}));
    EXPECT_EQ(settings.hosts.at("kvm1").datapath, topology::Datapath::netdev);
    EXPECT_EQ(parse("api = \"unix:/a\"").settings.api, std::vector<std::string>{"unix:/a"});
    EXPECT_TRUE(parse("api = []").settings.api.empty());
}

TEST(Settings, NamesEveryProblemAndItsPlace) {
    EXPECT_EQ(problems("openflw = \"tcp:0.0.0.0:6653\"\n[tls]\nkeys = \"x\"\n[host.kvm1]\nvtp = \"192.0.2.1\"\n"),
              (Said{"1:1 unknown key 'openflw'; did you mean 'openflow'?", "2:1 [tls] has no 'key'",
                    "2:1 [tls] has no 'certificate'", "2:1 [tls] has no 'ca'",
                    "3:1 unknown key 'keys' in [tls]; did you mean 'key'?",
                    "5:1 unknown key 'vtp' in [host.kvm1]; did you mean 'vtep'?"}));
    EXPECT_EQ(problems("log_level = \"warn\"\nstate_dir = \"here\"\nadvertise = 5\n"),
              (Said{"1:13 no log level 'warn'; known here: debug, info, warning, error",
                    "2:13 state_dir must be an absolute path", "3:13 'advertise' must be a string"}));
    EXPECT_EQ(problems("api = [\"tcp:1.2.3.4:80\"]").size(), 1U);
    EXPECT_EQ(problems("api = \"http:localhost:80\"").size(), 1U);
    EXPECT_EQ(problems("openflow = \"unix:/x\"").size(), 1U);
    EXPECT_EQ(problems("openflow = \"tcp:nowhere\"").size(), 1U);
    EXPECT_EQ(problems("[host.kvm1]\ndatapath = \"kernel\"\nvtep = \"x\"\novsdb = \"y\"\nuplinks = 1\n").size(), 4U);
    EXPECT_EQ(problems("openflow = \"ssl:0.0.0.0:6653\""),
              Said{"1:12 openflow is ssl, but there is no [tls]; add [tls] with key, certificate and ca"});
    EXPECT_EQ(problems("[host.kvm1]\nlibvirt = \"qemu+tcp://root:sw0rdfish@kvm1/system\"\n"),
              Said{"2:11 'libvirt' has a password in it, which libvirt does not take from a URI; take it out: use "
                   "qemu+ssh:// with a key, or qemu+tls:// with a certificate"});
    const auto syntax = problems("a = \n");
    ASSERT_EQ(syntax.size(), 1U);
    EXPECT_TRUE(syntax[0].starts_with("1:"));
}

TEST(Settings, OfAHostWinOverTheTopology) {
    topology::Topology topology;
    topology.hosts["kvm1"].ovsdb = "tcp:192.0.2.1:6640";
    topology.hosts["kvm1"].libvirt = "qemu:///system";
    topology.hosts["kvm1"].uplinks = {{"physnet1", "eth1"}, {"physnet2", "eth2"}};
    topology.hosts["kvm2"].ovsdb = "tcp:192.0.2.2:6640";
    const auto parsed = parse("[host.kvm1]\novsdb = \"unix:/run/a.sock\"\nuplinks = {physnet1 = \"veth1\"}\n"
                              "vtep = \"fd00::1\"\n[host.unknown]\nvtep = \"192.0.2.9\"\n");
    ASSERT_TRUE(parsed.ok());
    apply_host_settings(parsed.settings.hosts, topology);
    EXPECT_EQ(topology.hosts["kvm1"].ovsdb, "unix:/run/a.sock");
    EXPECT_EQ(topology.hosts["kvm1"].vtep, Ip::parse("fd00::1"));
    EXPECT_EQ(topology.hosts["kvm1"].libvirt, "qemu:///system");
    EXPECT_EQ(topology.hosts["kvm1"].uplinks, (std::map<std::string, std::string>{{"physnet1", "veth1"}}));
    EXPECT_EQ(topology.hosts["kvm2"].ovsdb, "tcp:192.0.2.2:6640");
    EXPECT_EQ(topology.hosts.size(), 2U);
}

} // namespace
} // namespace weft::controller
