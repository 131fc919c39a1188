#include "base/version.hpp"
#include "lab/commands.hpp"
#include "lab/completion.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <string_view>

namespace {

using namespace weft;

// Exit: 0 done, 1 error, 2 the answer is no (matrix --expect); for exec the command's own.
int shown(const Result<void>& result) {
    if (result) return 0;
    fmt::print(stderr, "weft-lab: {}\n", result.error().text);
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"weft-lab: a fabric of many hosts on one machine, from its topology file"};
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("weft-lab {}", version()));
    std::function<int()> action;
    std::string name = "default";
    const auto command = [&](const std::string& word, const std::string& description) {
        auto* sub = app.add_subcommand(word, description);
        sub->add_option("--name", name, "the lab's name")->capture_default_str();
        return sub;
    };
    const auto output = [](CLI::App* sub, std::string& format) {
        sub->add_option("-o,--output", format, "json, or a table for people")->check(CLI::IsMember({"json", "table"}));
    };

    lab::UpOptions options;
    bool no_controller = false;
    int timeout = 60;
    auto* up = command("up", "make the lab of a topology; returns when it has converged");
    up->add_option("topology", options.file, "the topology: a file or a directory")->required();
    up->add_flag("--no-controller", no_controller, "leave weftd out");
    up->add_option("--timeout", timeout, "seconds to converge in")->capture_default_str()->check(CLI::PositiveNumber);
    up->callback([&] {
        action = [&] {
            options.name = name;
            options.controller = !no_controller;
            options.timeout = std::chrono::seconds(timeout);
            return shown(lab::up(options));
        };
    });

    command("down", "end a lab, dead or alive: processes, namespaces, files")->callback([&] {
        action = [&] { return shown(lab::down(name)); };
    });

    std::string who;
    std::vector<std::string> words;
    auto* exec = command("exec", "run a command in a host, port, endpoint or VM: exec WHO -- CMD…");
    exec->add_option("who", who, "a host, port, endpoint or VM; control, underlay and switch are the lab's own")
        ->required();
    exec->footer("The command stands after --, and every word of it is the command's own.");
    exec->callback([&] {
        if (words.empty()) throw CLI::ValidationError("exec", "what to run? weft-lab exec WHO -- CMD…");
        action = [&] {
            const auto status = lab::exec(name, who, words);
            if (status) return *status;
            fmt::print(stderr, "weft-lab: {}\n", status.error().text);
            return status.error().text.ends_with("command not found") ? 127 : 125;
        };
    });

    std::string format = "table";
    auto* status = command("status", "what the lab is made of");
    output(status, format);
    status->callback([&] { action = [&] { return shown(lab::status(name, format == "json")); }; });

    std::string listen = "127.0.0.1:8080";
    auto* page = command("page", "serve the lab's status page to a browser of this machine");
    page->add_option("--listen", listen, "address and port")->capture_default_str();
    page->callback([&] { action = [&] { return shown(lab::page(name, listen)); }; });

    lab::MatrixOptions wanted;
    std::string protocol = "icmp";
    auto* matrix = command("matrix", "who reaches whom, over every address of every endpoint");
    matrix->add_option("--proto", protocol)->check(CLI::IsMember({"icmp", "tcp", "udp"}))->capture_default_str();
    matrix->add_option("--port", wanted.probe.port, "of tcp and udp")->capture_default_str();
    matrix->add_option("--expect", wanted.expect, "a file of what should be; exit status 2 where it is not so");
    output(matrix, format);
    matrix->callback([&] {
        action = [&] {
            wanted.name = name;
            wanted.as_json = format == "json";
            wanted.probe.protocol = protocol == "tcp"   ? lab::ProbeProtocol::tcp
                                    : protocol == "udp" ? lab::ProbeProtocol::udp
                                                        : lab::ProbeProtocol::icmp;
            const auto as_expected = lab::matrix(wanted);
            if (!as_expected) return shown(std::unexpected(as_expected.error()));
            return *as_expected ? 0 : 2;
        };
    });

    std::string port, host;
    auto* move = command("move", "unplug a port and plug it in on another host, as a migration does; migrate a VM");
    move->add_option("port", port, "a port or a VM")->required();
    move->add_option("host", host)->required();
    move->callback([&] { action = [&] { return shown(lab::move(name, port, host)); }; });

    std::string what, link;
    auto* fault = command("fault", "break something of a host or weftd, or heal a host");
    fault->add_option("who", who, "a host, or weftd")->required();
    fault->add_option("what", what, "kill-vswitchd, kill-ovsdb, kill-libvirtd, cut-link, heal; of weftd: kill, start")
        ->required();
    fault->add_option("link", link, "of cut-link: underlay, uplink or control; default: all three");
    fault->callback([&] { action = [&] { return shown(lab::fault(name, who, what, link)); }; });

    std::string shell;
    auto* completion = app.add_subcommand("completion", "print a completion script for a shell");
    completion->add_option("shell", shell, "bash")->required()->check(CLI::IsMember({"bash"}));
    completion->callback([&] {
        action = [&] {
            fmt::print("{}", lab::bash_completion(app));
            return 0;
        };
    });

    // Nothing after -- is weft-lab's to read.
    char** const end = argv + argc;
    char** const mark = std::find(argv, end, std::string_view("--"));
    if (mark != end) words.assign(mark + 1, end);
    CLI11_PARSE(app, static_cast<int>(mark - argv), argv);
    return action();
}
