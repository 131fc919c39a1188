#include "cli/commands.hpp"
#include "tests/cli/scripted_daemon.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weft::cli {
namespace {

namespace json = boost::json;
using test::ScriptedDaemon;
using testing::HasSubstr;
using testing::Not;

class SupportBundleTest : public testing::Test {
  protected:
    SupportBundleTest() {
        daemon.answer("/v1/status", R"({"version":"1.2","revision":3,"hosts":[]})");
        daemon.answer("/v1/hosts", R"([{"name":"kvm1","state":"synced","ovs_version":"3.1.0"},
            {"name":"kvm2","state":"down","reason":"Connection refused","ovs_version":null}])");
        daemon.answer("/v1/topology", R"({"revision":3,"source":"/etc/weft","sources":[
            {"name":"/etc/weft/../a.toml","text":"libvirt = \"qemu+tcp://root:swordfish@kvm1/system\""}]})");
        daemon.answer("/v1/plan", R"({"objects":[]})");
        for (const auto* list :
             {"history", "networks", "ports", "routers", "gateways", "groups", "qos", "nat", "services"})
            daemon.answer(std::string("/v1/") + list, "[]");
        daemon.answer("/v1/rows?host=kvm1", R"({"host":"kvm1","tables":{}})");
        daemon.answer("/v1/rows?host=kvm2", R"({"error":"kvm2 is not connected"})", 503);
        daemon.answer("/v1/flows?host=kvm1", R"([{"table":0}])");
        daemon.answer("/v1/flows?host=kvm2", R"({"error":"kvm2 does not answer: no answer in time"})", 503);
        daemon.answer("/v1/events?since=0", R"({"events":[],"next":1})");
        daemon.answer("/metrics", "weft_revision 3\n");
        daemon.file("weftd.toml", "state_dir = \"" + daemon.directory().string() + "\"\n");
    }
    test::Ran bundle(std::vector<std::string> more = {}) {
        more.insert(more.begin(), {"support-bundle", path});
        return daemon.weftctl(more);
    }
    /// By tar's own hand.
    std::string unpacked(const std::string& name) const {
        const auto into = daemon.directory().string();
        EXPECT_EQ(std::system(("tar -xzf " + path + " -C " + into).c_str()), 0);
        std::ifstream file(into + "/weft-support/" + name);
        std::ostringstream text;
        text << (file ? "" : "no such file") << file.rdbuf();
        return text.str();
    }

    ScriptedDaemon daemon;
    const std::string path = (daemon.directory() / "bundle.tar.gz").string();
};

TEST_F(SupportBundleTest, HasAllThatWeftdTells) {
    const auto ran = bundle();
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, path + "\n");
    EXPECT_EQ(unpacked("metrics.txt"), "weft_revision 3\n");
    EXPECT_EQ(json::parse(unpacked("flows/kvm1.json")), json::parse(R"([{"table":0}])"));
    EXPECT_EQ(json::parse(unpacked("plan.json")), json::parse(R"({"objects":[]})"));
    for (const auto* name : {"status", "hosts", "history", "topology", "networks", "ports", "routers", "gateways",
                             "groups", "qos", "nat", "services", "rows/kvm1", "events"})
        EXPECT_NO_THROW(json::parse(unpacked(std::string(name) + ".json"))) << name;
    const auto versions = json::parse(unpacked("versions.json"));
    EXPECT_EQ(versions.at("weftd"), "1.2");
    EXPECT_EQ(versions.at("open_vswitch"), json::parse(R"({"kvm1":"3.1.0","kvm2":null})"));
    EXPECT_THAT(versions.at("kernel").as_string(), HasSubstr("."));
    EXPECT_THAT(unpacked("README.txt"), HasSubstr("MAC and IP"));
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(SupportBundleTest, NamesWhatIsMissing) {
    const auto ran = bundle();
    EXPECT_EQ(ran.code, 0);
    EXPECT_THAT(ran.err, HasSubstr("not in the bundle: rows/kvm2: kvm2 is not connected\n"));
    EXPECT_THAT(ran.err, HasSubstr("not in the bundle: flows/kvm2: kvm2 does not answer: no answer in time\n"));
    EXPECT_EQ(unpacked("rows/kvm2.error.txt"), "kvm2 is not connected\n");
    const auto as_json = daemon.weftctl({"-o", "json", "support-bundle", path + "2"});
    const auto told = json::parse(as_json.out);
    EXPECT_EQ(told.at("file").as_string(), path + "2");
    EXPECT_EQ(told.at("missing").as_array().size(), 2U);
}

TEST_F(SupportBundleTest, HasNoSecretsAndNoNamesThatLeadOut) {
    bundle();
    EXPECT_EQ(unpacked("topology/01-a.toml"), "libvirt = \"qemu+tcp://root:***@kvm1/system\"");
    EXPECT_THAT(unpacked("topology.json"), Not(HasSubstr("swordfish")));
}

TEST_F(SupportBundleTest, LeavesOutEventsOnRequest) {
    EXPECT_EQ(bundle({"--no-events"}).code, 0);
    EXPECT_EQ(unpacked("events.json"), "no such file");
}

TEST_F(SupportBundleTest, OfADaemonThatIsAwayIsTheReasonAndAnError) {
    daemon.variables["WEFT_API"] = "unix:" + (daemon.directory() / "nobody.sock").string();
    const auto ran = bundle();
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("not in the bundle: status, hosts, history, topology, "));
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
    EXPECT_THAT(unpacked("status.error.txt"), HasSubstr("is it running?"));
    EXPECT_THAT(unpacked("versions.json"), HasSubstr("\"weftctl\""));
}

TEST_F(SupportBundleTest, OfADaemonThatIsAwayIsWhatItLeftInFiles) {
    daemon.variables["WEFT_API"] = "unix:" + (daemon.directory() / "nobody.sock").string();
    daemon.file("weftd.toml", "state_dir = \"" + daemon.directory().string() +
                                  "\"\n[tls]\nkey = \"/etc/weft/k.pem\"\n"
                                  "[host.kvm1]\nlibvirt = \"qemu+tcp://root:swordfish@kvm1/system\"\n");
    const auto revision = [](const char* text) {
        return "weft 1 9 00ff\n" + json::serialize(json::array{json::object{{"name", "a.toml"}, {"text", text}}});
    };
    daemon.file("state", "weft 1 14 00ff\n{\"format\":1}");
    daemon.file("revision-9", revision("old"));
    daemon.file("revision-10", revision("psk = \"sword\\\"fish\""));
    daemon.file("revision-10.1", revision("damaged"));
    daemon.file("events.jsonl", "{\"seq\":1,\"text\":\"up\"}\n{\"seq\":2,\"te");
    EXPECT_THAT(bundle().err, Not(HasSubstr("state")));
    EXPECT_THAT(unpacked("weftd.toml"), HasSubstr("key = \"/etc/weft/k.pem\"\n"));
    EXPECT_THAT(unpacked("weftd.toml"), HasSubstr("root:***@kvm1"));
    EXPECT_EQ(json::parse(unpacked("state/state.json")), json::parse(R"({"format":1})"));
    EXPECT_EQ(json::parse(unpacked("state/revision-10.json")).at(0).at("text"), "psk = \"***\"");
    EXPECT_EQ(unpacked("state/revision-9.json"), "no such file");
    EXPECT_EQ(json::parse(unpacked("state/events.json")), json::parse(R"([{"seq":1,"text":"up"}])"));
    ASSERT_EQ(std::remove(path.c_str()), 0);
    daemon.file("weftd.toml", "state_dir = \"/nowhere\"");
    EXPECT_THAT(bundle({"--no-events"}).err, HasSubstr("not in the bundle: state: cannot read /nowhere: No such file"));
}

TEST_F(SupportBundleTest, OfADaemonThatAnswersHasItsSettingsAndNotItsFiles) {
    daemon.file("state", "weft 1 2 00ff\n{}");
    EXPECT_EQ(bundle().code, 0);
    EXPECT_THAT(unpacked("weftd.toml"), HasSubstr("state_dir"));
    EXPECT_EQ(unpacked("state/state.json"), "no such file");
}

TEST_F(SupportBundleTest, EndsAskingADaemonThatHangs) {
    ScriptedDaemon hanging;
    hanging.answer("/v1/status", "{}");
    for (const auto* target : {"/v1/hosts", "/v1/history"})
        hanging.answer(target, "", 0);
    std::ostringstream out, err;
    Environment environment{out, err, {}, false, {}};
    Context context{.environment = environment, .daemon = Daemon(hanging.address())};
    EXPECT_EQ(support_bundle(context, {.file = path, .patience = Milliseconds(50)}), 0);
    EXPECT_EQ(hanging.asked().size(), 3U) << "not again after the second that it did not answer";
    EXPECT_THAT(unpacked("ports.error.txt"), HasSubstr("did not answer"));
}

TEST_F(SupportBundleTest, LeavesNothingWhenItIsGivenUp) {
    ScriptedDaemon hanging;
    hanging.answer("/v1/status", "", 0);
    const auto given_up = (hanging.directory() / "bundle.tar.gz").string();
    EXPECT_EXIT(
        {
            ::ualarm(200'000, 0);
            hanging.weftctl({"support-bundle", given_up});
        },
        testing::KilledBySignal(SIGALRM), "");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(hanging.directory()), {}), 1) << "the socket";
}

TEST_F(SupportBundleTest, SaysWhyItCannotBeWritten) {
    const auto before = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit full{100, limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    const auto ran = bundle();
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, before);
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "weftctl: cannot write " + path + ": File too large\n");
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(SupportBundleTest, OverwritesNothing) {
    std::ofstream(path) << "precious";
    const auto ran = bundle();
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("is there already"));
    std::ifstream kept(path);
    std::string text;
    kept >> text;
    EXPECT_EQ(text, "precious");
    EXPECT_EQ(daemon.weftctl({"support-bundle", "/nowhere/x.tar.gz"}).code, 1);
}

} // namespace
} // namespace weft::cli
