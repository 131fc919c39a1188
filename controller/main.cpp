// weftd: settings, state, supervisor, API, signals. What each does is in its own file.
#include "base/version.hpp"
#include "controller/api.hpp"
#include "controller/events.hpp"
#include "controller/settings.hpp"
#include "controller/store.hpp"
#include "controller/supervisor.hpp"
#include "controller/watchdog.hpp"
#include "openflow/codec.hpp"
#include "virt/watch.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <fmt/format.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

namespace {

using namespace weft;
using namespace weft::controller;

/// A host whose libvirt does not answer is not waited for longer.
constexpr Milliseconds kLibvirtEnds{2000};

struct Arguments {
    std::string config = "/etc/weft/weftd.toml";
    std::string topology;
};

std::optional<Settings> read_settings(const std::string& path, Log& log) {
    const auto sources = topology::load(path);
    if (!sources) {
        log.error("weftd", sources.error().text);
        return std::nullopt;
    }
    auto parsed = parse_settings(sources->front());
    for (const auto& problem : parsed.problems)
        fmt::print(stderr, "{}", topology::render(problem, *sources));
    if (!parsed.ok()) return std::nullopt;
    return std::move(parsed.settings);
}

/// A topology file becomes a revision, as `weftctl apply` would make it.
bool apply_file(Supervisor& supervisor, const std::string& path, Log& log) {
    const auto sources = topology::load(path);
    if (!sources) {
        log.error("weftd", sources.error().text);
        return false;
    }
    const auto candidate = supervisor.intent().consider(*sources);
    for (const auto& problem : candidate.problems)
        fmt::print(stderr, "{}", topology::render(problem, *sources));
    if (!candidate.ok()) {
        log.error("weftd", fmt::format("{} was not applied: the topology in force stays", path));
        return false;
    }
    if (supervisor.intent().changes_nothing(candidate)) {
        log.info("weftd", fmt::format("{} changes nothing", path));
        return true;
    }
    for (const auto& notice : candidate.notices)
        log.warning("weftd", notice);
    if (const auto applied = supervisor.apply(candidate, path, *sources); !applied) {
        log.error("weftd", applied.error().text);
        return false;
    }
    return true;
}

/// What is stored is in force, whatever the file says now; but whoever edited it may think otherwise.
void compare_with_file(const Supervisor& supervisor, const std::string& path, Log& log) {
    const auto sources = topology::load(path);
    if (!sources || supervisor.intent().changes_nothing(supervisor.intent().consider(*sources))) return;
    log.warning("weftd",
                fmt::format("{0} differs from revision {1} in force: `systemctl reload weftd` or `weftctl apply "
                            "{0}` brings it in",
                            path, supervisor.intent().state().current));
}

Task<void> serve_signals(asio::io_context& io, Supervisor& supervisor, HttpServer& api, const Voice& voice,
                         const Arguments& arguments) {
    auto& log = voice.log;
    asio::signal_set signals(io, SIGTERM, SIGINT, SIGHUP);
    for (;;) {
        auto [ec, number] = co_await signals.async_wait(kResult);
        if (ec) co_return;
        if (number == SIGHUP) {
            if (arguments.topology.empty()) log.warning("weftd", "SIGHUP: no --topology to read again");
            // As another apply it would confirm, and nobody knows whose hand a signal comes from.
            else if (supervisor.intent().state().awaiting)
                log.warning("weftd",
                            fmt::format("SIGHUP: {} is not read while revision {} awaits confirmation: weftctl "
                                        "confirm or weftctl rollback first",
                                        arguments.topology, supervisor.intent().state().current));
            else if (!apply_file(supervisor, arguments.topology, log))
                voice.events.add("topology_refused", "", "",
                                 fmt::format("SIGHUP: {} was not applied: weftctl validate {} says why",
                                             arguments.topology, arguments.topology));
            continue;
        }
        log.info("weftd", "stopping; all flows stay in place");
        sd_notify(0, "STOPPING=1");
        api.close();
        supervisor.stop();
        io.stop();
        co_return;
    }
}

int run(const Arguments& arguments) {
    Log log;
    const auto settings = read_settings(arguments.config, log);
    if (!settings) return 1;
    log.set_threshold(settings->log_level);
    auto store = FileStore::open(settings->state_dir);
    if (!store) {
        log.error("weftd", store.error().text);
        return 1;
    }
    openflow::initialize_codec();
    asio::io_context io(1);
    EventLog events(io.get_executor(), {.directory = settings->state_dir}, log);
    Supervisor supervisor(io, *settings, **store, log, events);
    if (const auto started = supervisor.start(); !started) {
        log.error("weftd", started.error().text);
        return 1;
    }
    const bool stored = supervisor.intent().state().current != 0;
    if (!arguments.topology.empty() && !stored && !apply_file(supervisor, arguments.topology, log)) return 1;
    Api api(supervisor);
    auto server =
        HttpServer::listen(io, settings->api, [&api](HttpRequest request) { return api.handle(std::move(request)); });
    if (!server) {
        log.error("weftd", server.error().text);
        return 1;
    }
    const Voice voice{log, events};
    asio::co_spawn(io, serve_signals(io, supervisor, **server, voice, arguments), asio::detached);
    log.info("weftd", fmt::format("{}, listening for bridges on {}, revision {} in force", version(),
                                  supervisor.openflow_endpoint().to_string(), supervisor.intent().state().current));
    if (!arguments.topology.empty() && stored) compare_with_file(supervisor, arguments.topology, log);
    sd_notify(0, "READY=1");
    if (const auto interval = watchdog_interval()) asio::co_spawn(io, feed_watchdog(*interval), asio::detached);
    io.run();
    return 0;
}

/// A socket for every host and for every name that is being asked for: more than the 1024 that a process gets at first.
void raise_file_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app("weftd: the controller of a weft fabric");
    app.set_version_flag("--version", fmt::format("weftd {}", version()));
    app.add_option("--config", arguments.config, "settings (weftd.toml)")->capture_default_str();
    app.add_option("--topology", arguments.topology,
                   "topology file or directory: read when the state directory has no revision yet, and on SIGHUP");
    CLI11_PARSE(app, argc, argv);
    std::signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    const int status = run(arguments);
    // A process does not end well while threads of it are in libvirt's libraries.
    virt::Watch::all_ended(kLibvirtEnds);
    return status;
}
