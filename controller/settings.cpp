#include "controller/settings.hpp"

#include "topology/form.hpp"
#include "topology/nearest.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <span>
#include <toml++/toml.h>

namespace weft::controller {

namespace {

using topology::Problem;

constexpr std::array<std::string_view, 8> kKeys{"openflow",  "api",       "state_dir", "advertise",
                                                "resolvers", "log_level", "tls",       "host"};
constexpr std::array<std::string_view, 3> kTlsKeys{"key", "certificate", "ca"};
constexpr std::array<std::string_view, 5> kHostKeys{"ovsdb", "vtep", "datapath", "uplinks", "libvirt"};
constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warning", "error"};

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
    topology::Nearest nearest(word);
    for (const auto candidate : known)
        nearest.offer(candidate);
    auto remedy = nearest.remedy();
    return remedy.empty() ? fmt::format("known here: {}", fmt::join(known, ", ")) : remedy;
}

/// One walk over the table; collects settings and problems.
class SettingsReader {
  public:
    explicit SettingsReader(std::string file) : file_(std::move(file)) {}

    ParsedSettings read(const toml::table& root) {
        for (const auto& [key, node] : root)
            read_root(key, node);
        auto& settings = parsed_.settings;
        if (settings.openflow.transport == Endpoint::Transport::ssl && !settings.tls && parsed_.ok()) {
            problem(root.get("openflow")->source(), "openflow is ssl, but there is no [tls]",
                    "add [tls] with key, certificate and ca");
        }
        // toml++ iterates by key; people read by line.
        std::ranges::sort(parsed_.problems, {},
                          [](const Problem& p) { return std::pair(p.where.line, p.where.column); });
        return std::move(parsed_);
    }

    void problem(const toml::source_region& where, std::string text, std::string remedy = {}) {
        Problem found;
        found.where.file = file_;
        found.where.line = where.begin.line;
        found.where.column = where.begin.column;
        found.text = std::move(text);
        found.remedy = std::move(remedy);
        parsed_.problems.push_back(std::move(found));
    }

    ParsedSettings& parsed() { return parsed_; }

  private:
    void unknown(const toml::key& key, std::string_view where, std::span<const std::string_view> known) {
        problem(key.source(), fmt::format("unknown key '{}'{}", key.str(), where), did_you_mean(key.str(), known));
    }

    /// The string, or a problem and nothing.
    std::optional<std::string> text(std::string_view name, const toml::node& node) {
        if (const auto* value = node.as_string()) return value->get();
        problem(node.source(), fmt::format("'{}' must be a string", name));
        return std::nullopt;
    }

    void read_root(const toml::key& key, const toml::node& node) {
        auto& settings = parsed_.settings;
        const auto name = key.str();
        if (name == "openflow")
            read_openflow(node);
        else if (name == "api")
            read_api(node);
        else if (name == "state_dir")
            read_state_dir(node);
        else if (name == "advertise")
            read_advertise(node);
        else if (name == "resolvers")
            read_resolvers(node);
        else if (name == "log_level") {
            const auto level = text(name, node);
            const auto parsed = level ? parse_log_level(*level) : std::nullopt;
            if (parsed)
                settings.log_level = *parsed;
            else if (level)
                problem(node.source(), fmt::format("no log level '{}'", *level), did_you_mean(*level, kLogLevels));
        } else if (name == "tls")
            read_tls(node);
        else if (name == "host")
            read_hosts(node);
        else
            unknown(key, "", kKeys);
    }

    void read_openflow(const toml::node& node) {
        const auto written = text("openflow", node);
        if (!written) return;
        auto endpoint = Endpoint::parse(*written);
        if (!endpoint) return problem(node.source(), endpoint.error().text);
        if (endpoint->transport == Endpoint::Transport::unix_socket) {
            return problem(node.source(), "bridges of other hosts cannot dial a unix socket",
                           "write \"tcp:0.0.0.0:6653\", or ssl: with [tls]");
        }
        parsed_.settings.openflow = std::move(*endpoint);
    }

    void read_api(const toml::node& node) {
        std::vector<std::string> endpoints;
        const auto one = [&](const toml::node& entry) {
            const auto written = text("api", entry);
            if (!written) return;
            const bool local = written->starts_with("unix:/");
            const bool remote = written->starts_with("http:") && Endpoint::parse("tcp:" + written->substr(5));
            if (!local && !remote) {
                return problem(entry.source(), fmt::format("'{}' is not a place for the API", *written),
                               "write \"unix:/run/weft/api.sock\" or \"http:127.0.0.1:8080\"");
            }
            endpoints.push_back(*written);
        };
        if (const auto* array = node.as_array()) {
            for (const auto& entry : *array)
                one(entry);
        } else
            one(node);
        parsed_.settings.api = std::move(endpoints);
    }

    void read_state_dir(const toml::node& node) {
        const auto written = text("state_dir", node);
        if (!written) return;
        if (!written->starts_with('/')) return problem(node.source(), "state_dir must be an absolute path");
        parsed_.settings.state_dir = *written;
    }

    void read_advertise(const toml::node& node) {
        const auto written = text("advertise", node);
        if (!written) return;
        if (!Ip::parse(*written)) {
            return problem(node.source(), fmt::format("'{}' is not an IP address", *written),
                           "write the address by which hosts reach this machine, without a port");
        }
        parsed_.settings.advertise = *written;
    }

    void read_resolvers(const toml::node& node) {
        const auto* array = node.as_array();
        if (array == nullptr) return problem(node.source(), "'resolvers' must be a list", "write [\"192.0.2.53\"]");
        for (const auto& entry : *array) {
            const auto written = text("resolvers", entry);
            if (!written) continue;
            if (const auto ip = Ip::parse(*written))
                parsed_.settings.resolvers.push_back(*ip);
            else
                problem(entry.source(), fmt::format("'{}' is not an IP address", *written));
        }
    }

    void read_tls(const toml::node& node) {
        const auto* table = node.as_table();
        if (table == nullptr) return problem(node.source(), "'tls' must be a table");
        TlsFiles files;
        for (const auto& [key, value] : *table) {
            std::string* target = key.str() == "key"           ? &files.key
                                  : key.str() == "certificate" ? &files.certificate
                                  : key.str() == "ca"          ? &files.ca
                                                               : nullptr;
            if (target == nullptr)
                unknown(key, " in [tls]", kTlsKeys);
            else if (auto path = text(key.str(), value))
                *target = std::move(*path);
        }
        for (const auto& required : kTlsKeys) {
            if (!table->contains(required)) problem(node.source(), fmt::format("[tls] has no '{}'", required));
        }
        parsed_.settings.tls = std::move(files);
    }

    void read_hosts(const toml::node& node) {
        const auto* table = node.as_table();
        if (table == nullptr) return problem(node.source(), "'host' must be tables: [host.NAME]");
        for (const auto& [name, value] : *table) {
            const auto* host = value.as_table();
            if (host == nullptr)
                problem(value.source(), fmt::format("'host.{}' must be a table", name.str()));
            else
                read_host(name.str(), *host);
        }
    }

    void read_host(std::string_view name, const toml::table& table) {
        auto& host = parsed_.settings.hosts[std::string(name)];
        for (const auto& [key, node] : table) {
            if (key.str() == "uplinks")
                read_uplinks(node, host);
            else if (std::ranges::find(kHostKeys, key.str()) == kHostKeys.end()) {
                unknown(key, fmt::format(" in [host.{}]", name), kHostKeys);
            } else if (auto written = text(key.str(), node))
                read_host_text(key.str(), *written, node, host);
        }
    }

    void read_host_text(std::string_view key, const std::string& written, const toml::node& node, HostSettings& host) {
        if (key == "libvirt") {
            host.libvirt = written;
            if (topology::has_password(written))
                problem(node.source(), topology::kPasswordInUri, topology::kPasswordRemedy);
        } else if (key == "ovsdb") {
            if (auto endpoint = Endpoint::parse(written); !endpoint)
                problem(node.source(), endpoint.error().text);
            else
                host.ovsdb = written;
        } else if (key == "vtep") {
            host.vtep = Ip::parse(written);
            if (!host.vtep) problem(node.source(), fmt::format("'{}' is not an IP address", written));
        } else if (written == "system")
            host.datapath = topology::Datapath::system;
        else if (written == "netdev")
            host.datapath = topology::Datapath::netdev;
        else
            problem(node.source(), fmt::format("no datapath '{}'", written), "write \"system\" or \"netdev\"");
    }

    void read_uplinks(const toml::node& node, HostSettings& host) {
        const auto* table = node.as_table();
        if (table == nullptr) {
            return problem(node.source(), "'uplinks' must be a table", "write uplinks = { physnet1 = \"eth1\" }");
        }
        host.uplinks.emplace();
        for (const auto& [physnet, value] : *table) {
            if (auto nic = text(physnet.str(), value)) (*host.uplinks)[std::string(physnet.str())] = std::move(*nic);
        }
    }

    std::string file_;
    ParsedSettings parsed_;
};

} // namespace

ParsedSettings parse_settings(const topology::Source& source) {
    SettingsReader reader(source.name);
    try {
        return reader.read(toml::parse(std::string_view(source.text), source.name));
    } catch (const toml::parse_error& error) {
        reader.problem(error.source(), std::string(error.description()));
        return std::move(reader.parsed());
    }
}

void apply_host_settings(const std::map<std::string, HostSettings>& hosts, topology::Topology& topology) {
    for (const auto& [name, settings] : hosts) {
        const auto found = topology.hosts.find(name);
        if (found == topology.hosts.end()) continue;
        auto& host = found->second;
        if (settings.ovsdb) host.ovsdb = *settings.ovsdb;
        if (settings.vtep) host.vtep = settings.vtep;
        if (settings.datapath) host.datapath = settings.datapath;
        if (settings.uplinks) host.uplinks = *settings.uplinks;
        if (settings.libvirt) host.libvirt = *settings.libvirt;
    }
}

} // namespace weft::controller
