#include "cli/weftd_files.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/utsname.h>
#include <system_error>
#include <toml++/toml.h>

namespace weft::cli {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

Result<std::string> read(const fs::path& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (file.is_open() && !file.bad() && errno == 0) return text;
    const auto why = std::generic_category().message(errno == 0 ? EIO : errno);
    return fail(ErrorKind::io, fmt::format("cannot read {}: {}", path.string(), why));
}

/// A file of the state directory: a line about what follows, and JSON.
Result<json::value> read_state(const fs::path& path) {
    const auto text = read(path);
    if (!text) return std::unexpected(text.error());
    boost::system::error_code ec;
    auto content = json::parse(std::string_view(*text).substr(text->find('\n') + 1), ec);
    return ec ? json::value(json::string(*text)) : std::move(content);
}

/// One a line; the last may be cut off.
Result<json::value> read_events(const fs::path& path) {
    const auto text = read(path);
    if (!text) return std::unexpected(text.error());
    json::array events;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        boost::system::error_code ec;
        if (auto event = json::parse(line, ec); !ec) events.push_back(std::move(event));
    }
    return events;
}

std::uint64_t number_of(const std::string& revision) {
    constexpr std::string_view kPrefix = "revision-";
    std::uint64_t number = 0;
    if (revision.starts_with(kPrefix))
        std::from_chars(revision.data() + kPrefix.size(), revision.data() + revision.size(), number);
    return revision == fmt::format("{}{}", kPrefix, number) ? number : 0; // not "revision-7.1"
}

fs::path state_directory(const std::string& settings) {
    try {
        return toml::parse(settings)["state_dir"].value_or(std::string("/var/lib/weft"));
    } catch (const toml::parse_error&) {
        return "/var/lib/weft";
    }
}

} // namespace

std::optional<std::string> settings_of(const std::string& address) {
    constexpr std::string_view kUnix = "unix:";
    if (!address.starts_with(kUnix)) return std::nullopt;
    const auto beside = fs::path(address.substr(kUnix.size())).parent_path() / "weftd.toml";
    std::error_code ignored;
    auto text = read(fs::exists(beside, ignored) ? beside : fs::path("/etc/weft/weftd.toml"));
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

Result<std::vector<StateFile>> state_files(const std::string& settings, bool events) {
    const auto directory = state_directory(settings);
    std::error_code error;
    std::vector<std::string> wanted;
    std::uint64_t newest = 0;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const auto name = entry->path().filename().string();
        newest = std::max(newest, number_of(name));
        if (name == "state" || (events && name == "events.jsonl")) wanted.push_back(name);
    }
    if (error) return fail(ErrorKind::io, fmt::format("cannot read {}: {}", directory.string(), error.message()));
    if (newest != 0) wanted.push_back(fmt::format("revision-{}", newest));
    std::vector<StateFile> files;
    for (const auto& name : wanted) {
        auto content = name == "events.jsonl" ? read_events(directory / name) : read_state(directory / name);
        if (!content) return std::unexpected(content.error());
        files.push_back({fs::path(name).stem().string(), std::move(*content)});
    }
    return files;
}

Machine this_machine() {
    Machine machine;
    std::ifstream release("/etc/os-release");
    for (std::string line; std::getline(release, line);) {
        constexpr std::string_view kName = "PRETTY_NAME=";
        if (!line.starts_with(kName)) continue;
        machine.system = line.substr(kName.size());
        std::erase(machine.system, '"');
    }
    struct utsname names{};
    if (::uname(&names) == 0) machine.kernel = names.release;
    return machine;
}

} // namespace weft::cli
