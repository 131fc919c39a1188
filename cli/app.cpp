#include "cli/app.hpp"

#include "base/version.hpp"
#include "cli/commands.hpp"
#include "cli/completion.hpp"
#include "topology/form.hpp"
#include "topology/nearest.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <ostream>

namespace weft::cli {

namespace {

/// What the arguments of any command fill in.
struct Arguments {
    std::string api;
    std::string lab;
    std::string output = "table";
    bool watch = false;
    std::string path;
    std::string timeout;
    std::string confirm_within;
    std::uint64_t revision = 0;
    std::string kind;
    std::string name;
    std::string shell;
    std::string from;
    std::string uri;
    Plug plug;
    Trace trace;
    FlowFilter flow;
    EventFilter event;
    SupportBundle bundle;
    bool no_events = false;
};

using Command = std::function<int(Context&)>;

/// CLI11 shows a flag that may have a value as "--lab{default}".
class HelpFormatter : public CLI::Formatter {
  public:
    std::string make_option_name(const CLI::Option* option, bool positional) const override {
        auto name = CLI::Formatter::make_option_name(option, positional);
        const auto brace = name.find('{');
        return brace == std::string::npos ? name : name.substr(0, brace) + "[=NAME]";
    }
};

/// The tree of commands. Parsing fills `arguments` and sets `chosen`.
class CommandLine {
  public:
    CommandLine() : app_("weftctl shows, explains and changes the network that weftd runs.", "weftctl") {
        app_.formatter(std::make_shared<HelpFormatter>());
        app_.fallthrough(); // --lab and -o may also stand after the command
        app_.require_subcommand(1);
        app_.set_version_flag("--version", "weftctl " + std::string(version()));
        app_.add_option("--api", arguments.api, "Where weftd answers: unix:PATH or http:ADDRESS:PORT (also: WEFT_API)");
        app_.add_flag("--lab{default}", arguments.lab,
                      "The weftd of a lab made by weft-lab; --lab=NAME for one that has a name")
            ->excludes("--api");
        app_.add_option("-o,--output", arguments.output, "table for people, json for programs")
            ->check(CLI::IsMember({"table", "json"}))
            ->type_name("FORM");
        app_.footer("weftd is looked for at --api, --lab, WEFT_API, else unix:/run/weft/api.sock.\n"
                    "Exit status: 0 done, 1 error, 2 the answer is \"no\".\n"
                    "weftctl COMMAND --help shows examples.");
        add_topology_commands();
        add_listings();
        add_plugs();
        add_trace();
        add_others();
    }

    CLI::App& app() { return app_; }
    Arguments arguments;
    Command chosen;

  private:
    CLI::App* command(const std::string& name, const std::string& says, const std::string& examples, Command run) {
        auto* added = app_.add_subcommand(name, says);
        added->footer("Examples:\n" + examples);
        added->final_callback([this, run = std::move(run)] { chosen = run; });
        return added;
    }
    void add_path(CLI::App* to) {
        to->add_option("PATH", arguments.path, "A topology file, or a directory of *.toml")->required()->type_name("");
    }
    void add_duration(CLI::App* to, const std::string& option, std::string& into, const std::string& what) {
        to->add_option(option, into, what)->type_name("DURATION")->check([](const std::string& text) {
            if (topology::form::duration(text)) return std::string();
            if (topology::form::duration("1" + text) && text.find_first_not_of('0') + 1 == text.size())
                return "'" + text + "' is no time at all: it must be longer than 0";
            return "'" + text + "' is no duration: write 30s or 5m";
        });
    }
    void add_timeout(CLI::App* to, const std::string& what, const std::string& standard) {
        add_duration(to, "--timeout", arguments.timeout, what + ": 30s, 5m; default " + standard);
    }
    std::chrono::seconds timeout_or(std::chrono::seconds standard) const {
        return arguments.timeout.empty() ? standard : topology::form::duration(arguments.timeout).value_or(standard);
    }
    std::optional<std::chrono::seconds> confirm_within() const {
        if (arguments.confirm_within.empty()) return std::nullopt;
        return topology::form::duration(arguments.confirm_within).value();
    }

    void add_topology_commands() {
        add_path(command("validate", "Check a topology file, offline: every problem with its place",
                         "  weftctl validate topology.toml\n  weftctl validate /etc/weft/topology.d -o json",
                         [this](Context& context) { return validate(context, arguments.path); }));
        add_path(command("plan", "What applying a topology would change; exit 2 when it would change something",
                         "  weftctl plan topology.toml\n"
                         "  weftctl plan topology.toml -o json | jq -c '.hosts[] | {name, flows, rows}'\n"
                         "  weftctl plan topology.toml && echo 'nothing would change'",
                         [this](Context& context) { return plan(context, arguments.path); }));
        auto* added =
            command("apply", "Make the network equal to a topology, and wait for every host that can be reached",
                    "  weftctl apply topology.toml\n  weftctl --lab apply changed.toml --timeout 2m\n"
                    "  weftctl apply risky.toml --confirm-within 2m && weftctl confirm",
                    [this](Context& context) {
                        return apply(context, arguments.path, timeout_or(std::chrono::seconds(60)), confirm_within());
                    });
        add_path(added);
        add_timeout(added, "How long to wait for the hosts", "60s");
        add_duration(added, "--confirm-within", arguments.confirm_within,
                     "What was in force before comes back by itself after this time, unless weftctl confirm comes "
                     "first: 60s, 5m");
        add_revision_commands();
        add_timeout(command("wait",
                            "Return when every host has the current revision; exit 2 and the laggards' names otherwise",
                            "  weftctl wait\n  weftctl wait --timeout 2m && run-tests",
                            [this](Context& context) { return wait(context, timeout_or(std::chrono::seconds(30))); }),
                    "How long to wait", "30s");
    }

    void add_revision_commands() {
        command("confirm", "Keep what was applied with --confirm-within",
                "  weftctl confirm\n  weftctl apply risky.toml --confirm-within 2m && ssh kvm1 true && weftctl confirm",
                confirm);
        auto* added = command(
            "rollback", "Bring an earlier revision back into force, and wait for every host that can be reached",
            "  weftctl rollback          # what was in force before\n  weftctl history && weftctl rollback 12",
            [this](Context& context) {
                return rollback(context, arguments.revision, timeout_or(std::chrono::seconds(60)));
            });
        added->add_option("REV", arguments.revision, "A revision of weftctl history; default the one before")
            ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()))
            ->type_name("");
        add_timeout(added, "How long to wait for the hosts", "60s");
        listing("history", "The revisions of the topology that weftd keeps",
                "  weftctl history\n  weftctl history -o json | jq '.[-1]'", history);
    }

    CLI::App* listing(const std::string& name, const std::string& says, const std::string& examples, Command run) {
        auto* added = command(name, says, examples, std::move(run));
        added->add_flag("--watch", arguments.watch, "Again every two seconds, until Ctrl-C");
        return added;
    }
    void add_listings() {
        listing("status", "Every host: its state, revision, flows, and what was sent to it",
                "  weftctl status\n  weftctl status --watch", status);
        listing("hosts", "The hosts and how weft reaches them",
                "  weftctl hosts\n  weftctl hosts -o json | jq -r '.[].vtep'", hosts);
        listing("networks", "The networks", "  weftctl networks", networks);
        listing(
            "ports", "The ports: where they are plugged in, their addresses and counters",
            "  weftctl ports\n  weftctl ports --watch\n  weftctl ports -o json | jq '.[] | select(.state != \"up\")'",
            ports);
        listing("routers", "The routers: their networks, gateway, and the hosts where they are present",
                "  weftctl routers\n  weftctl routers -o json | jq '.[] | {name, routes}'", routers);
        listing("gateways", "The internet gateways: where each is active, its candidates and next hops",
                "  weftctl gateways\n  weftctl gateways --watch\n"
                "  weftctl gateways -o json | jq -r '.[] | select(.active == null) | .name'",
                gateways);
        listing("groups", "The security groups: their rules, what each has let pass, and where ports are in them",
                "  weftctl groups\n  weftctl groups --watch\n"
                "  weftctl groups -o json | jq '.[].rules[] | select(.packets == 0)'",
                groups);
        listing("qos", "The QoS classes: their rates, and what each does at its ports",
                "  weftctl qos\n  weftctl qos --watch\n  weftctl show qos gold\n"
                "  weftctl qos -o json | jq '.[].ports[] | select(.acts | not) | {port, what, how}'",
                qos);
        listing("nat", "The translations: SNAT, floating IPs and port forwards, with counters",
                "  weftctl nat\n  weftctl nat --watch\n"
                "  weftctl nat -o json | jq '.[] | select(.kind == \"port_forward\")'",
                nat);
        auto* added = listing("flows", "The live flows of the switches, with what each belongs to",
                              "  weftctl flows --host kvm1 --stage guard\n  weftctl flows --owner port/web1\n"
                              "  weftctl flows --drops --hits --watch\n  weftctl flows --host kvm1 --raw",
                              [this](Context& context) { return flows(context, arguments.flow); });
        added->add_option("--host", arguments.flow.host, "Only of this host")->type_name("HOST");
        added->add_option("--owner", arguments.flow.owner, "Only what belongs to this object")->type_name("KIND/NAME");
        added->add_option("--stage", arguments.flow.stage, "Only of this stage: classify, guard, switch, ...")
            ->type_name("STAGE");
        added->add_flag("--drops", arguments.flow.drops, "Only drops, with their reasons");
        added->add_flag("--hits", arguments.flow.hits, "Only what has met packets");
        added->add_flag("--raw", arguments.flow.raw, "As the switch says it, without names");
        added = listing("show", "Everything about one object",
                        "  weftctl show port web1\n  weftctl show network private1 -o json\n"
                        "  weftctl show gateway igw1\n  weftctl show floating_ip 203.0.113.20",
                        [this](Context& context) { return show(context, arguments.kind, arguments.name); });
        added
            ->add_option("KIND", arguments.kind,
                         "host, network, port, router, gateway, floating_ip, port_forward, security_group or qos")
            ->required()
            ->type_name("");
        added->add_option("NAME", arguments.name, "The object's name")->required()->type_name("");
    }

    void add_port(CLI::App* to, const std::string& what) {
        to->add_option("--port", arguments.plug.port, what)->type_name("NAME");
    }
    void add_policy(CLI::App* to) {
        to->add_option("--group", arguments.plug.groups, "A security group of the port; may be given again")
            ->allow_extra_args(false) // the next word is not a group's
            ->type_name("GROUP");
        to->add_option("--qos", arguments.plug.qos, "The port's rates")->type_name("QOS");
    }
    void add_vm(CLI::App* to) {
        to->add_option("VM", arguments.plug.vm, "The VM's name in libvirt")->required()->type_name("");
    }
    void add_network(CLI::App* to, const std::string& name) {
        to->add_option(name, arguments.plug.network, "A network of the topology")->required()->type_name("");
    }
    void add_plugs() {
        auto* added = command("attach", "Plug a new NIC of a VM into a network, now and for its next starts",
                              "  weftctl attach web1 private1\n"
                              "  weftctl attach web1 private1 --port web1-backup --group web --group backup --qos gold",
                              [this](Context& context) { return attach(context, arguments.plug); });
        add_vm(added);
        add_network(added, "NETWORK");
        add_port(added, "The port's name; default: made of the VM's");
        add_policy(added);
        added = command("detach", "Unplug a VM's NIC from a network, now and for its next starts",
                        "  weftctl detach web1 private1\n  weftctl detach web1 private1 --port web1-backup",
                        [this](Context& context) { return detach(context, arguments.plug); });
        add_vm(added);
        add_network(added, "NETWORK");
        add_port(added, "Which port, if the VM has several in that network");
        added = command("migrate", "Move a VM's NIC from a libvirt network or a bridge into a network of weft's",
                        "  weftctl migrate web1 default private1\n  weftctl migrate web1 br0 office --group web",
                        [this](Context& context) { return migrate(context, arguments.plug); });
        add_vm(added);
        added->add_option("FROM", arguments.plug.from, "Where it is now: a libvirt network, or a bridge of the host")
            ->required()
            ->type_name("");
        add_network(added, "TO");
        add_port(added, "The port's name; default: the topology's port with its MAC, else made of the VM's");
        add_policy(added);
    }

    void add_trace() {
        auto* added =
            command("trace", "The way of a packet through the flows that the hosts hold; exit 2 when it is dropped",
                    "  weftctl trace --from web1 --to db1 --proto tcp --dport 5432\n"
                    "  weftctl trace --from web1 --to 198.51.100.7\n"
                    "  weftctl trace --from 198.51.100.7 --to 203.0.113.20 --proto tcp --dport 80 --reply\n"
                    "  weftctl trace --from web1 --to db1 -o json | jq -r '.path[] | [.host, .stage, .object] | @tsv'",
                    [this](Context& context) { return trace(context, arguments.trace); });
        auto& asked = arguments.trace;
        added->add_option("--from", asked.from, "Who sends: a port (PORT@NETWORK for one of a trunk's), or an address")
            ->required()
            ->type_name("WHO");
        auto* to = added->add_option("--to", asked.to, "Whom it is for: a port, or an address")->type_name("WHO");
        auto* frame =
            added
                ->add_option("--frame", asked.frame,
                             "This very Ethernet frame, in hexadecimal, at the port or HOST/INTERFACE of --from")
                ->type_name("HEX")
                ->excludes(to);
        added->add_option("--tunnel", asked.tunnel, "The VTEP and VNI that a frame at HOST/weft-vxlan comes from")
            ->type_name("VTEP/VNI")
            ->needs(frame);
        added->parse_complete_callback([to, frame] {
            if (to->count() + frame->count() == 0) throw CLI::RequiredError("--to");
        });
        added->add_option("--proto", asked.protocol, "icmp, tcp, udp, sctp or a number; default icmp, with --dport tcp")
            ->type_name("PROTOCOL");
        added->add_option("--dport", asked.target_port, "The port asked for")
            ->check(CLI::Range(1, 65535))
            ->type_name("PORT");
        added->add_option("--sport", asked.source_port, "The port asked from; default one of the ephemeral ones")
            ->check(CLI::Range(1, 65535))
            ->type_name("PORT");
        added->add_flag("--reply", asked.reply,
                        "The way of the answer instead, in the connection that this packet begins");
        added->add_flag("--full", asked.full, "Every flow that the packet meets, also those that only pass it on");
    }

    void add_others() {
        auto* added =
            command("events", "What the fabric did and when", "  weftctl events -n 20\n  weftctl events --follow",
                    [this](Context& context) { return events(context, arguments.event); });
        added->add_flag("-f,--follow", arguments.event.follow, "Go on with those to come, until Ctrl-C");
        added->add_option("-n,--lines", arguments.event.last, "Only so many of the newest")->type_name("COUNT");
        add_support_bundle();
        added = command(
            "import", "Print a host's libvirt networks, port forwards and NICs as a topology file",
            "  weftctl import libvirt > topology.toml\n  weftctl import libvirt --uri qemu+ssh://root@kvm2/system",
            [this](Context& context) { return import_libvirt(context, arguments.uri); });
        added->add_option("FROM", arguments.from, "libvirt")
            ->required()
            ->check(CLI::IsMember({"libvirt"}))
            ->type_name("");
        added->add_option("--uri", arguments.uri, "Which libvirt; default LIBVIRT_DEFAULT_URI, else qemu:///system")
            ->type_name("URI");
        added = command("completion", "Print a completion script for a shell", "  source <(weftctl completion bash)",
                        [this](Context& context) {
                            context.environment.out << bash_completion(app_);
                            return kDone;
                        });
        added->add_option("SHELL", arguments.shell, "bash")->required()->check(CLI::IsMember({"bash"}))->type_name("");
        // For the completion script, which has no JSON reader. The kinds are those of `show`, and revisions.
        added = command("names", "", "", [this](Context& context) { return names(context, arguments.kind); });
        added->group("")
            ->add_option("KIND", arguments.kind)
            ->required()
            ->check(CLI::IsMember({"host", "network", "port", "router", "gateway", "floating_ip", "port_forward",
                                   "security_group", "qos", "revision"}));
    }

    void add_support_bundle() {
        auto* added = command("support-bundle",
                              "Put all that weftd tells into a .tar.gz for whoever looks for a fault, without secrets",
                              "  weftctl support-bundle\n  weftctl support-bundle /tmp/weft.tar.gz --no-events\n"
                              "  weftctl --lab support-bundle && tar tzf weft-support-*.tar.gz",
                              [this](Context& context) {
                                  arguments.bundle.events = !arguments.no_events;
                                  return support_bundle(context, arguments.bundle);
                              });
        added->add_option("FILE", arguments.bundle.file, "Default: weft-support-TIME.tar.gz here")->type_name("");
        added->add_flag("--no-events", arguments.no_events, "Leave out the events");
    }

    CLI::App app_;
};

/// What is wrong with the command's name; empty when it is there and known.
std::string wrong_command(const CLI::App& app, const std::vector<std::string>& arguments) {
    auto word = arguments.begin();
    for (; word != arguments.end() && word->starts_with('-'); ++word) {
        const bool takes_value = *word == "--api" || *word == "-o" || *word == "--output";
        if (takes_value && std::next(word) != arguments.end()) ++word;
    }
    if (word == arguments.end()) return "no command given: weftctl --help lists them";
    topology::Nearest nearest(*word);
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_name() == *word) return {};
        if (!command->get_group().empty()) nearest.offer(command->get_name());
    }
    const auto remedy = nearest.remedy();
    return "no command '" + *word + "': " + (remedy.empty() ? "weftctl --help lists them" : remedy);
}

} // namespace

int run(const std::vector<std::string>& arguments, Environment& environment) {
    CommandLine line;
    try {
        line.app().parse(std::vector(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return line.app().exit(error, environment.out, environment.err);
        // CLI11 complains of the missing command before it looks at the word that is none.
        std::string text;
        if (dynamic_cast<const CLI::RequiredError*>(&error) || dynamic_cast<const CLI::ExtrasError*>(&error)) {
            text = wrong_command(line.app(), arguments);
        }
        if (text.empty()) {
            const auto known = line.app().get_subcommands();
            text = fmt::format("{}; weftctl {}--help shows how", error.what(),
                               known.empty() ? "" : known.front()->get_name() + " ");
        }
        environment.err << "weftctl: " << text << '\n';
        return kError;
    }
    const auto& given = line.arguments;
    const auto optional = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
    const auto no_color = environment.variables.find("NO_COLOR");
    Context context{.environment = environment,
                    .daemon = find_daemon(optional(given.api), optional(given.lab), environment),
                    .json = given.output == "json",
                    .colours =
                        environment.terminal && (no_color == environment.variables.end() || no_color->second.empty()),
                    .watch = given.watch,
                    .command = "weftctl"};
    for (const auto& argument : arguments)
        context.command += " " + argument;
    return line.chosen(context);
}

} // namespace weft::cli
