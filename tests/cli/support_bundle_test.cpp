#include "tests/cli/scripted_daemon.hpp"

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/stat.h>

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
    EXPECT_THAT(unpacked("README.txt"), HasSubstr("MAC and IP addresses"));
    struct stat status {};
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
    EXPECT_THAT(ran.err, HasSubstr("not in the bundle: status: cannot reach weftd at"));
    EXPECT_THAT(unpacked("status.error.txt"), HasSubstr("is it running?"));
    EXPECT_THAT(unpacked("versions.json"), HasSubstr("\"weftctl\""));
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
