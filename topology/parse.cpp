#include "topology/parse.hpp"

#include "topology/objects.hpp"
#include "topology/rules.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace weft::topology {
namespace {

struct Section {
    std::string_view key;
    void (*read)(TableReader& reader, Topology& topology);
};
constexpr std::array<Section, 9> kSections{{{"host", read_host},
                                            {"network", read_network},
                                            {"port", read_port},
                                            {"router", read_router},
                                            {"gateway", read_gateway},
                                            {"floating_ip", read_floating_ip},
                                            {"port_forward", read_port_forward},
                                            {"security_group", read_security_group},
                                            {"qos", read_qos}}};
constexpr std::array<Section, 2> kLabSections{{{"endpoint", read_lab_endpoint}, {"vm", read_lab_vm}}};

/// The arrays of tables of one file, or of its [lab]; `prefix` is "lab." there.
template <std::size_t N>
void read_sections(const toml::table& table, const std::array<Section, N>& sections, const std::string& prefix,
                   Reading& reading, Topology& topology) {
    for (const auto& [key, node] : table) {
        const auto path = prefix + std::string(key.str());
        if (prefix.empty() && key.str() == "lab" && node.is_table()) {
            read_sections(*node.as_table(), kLabSections, "lab.", reading, topology);
            continue;
        }
        const auto section = std::ranges::find(sections, key.str(), &Section::key);
        if (section == sections.end()) {
            Nearest nearest(key.str());
            for (const auto& known : sections)
                nearest.offer(known.key);
            reading.error(key.source(), fmt::format("unknown key '{}'", path), nearest.remedy());
            continue;
        }
        const auto what = fmt::format("[[{}]]", path);
        const auto* list = node.as_array();
        if (list == nullptr) {
            reading.error(key.source(), fmt::format("'{}' must be a list of tables", path), "write " + what);
            continue;
        }
        for (const auto& element : *list) {
            if (const auto* object = element.as_table()) {
                TableReader reader(reading, *object, what);
                section->read(reader, topology);
            } else {
                reading.error(element.source(), fmt::format("'{}' must hold tables only", path), "write " + what);
            }
        }
    }
}

/// False when the text is not TOML: what other files say about the objects in it cannot be judged then.
bool read_source(const Source& source, Topology& topology, std::vector<Problem>& problems) {
    Reading reading{source.name, problems};
    try {
        const toml::table table = toml::parse(std::string_view(source.text), std::string_view(source.name));
        read_sections(table, kSections, "", reading, topology);
        return true;
    } catch (const toml::parse_error& error) {
        constexpr std::string_view kLead = "Error while parsing ";
        auto description = error.description();
        if (description.starts_with(kLead)) description.remove_prefix(kLead.size());
        reading.error(error.source(), fmt::format("TOML syntax: {}", description));
        return false;
    }
}

/// A VXLAN packet is the frame (14 bytes of Ethernet) in VXLAN (8), UDP (8) and the underlay's IP (20 or 40).
void fill_overlay_mtu(Topology& topology) {
    const bool ipv6 = std::ranges::any_of(topology.hosts, [](const auto& entry) {
        const auto& vtep = entry.second.vtep;
        return vtep && vtep->is_v6();
    });
    for (auto& [name, network] : topology.networks) {
        if (network.kind == NetworkKind::vxlan && !network.origin.wrote("mtu")) network.mtu = ipv6 ? 1430 : 1450;
    }
}

Result<std::string> read_text(const std::filesystem::path& path) {
    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!stream.is_open() || stream.bad() || errno != 0) {
        const auto cause = std::error_code(errno != 0 ? errno : EIO, std::generic_category());
        return fail(ErrorKind::io, fmt::format("{}: {}", path.string(), cause.message()));
    }
    return text;
}

} // namespace

bool Parsed::ok() const {
    return std::ranges::none_of(problems, [](const Problem& p) { return p.severity == Severity::error; });
}

Parsed parse(const std::vector<Source>& sources) {
    Parsed parsed;
    bool complete = true;
    for (const auto& source : sources)
        complete &= read_source(source, parsed.topology, parsed.problems);
    fill_overlay_mtu(parsed.topology);
    if (complete) std::ranges::move(validate(parsed.topology), std::back_inserter(parsed.problems));
    sort_by_place(parsed.problems);
    return parsed;
}

Result<std::vector<Source>> load(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code error;
    std::vector<fs::path> files;
    const auto status = fs::status(path, error);
    if (error) return fail(ErrorKind::io, fmt::format("{}: {}", path, error.message()));
    if (fs::is_directory(status)) {
        for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
            // Editors leave hidden locks and copies beside the file.
            const auto hidden = entry->path().filename().native().starts_with('.');
            if (entry->path().extension() == ".toml" && !hidden) files.push_back(entry->path());
        }
        if (!error && files.empty()) return fail(ErrorKind::invalid, fmt::format("{}: no *.toml in it", path));
        std::ranges::sort(files, {}, [](const fs::path& file) { return file.filename().native(); });
    } else {
        files.emplace_back(path);
    }
    if (error) return fail(ErrorKind::io, fmt::format("{}: {}", path, error.message()));

    std::vector<Source> sources;
    for (const auto& file : files) {
        auto text = read_text(file);
        if (!text) return std::unexpected(std::move(text.error()));
        sources.push_back({file.string(), *std::move(text)});
    }
    return sources;
}

} // namespace weft::topology
