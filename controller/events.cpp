#include "controller/events.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weft::controller {

namespace json = boost::json;

namespace {

constexpr const char* kFile = "events.jsonl";
constexpr const char* kOlderFile = "events.1.jsonl";

std::optional<Event> parse_event(const std::string& line) {
    boost::system::error_code ec;
    const auto value = json::parse(line, ec);
    const auto* object = ec ? nullptr : value.if_object();
    if (object == nullptr) return std::nullopt;
    const auto text = [&](std::string_view key) -> std::optional<std::string> {
        const auto* found = object->if_contains(key);
        if (found == nullptr || !found->is_string()) return std::nullopt;
        return std::string(found->get_string());
    };
    const auto* seq = object->if_contains("seq");
    const auto time = text("time").and_then([](const std::string& written) { return parse_iso8601(written); });
    const auto kind = text("kind"), host = text("host"), about = text("object"), said = text("text");
    if (seq == nullptr || !seq->is_int64() || seq->get_int64() < 1 || !time || !kind || !host || !about || !said) {
        return std::nullopt;
    }
    return Event{static_cast<std::uint64_t>(seq->get_int64()), *time, *kind, *host, *about, *said};
}

/// JSON is UTF-8 and readers refuse all else; an event may quote what a peer sent.
std::string utf8(std::string text) {
    boost::system::error_code ec;
    json::parse(json::serialize(json::string(text)), ec);
    if (ec) {
        for (char& c : text) {
            if (static_cast<unsigned char>(c) >= 0x80) c = '?';
        }
    }
    return text;
}

} // namespace

std::string to_json(const Event& event) {
    return json::serialize(json::object{{"seq", event.seq},
                                        {"time", iso8601(event.time)},
                                        {"kind", event.kind},
                                        {"host", event.host},
                                        {"object", event.object},
                                        {"text", event.text}});
}

EventLog::EventLog(asio::any_io_executor executor, Options options, Log& log)
    : executor_(std::move(executor)), options_(std::move(options)), log_(log),
      waiters_(std::make_shared<std::set<asio::steady_timer*>>()) {
    if (!options_.directory.empty()) read_back();
}

EventLog::~EventLog() {
    if (file_ >= 0) ::close(file_);
}

void EventLog::read_back() {
    for (const auto* name : {kOlderFile, kFile}) {
        std::ifstream file(options_.directory / name);
        for (std::string line; std::getline(file, line);) {
            auto event = parse_event(line);
            // Numbers only rise; a line that says otherwise was not written by us.
            if (!event || event->seq < next_) continue;
            next_ = event->seq + 1;
            keep(std::move(*event));
        }
    }
    if (std::ifstream file(options_.directory / kFile, std::ios::binary | std::ios::ate); file && file.tellg() > 0) {
        file.seekg(-1, std::ios::end);
        torn_ = file.get() != '\n';
    }
}

void EventLog::keep(Event event) {
    ring_.push_back(std::move(event));
    if (ring_.size() > options_.capacity) ring_.pop_front();
}

void EventLog::add(std::string kind, std::string host, std::string object, std::string text) {
    Event event{
        next_++, now(), utf8(std::move(kind)), utf8(std::move(host)), utf8(std::move(object)), utf8(std::move(text))};
    ++counts_[{event.kind, event.host}];
    if (!options_.directory.empty()) write(to_json(event) + "\n");
    keep(std::move(event));
    for (auto* timer : *waiters_)
        timer->cancel();
}

std::vector<Event> EventLog::since(std::uint64_t since) const {
    if (since > next_) since = 0;
    return {std::ranges::lower_bound(ring_, since, {}, &Event::seq), ring_.end()};
}

Task<bool> EventLog::wait(std::uint64_t since, SteadyClock::duration timeout) {
    // A frame that is destroyed while suspended (the io_context's end) must leave the set, which may have outlived the
    // log.
    struct Waiting {
        std::shared_ptr<std::set<asio::steady_timer*>> waiters;
        asio::steady_timer* timer;
        Waiting(std::shared_ptr<std::set<asio::steady_timer*>> all, asio::steady_timer& mine)
            : waiters(std::move(all)), timer(&mine) {
            waiters->insert(timer);
        }
        ~Waiting() { waiters->erase(timer); }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
    };
    if (since != next_ && !ring_.empty()) co_return true;
    asio::steady_timer timer(executor_, timeout);
    const Waiting waiting(waiters_, timer);
    const auto [ec] = co_await timer.async_wait(kResult);
    co_return static_cast<bool>(ec); // only add() cancels it
}

void EventLog::write(const std::string& line) {
    if (file_ < 0) {
        file_ = ::open((options_.directory / kFile).c_str(),
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (file_ < 0) return refused(std::generic_category().message(errno));
        struct stat status{};
        file_bytes_ = ::fstat(file_, &status) == 0 ? static_cast<std::uintmax_t>(status.st_size) : 0;
    }
    const auto bytes = (torn_ ? "\n" : "") + line;
    const auto wrote = ::write(file_, bytes.data(), bytes.size());
    if (wrote < 0) return refused(std::generic_category().message(errno));
    file_bytes_ += static_cast<std::uintmax_t>(wrote);
    torn_ = static_cast<std::size_t>(wrote) < bytes.size();
    if (torn_) return refused(std::generic_category().message(ENOSPC));
    warned_ = false;
    if (file_bytes_ >= options_.rotate_bytes) rotate();
}

void EventLog::rotate() {
    ::close(std::exchange(file_, -1));
    std::error_code ec;
    std::filesystem::rename(options_.directory / kFile, options_.directory / kOlderFile, ec);
    if (ec) refused(ec.message());
}

void EventLog::refused(const std::string& what) {
    if (std::exchange(warned_, true)) return;
    log_.warning("weftd", fmt::format("events are kept in memory only: cannot write {}: {}",
                                      (options_.directory / kFile).string(), what));
}

} // namespace weft::controller
