#include "lab/record.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sys/file.h>
#include <unistd.h>

namespace weft::lab {
namespace json = boost::json;
namespace fs = std::filesystem;

std::string encode(const Record& record) {
    json::object placement, processes;
    for (const auto& [port, host] : record.placement)
        placement[port] = host;
    for (const auto& [name, process] : record.processes)
        processes[name] = json::object{{"pid", process.pid}, {"start", process.start}};
    json::array namespaces(record.namespaces.begin(), record.namespaces.end());
    json::array sources;
    for (const auto& source : record.sources)
        sources.push_back(json::object{{"name", source.name}, {"text", source.text}});
    return json::serialize(json::object{{"name", record.name},
                                        {"topology", record.topology},
                                        {"controller", record.controller},
                                        {"complete", record.complete},
                                        {"placement", placement},
                                        {"namespaces", namespaces},
                                        {"processes", processes},
                                        {"sources", sources}});
}

Result<Record> decode_record(const std::string& text) {
    try {
        const json::object object = json::parse(text).as_object();
        Record record;
        record.name = json::value_to<std::string>(object.at("name"));
        record.topology = json::value_to<std::string>(object.at("topology"));
        record.controller = object.at("controller").as_bool();
        record.complete = object.at("complete").as_bool();
        for (const auto& [port, host] : object.at("placement").as_object())
            record.placement[port] = json::value_to<std::string>(host);
        record.namespaces = json::value_to<std::vector<std::string>>(object.at("namespaces"));
        for (const auto& [name, process] : object.at("processes").as_object())
            record.processes[name] = {json::value_to<pid_t>(process.at("pid")),
                                      json::value_to<std::uint64_t>(process.at("start"))};
        for (const auto& source : object.at("sources").as_array())
            record.sources.push_back(
                {json::value_to<std::string>(source.at("name")), json::value_to<std::string>(source.at("text"))});
        return record;
    } catch (const std::exception& error) {
        return fail(ErrorKind::invalid, fmt::format("the lab's record is damaged ({})", error.what()));
    }
}

std::string lab_directory(const std::string& name) {
    return kLabRoot + "/" + name;
}
std::string host_directory(const std::string& lab, const std::string& host) {
    return lab_directory(lab) + "/hosts/" + host;
}
std::string switch_directory(const std::string& lab) {
    return lab_directory(lab) + "/switch";
}
std::string endpoint_directory(const std::string& lab, const std::string& endpoint) {
    return lab_directory(lab) + "/endpoints/" + endpoint;
}

Result<void> check_lab_name(const std::string& name) {
    const auto letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
    const bool legal = !name.empty() && name.size() <= 63 && letter(name.front()) &&
                       std::ranges::all_of(name, [&](char c) { return letter(c) || c == '.' || c == '_' || c == '-'; });
    if (!legal)
        return fail(
            ErrorKind::invalid,
            fmt::format("'{}' is no lab name: letters, digits, '.', '_', '-', at most 63, a letter or digit first",
                        name));
    return {};
}

Result<Record> load_record(const std::string& name) {
    std::ifstream file(lab_directory(name) + "/lab.json");
    if (!file)
        return fail(ErrorKind::invalid, fmt::format("no lab '{}' is up: weft-lab up FILE --name {}", name, name));
    return decode_record({std::istreambuf_iterator<char>(file), {}});
}

// Renamed into place: a reader, or a `down` after a kill, sees the old record or the new one.
Result<void> store(const Record& record) {
    const std::string path = lab_directory(record.name) + "/lab.json";
    std::ofstream(path + ".new") << encode(record);
    std::error_code error;
    fs::rename(path + ".new", path, error);
    if (error) return fail(ErrorKind::io, fmt::format("{}: {}", path, error.message()));
    return {};
}

std::vector<std::string> lab_names() {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(kLabRoot, error))
        names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
}

bool alive(const Record& record) {
    return record.complete && std::ranges::any_of(record.processes, [](const auto& entry) {
               return entry.first != kSwitchWatch && alive(entry.second);
           });
}

Result<LabPlan> plan_of(const Record& record) {
    const auto parsed = topology::parse(record.sources);
    std::vector<topology::Problem> problems = parsed.problems;
    std::erase_if(problems, [](const auto& problem) { return problem.severity != topology::Severity::error; });
    if (problems.empty()) {
        auto allocated = topology::allocate(parsed.topology, {}, {});
        problems = std::move(allocated.problems);
        std::erase_if(problems, [](const auto& problem) { return problem.severity != topology::Severity::error; });
        if (problems.empty()) {
            auto planned =
                make_plan(parsed.topology, allocated.allocations, record.name, record.placement, record.controller);
            if (planned.problems.empty()) return std::move(planned.plan);
            problems = std::move(planned.problems);
        }
    }
    std::string text = "the topology cannot be a lab\n";
    for (const auto& problem : problems)
        text += topology::render(problem, record.sources);
    while (text.ends_with('\n'))
        text.pop_back();
    return fail(ErrorKind::invalid, text);
}

Result<Lab> open_lab(const std::string& name) {
    if (auto legal = check_lab_name(name); !legal) return std::unexpected(legal.error());
    auto record = load_record(name);
    if (!record) return std::unexpected(record.error());
    auto plan = plan_of(*record);
    if (!plan) return std::unexpected(plan.error());
    return Lab{std::move(*record), std::move(*plan)};
}

Result<LabLock> LabLock::take(const std::string& name) {
    const std::string directory = lab_directory(name);
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) return fail(ErrorKind::io, fmt::format("{}: {}", directory, error.message()));
    const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(ErrorKind::io, fmt::format("{}: {}", directory, std::strerror(errno)));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return fail(ErrorKind::refused, fmt::format("another weft-lab is at work on lab '{}': wait for its end", name));
    }
    return LabLock(fd);
}

LabLock::~LabLock() {
    if (fd_ >= 0) close(fd_);
}

} // namespace weft::lab
