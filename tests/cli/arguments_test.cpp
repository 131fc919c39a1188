#include "pipeline/stages.hpp"
#include "tests/cli/scripted_daemon.hpp"

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::cli {
namespace {

using test::ScriptedDaemon;
using testing::HasSubstr;

constexpr const char* kStatus = R"({"revision":1,"converged":true,"hosts":[]})";

TEST(Arguments, WithoutACommandAreAnError) {
    ScriptedDaemon daemon;
    const auto ran = daemon.weftctl({});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "weftctl: no command given: weftctl --help lists them\n");
}

TEST(Arguments, WithATypoGetTheNearestCommand) {
    ScriptedDaemon daemon;
    EXPECT_EQ(daemon.weftctl({"stauts"}).err, "weftctl: no command 'stauts': did you mean 'status'?\n");
    EXPECT_EQ(daemon.weftctl({"-o", "json", "prots"}).err, "weftctl: no command 'prots': did you mean 'ports'?\n");
    EXPECT_EQ(daemon.weftctl({"make-coffee"}).code, 1);
}

TEST(Arguments, ThatAreWrongAreErrors) {
    ScriptedDaemon daemon;
    for (const std::vector<std::string>& wrong : {std::vector<std::string>{"status", "--bogus"},
                                                  {"-o", "xml", "status"},
                                                  {"wait", "--timeout", "soon"},
                                                  {"show", "port"},
                                                  {"validate"},
                                                  {"completion", "zsh"},
                                                  {"--lab", "status"},
                                                  {"events", "-n", "x"}}) {
        const auto ran = daemon.weftctl(wrong);
        EXPECT_EQ(ran.code, 1) << wrong[0];
        EXPECT_THAT(ran.err, testing::StartsWith("weftctl: "));
        EXPECT_EQ(ran.out, "");
    }
    EXPECT_TRUE(daemon.asked().empty());
}

TEST(Arguments, ThatAreWrongNameTheHelpOfTheirCommand) {
    ScriptedDaemon daemon;
    EXPECT_THAT(daemon.weftctl({"import", "xen"}).err, testing::EndsWith("; weftctl import --help shows how\n"));
    EXPECT_THAT(daemon.weftctl({"--lab", "show", "port"}).err, testing::EndsWith("; weftctl show --help shows how\n"));
    EXPECT_THAT(daemon.weftctl({"-o", "xml", "status"}).err, HasSubstr("--help shows how\n"));
    EXPECT_THAT(daemon.weftctl({"apply", "x", "--confirm-within", "0s"}).err,
                HasSubstr("'0s' is no time at all: it must be longer than 0"));
    EXPECT_THAT(daemon.weftctl({"wait", "--timeout", "0"}).err, HasSubstr("'0' is no duration"));
}

TEST(Help, HasExamplesForEveryCommand) {
    ScriptedDaemon daemon;
    const auto help = daemon.weftctl({"--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("--lab[=NAME]"));
    for (const auto* command :
         {"validate", "plan",   "apply",   "confirm",  "rollback", "history", "wait",       "status",        "hosts",
          "networks", "ports",  "routers", "gateways", "groups",   "qos",     "nat",        "flows",         "show",
          "events",   "attach", "detach",  "migrate",  "trace",    "import",  "completion", "support-bundle"}) {
        EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + command + " "));
        const auto of_command = daemon.weftctl({command, "--help"});
        EXPECT_EQ(of_command.code, 0);
        EXPECT_THAT(of_command.out, HasSubstr("Examples:\n  ")) << command;
    }
    EXPECT_THAT(help.out, testing::Not(HasSubstr("\n  names ")));
}

TEST(FindingTheDaemon, PrefersOptionsToTheEnvironment) {
    ScriptedDaemon daemon;
    daemon.answer("/v1/status", kStatus);
    daemon.variables["WEFT_API"] = daemon.address();
    EXPECT_EQ(daemon.weftctl({"status"}).code, 0);
    EXPECT_EQ(daemon.weftctl({"status", "--api", "unix:/nowhere"}).code, 1);
    EXPECT_THAT(daemon.weftctl({"status", "--lab=other"}).err,
                HasSubstr("cannot reach weftd of lab 'other' at unix:/run/weft-lab/other/api.sock: is it up?"));
    EXPECT_THAT(daemon.weftctl({"--lab", "status"}).err, HasSubstr("/run/weft-lab/default/api.sock"));
    daemon.variables["WEFT_API"] = daemon.address().substr(5); // a bare path
    EXPECT_EQ(daemon.weftctl({"status"}).code, 0);
    daemon.variables["WEFT_API"] = "";
    EXPECT_THAT(daemon.weftctl({"status"}).err,
                testing::StartsWith("weftctl: cannot reach weftd at unix:/run/weft/api.sock: is it "
                                    "running? systemctl status weftd"));
}

TEST(FindingTheDaemon, ExplainsAddressesAndStrangers) {
    ScriptedDaemon daemon;
    EXPECT_THAT(daemon.weftctl({"status", "--api", "tcp:1.2.3.4:5"}).err, HasSubstr("--api"));
    daemon.variables["WEFT_API"] = "tcp:1.2.3.4:5";
    EXPECT_THAT(daemon.weftctl({"status"}).err, HasSubstr("write unix:PATH or http:ADDRESS:PORT"));
    daemon.variables["WEFT_API"] = "http://127.0.0.1:1/";
    EXPECT_THAT(daemon.weftctl({"status"}).err, HasSubstr("cannot reach weftd at http:127.0.0.1:1"));
    daemon.variables["WEFT_API"] = daemon.address();
    daemon.answer("/v1/status", "<html>");
    EXPECT_THAT(daemon.weftctl({"status"}).err, HasSubstr("is it weftd?"));
    daemon.answer("/v1/hosts", R"({"error":"the state is being read"})", 503);
    const auto ran = daemon.weftctl({"hosts"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "weftctl: the state is being read\n");
}

TEST(Completion, IsBashAndKnowsTheOptions) {
    ScriptedDaemon daemon;
    const auto ran = daemon.weftctl({"completion", "bash"});
    EXPECT_EQ(ran.code, 0);
    const auto script = daemon.file("completion.bash", ran.out);
    const auto complete = [&](const std::string& line) {
        // A weftctl that has the objects of each kind: kind1, kind2.
        const auto command = "weftctl() { for i in 1 2; do echo \"${*: -1}$i\"; done; }; source " + script +
                             "; COMP_WORDS=(" + line +
                             "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _weftctl; echo \"${COMPREPLY[@]}\"";
        FILE* pipe = ::popen(("bash -c '" + command + "' 2>&1").c_str(), "r");
        std::string output;
        for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
            output += static_cast<char>(c);
        ::pclose(pipe);
        return output;
    };
    EXPECT_EQ(complete("weftctl sta"), "status\n");
    EXPECT_EQ(complete("weftctl --lab = x flows --dr"), "--drops\n");
    EXPECT_EQ(complete("weftctl show security"), "security_group\n");
    EXPECT_EQ(complete("weftctl gat"), "gateways\n");
    EXPECT_EQ(complete("weftctl nat --w"), "--watch\n");
    EXPECT_EQ(complete("weftctl ports -o j"), "json\n");
    EXPECT_EQ(complete("weftctl completion b"), "bash\n");
    EXPECT_EQ(complete("weftctl import l"), "libvirt\n");
    EXPECT_EQ(complete("weftctl import libvirt --u"), "--uri\n");
    EXPECT_EQ(complete("weftctl mig"), "migrate\n");
    EXPECT_EQ(complete("weftctl conf"), "confirm\n");
    EXPECT_EQ(complete("weftctl rollb"), "rollback\n");
    EXPECT_EQ(complete("weftctl rollback r"), "revision1 revision2\n");
    EXPECT_EQ(complete("weftctl trace --from p"), "port1 port2\n");
    EXPECT_EQ(complete("weftctl trace --from port1 --to p"), "port1 port2\n");
    for (const auto& stage : pipeline::kStages)
        EXPECT_THAT(" " + complete("weftctl flows --stage " + std::string(stage.name)),
                    HasSubstr(" " + std::string(stage.name)));
    EXPECT_EQ(complete("weftctl apply --conf"), "--confirm-within\n");
    EXPECT_EQ(complete("weftctl history --w"), "--watch\n");
    EXPECT_EQ(complete("weftctl attach web1 private1 --gr"), "--group\n");
    EXPECT_EQ(complete("weftctl detach web1 private1 --gr"), "\n");
    EXPECT_EQ(complete("weftctl show port p"), "port1 port2\n");
    EXPECT_EQ(complete("weftctl show security_group x"), "\n");
    EXPECT_EQ(complete("weftctl show floating_ip f"), "floating_ip1 floating_ip2\n");
    EXPECT_EQ(complete("weftctl flows --host h"), "host1 host2\n");
    EXPECT_EQ(complete("weftctl flows --owner netw"), "network/\n");
    EXPECT_EQ(complete("weftctl flows --owner port/"), "port/port1 port/port2\n");
    EXPECT_EQ(complete("weftctl attach web1 n"), "network1 network2\n");
    EXPECT_EQ(complete("weftctl attach web1 private1 --group s"), "security_group1 security_group2\n");
    daemon.file("demo.toml", "");
    EXPECT_THAT(complete("weftctl plan " + daemon.directory().string() + "/de"), HasSubstr("/demo.toml\n"));
}

} // namespace
} // namespace weft::cli
