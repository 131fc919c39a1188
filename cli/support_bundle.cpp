// The command support-bundle: all that weftd tells, in one .tar.gz, for whoever looks for a fault. What cannot be had
// is in it too, as the reason.
#include "base/version.hpp"
#include "cli/archive.hpp"
#include "cli/commands.hpp"
#include "cli/http_client.hpp"
#include "cli/json_text.hpp"
#include "cli/redact.hpp"
#include "cli/weftd_files.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <map>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

constexpr const char* kReadMe =
    R"(What weftctl could learn from weftd, file by file (docs/api.md tells what is in the JSON).
NAME.error.txt stands for what could not be had, and says why.

Left out: passwords in URIs and values of keys called password, secret, token and the like ("***"); private keys; what
guests send; the state directory, but for what stands in state/ if weftd did not answer. Still in it: names, MAC and IP
addresses, the topology with its comments, weftd's settings, and the events (unless --no-events was given). Look it
through before you hand it to others.
)";

/// A file's name made of what a daemon said.
std::string safe(std::string_view name) {
    std::string result(name);
    for (char& c : result)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_' && c != '.') c = '_';
    return result.empty() || result.front() == '.' ? "_" + result : result;
}

std::string default_name() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return fmt::format("weft-support-{:%Y%m%dT%H%M%SZ}.tar.gz", fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
}

class Collector {
  public:
    Collector(const Daemon& daemon, Milliseconds patience, Archive& archive)
        : daemon_(daemon), patience_(patience), archive_(archive) {}

    struct Missing {
        std::string name, reason;
    };

    void put(const std::string& name, const std::string& text) { add(name, redacted(text)); }
    void put(const std::string& name, const json::value& value) { add(name, pretty(redacted_json(value))); }
    void lack(const std::string& name, const std::string& reason) {
        missing_.push_back({name, reason});
        put(name + ".error.txt", reason + "\n");
    }
    /// NAME.json of what the daemon says at `target`; null where it could not be had.
    json::value fetch(const std::string& name, const std::string& target) {
        return take(name, ask([&] { return daemon_.get(target, patience_); }));
    }
    json::value take(const std::string& name, const Result<json::value>& got) {
        if (!got) {
            lack(name, got.error().text);
            return nullptr;
        }
        ++got_;
        put(name + ".json", *got);
        return *got;
    }
    void fetch_text(const std::string& name, const std::string& target) {
        const auto got = ask([&] { return daemon_.text(target, patience_); });
        if (!got) return lack(name, got.error().text);
        ++got_;
        put(name + ".txt", *got);
    }
    json::value plan(const json::value& topology) {
        if (topology.is_null()) return nullptr;
        const json::object body{{"source", at(topology, "source")}, {"sources", at(topology, "sources")}};
        return take("plan", ask([&]() -> Result<json::value> {
                        const auto answer = daemon_.call("POST", "/v1/plan", json::serialize(body), patience_);
                        if (!answer) return std::unexpected(answer.error());
                        if (answer->status != 200) return std::unexpected(daemon_.error_of(*answer));
                        return answer->body;
                    }));
    }

    bool away() const { return away_.has_value(); }
    std::size_t got() const { return got_; }
    const std::vector<Missing>& missing() const { return missing_; }
    const std::vector<std::string>& files() const { return files_; }
    const Result<>& written() const { return written_; }

  private:
    void add(const std::string& name, const std::string& text) {
        if (!written_) return;
        files_.push_back(name);
        written_ = archive_.add("weft-support/" + name, text);
    }
    /// A daemon that is away is not asked again: each question might take a minute to fail. One that has answered may
    /// be slow with one of them, but hangs when it is with two.
    template <class Question>
    auto ask(Question question) -> decltype(question()) {
        if (away_) return std::unexpected(*away_);
        auto answer = question();
        if (answer) return answer;
        const auto kind = answer.error().kind;
        timeouts_ += kind == ErrorKind::timeout ? 1 : 0;
        if (timeouts_ >= 2 || (got_ == 0 && (kind == ErrorKind::io || kind == ErrorKind::timeout)))
            away_ = answer.error();
        return answer;
    }

    const Daemon& daemon_;
    Milliseconds patience_;
    Archive& archive_;
    std::optional<Error> away_;
    std::size_t timeouts_ = 0;
    std::size_t got_ = 0;
    std::vector<Missing> missing_;
    std::vector<std::string> files_;
    Result<> written_;
};

void collect_topology(Collector& collector) {
    const auto topology = collector.fetch("topology", "/v1/topology");
    std::size_t number = 0;
    for (const auto& source : items(at(topology, "sources")))
        collector.put(fmt::format("topology/{:02}-{}", ++number,
                                  safe(std::filesystem::path(words_at(source, "name")).filename().string())),
                      words_at(source, "text"));
    collector.plan(topology);
}

void collect_hosts(Collector& collector, const json::value& hosts) {
    for (const auto& host : items(hosts)) {
        const auto name = words_at(host, "name");
        collector.fetch("rows/" + safe(name), "/v1/rows?host=" + url_encoded(name));
        collector.fetch("flows/" + safe(name), "/v1/flows?host=" + url_encoded(name));
    }
}

/// What weftd's own machine has of it in files: more of it when weftd itself says nothing.
void collect_files(Collector& collector, const std::string& address, bool events) {
    const auto settings = settings_of(address);
    if (settings) collector.put("weftd.toml", *settings);
    if (!settings || !collector.away()) return;
    const auto files = state_files(*settings, events);
    if (!files) return collector.lack("state", files.error().text);
    for (const auto& file : *files)
        collector.put("state/" + file.name + ".json", file.content);
}

void collect(Collector& collector, const std::string& address, bool events) {
    collector.put("README.txt", std::string(kReadMe));
    const auto status = collector.fetch("status", "/v1/status");
    const auto hosts = collector.fetch("hosts", "/v1/hosts");
    json::object switches;
    for (const auto& host : items(hosts))
        switches[words_at(host, "name")] = at(host, "ovs_version");
    const auto machine = this_machine();
    collector.put("versions.json", json::object{{"weftctl", version()},
                                                {"weftd", at(status, "version")},
                                                {"open_vswitch", std::move(switches)},
                                                {"system", machine.system},
                                                {"kernel", machine.kernel}});
    collector.fetch("history", "/v1/history");
    collect_topology(collector);
    for (const auto* view : {"networks", "ports", "routers", "gateways", "groups", "qos", "nat", "services"})
        collector.fetch(view, std::string("/v1/") + view);
    collect_hosts(collector, hosts);
    if (events) collector.fetch("events", "/v1/events?since=0");
    collector.fetch_text("metrics", "/metrics");
    collect_files(collector, address, events);
}

void print(Context& context, const std::string& path, const Collector& collector) {
    if (context.json) {
        json::array missing, files;
        for (const auto& [name, reason] : collector.missing())
            missing.push_back({{"name", name}, {"reason", reason}});
        for (const auto& file : collector.files())
            files.emplace_back(file);
        context.environment.out << pretty(
            json::object{{"file", path}, {"files", std::move(files)}, {"missing", std::move(missing)}});
        return;
    }
    // A daemon that is away is one reason for all.
    std::vector<std::string> reasons;
    std::map<std::string, std::string> names;
    for (const auto& [name, reason] : collector.missing()) {
        auto& listed = names[reason];
        if (listed.empty()) reasons.push_back(reason);
        listed += (listed.empty() ? "" : ", ") + name;
    }
    for (const auto& reason : reasons)
        context.environment.err << fmt::format("weftctl: not in the bundle: {}: {}\n", names[reason],
                                               printable(reason));
    context.environment.out << path << "\n";
}

} // namespace

int support_bundle(Context& context, const SupportBundle& wanted) {
    const auto path = wanted.file.empty() ? default_name() : wanted.file;
    auto archive = Archive::create(path);
    if (!archive) return complain(context, archive.error());
    Collector collector(context.daemon, wanted.patience, *archive);
    collect(collector, context.daemon.address(), wanted.events);
    if (!collector.written()) return complain(context, collector.written().error());
    if (const auto closed = archive->close(); !closed) return complain(context, closed.error());
    print(context, path, collector);
    return collector.got() > 0 ? kDone : kError;
}

} // namespace weft::cli
