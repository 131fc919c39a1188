#include "controller/store.hpp"

#include "base/ids.hpp"
#include "controller/failpoint.hpp"

#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace weft::controller {

namespace {

/// Until another daemon on the same directory is no longer taken for one that is just ending.
constexpr std::chrono::seconds kLastOnesEnd{2};

/// A file descriptor that closes itself.
struct Descriptor {
    int fd;
    explicit Descriptor(int number) : fd(number) {}
    ~Descriptor() {
        if (fd >= 0) ::close(fd);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int release() { return std::exchange(fd, -1); }
};

std::string reason(int error) {
    return std::generic_category().message(error);
}

/// What an admin can do about it; begins with "; ".
std::string_view remedy(int error) {
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "; free some space there";
    case EROFS:
        return "; mount it writable again: mount -o remount,rw, after a look at the kernel's log for why it is not";
    case EACCES:
    case EPERM:
        return "; give the directory to the user that runs weftd";
    default:
        return "";
    }
}

std::string framed(std::string_view bytes) {
    return fmt::format("weft 1 {} {:016x}\n{}", bytes.size(), content_hash(bytes), bytes);
}

enum class Read { whole, absent, damaged };

struct ReadFile {
    Read outcome = Read::absent;
    std::string bytes;
    std::string why; ///< when damaged
};

ReadFile damaged(std::string why) {
    return {Read::damaged, {}, std::move(why)};
}

ReadFile unframed(const std::string& content) {
    const auto newline = content.find('\n');
    if (newline == std::string::npos) return damaged("it is cut off");
    const std::string body = content.substr(newline + 1);
    // The header is compared as text: whatever differs, a version, a length or a sum, the file is not one of ours,
    // whole.
    if (!content.starts_with("weft 1 ")) return damaged("it is not a file of this version of weft");
    if (framed(body).compare(0, newline + 1, content, 0, newline + 1) != 0) {
        return damaged("its length or checksum does not match");
    }
    return {Read::whole, body, {}};
}

ReadFile read_file(int directory, const std::string& name) {
    const Descriptor file(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.fd < 0) return errno == ENOENT ? ReadFile{} : damaged(reason(errno));
    std::string content;
    std::array<char, 16 * 1024> buffer{};
    while (true) {
        const auto got = ::read(file.fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return damaged(reason(errno));
        if (got == 0) return unframed(content);
        content.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

/// 0 or errno.
int write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto wrote = ::write(fd, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return 0;
}

} // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(const std::filesystem::path& directory) {
    std::error_code ec;
    std::filesystem::create_directories(directory, ec);
    if (ec) {
        return fail(ErrorKind::io, fmt::format("cannot make the state directory {}: {}; set state_dir to a place weftd "
                                               "may write to",
                                               directory.string(), ec.message()));
    }
    Descriptor dir(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (dir.fd < 0) {
        return fail(ErrorKind::io,
                    fmt::format("cannot open the state directory {}: {}", directory.string(), reason(errno)));
    }
    // State holds no secrets that the topology file does not, but it is nobody else's to edit.
    ::fchmod(dir.fd, 0700);
    Descriptor lock(::openat(dir.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (lock.fd < 0) {
        const int error = errno;
        return fail(ErrorKind::io, fmt::format("cannot write to the state directory {}: {}{}", directory.string(),
                                               reason(error), remedy(error)));
    }
    // A daemon that was killed a moment ago holds its files until the last of its threads is gone.
    const auto until = std::chrono::steady_clock::now() + kLastOnesEnd;
    bool locked = false;
    while (!(locked = ::flock(lock.fd, LOCK_EX | LOCK_NB) == 0) && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (!locked) {
        return fail(ErrorKind::refused,
                    fmt::format("another weftd uses the state directory {}; stop it or give this one "
                                "its own state_dir",
                                directory.string()));
    }
    return std::unique_ptr<FileStore>(new FileStore(directory, dir.release(), lock.release()));
}

FileStore::FileStore(std::filesystem::path directory, int directory_fd, int lock_fd)
    : directory_(std::move(directory)), directory_fd_(directory_fd), lock_fd_(lock_fd) {}

FileStore::~FileStore() {
    ::close(lock_fd_);
    ::close(directory_fd_);
}

Result<std::optional<Store::Blob>> FileStore::load(const std::string& name) {
    auto newest = read_file(directory_fd_, name);
    if (newest.outcome == Read::whole) {
        good_.insert(name);
        return Blob{std::move(newest.bytes), {}};
    }
    auto before = read_file(directory_fd_, name + ".1");
    const auto path = (directory_ / name).string();
    if (newest.outcome == Read::absent) {
        // Killed between the two renames of a save that never returned: the version before is the newest.
        if (before.outcome == Read::whole) return Blob{std::move(before.bytes), {}};
        if (before.outcome == Read::absent) return std::nullopt;
        return fail(ErrorKind::invalid,
                    fmt::format("{}.1 cannot be used: {}; restore it from a backup, or remove it to "
                                "start without it",
                                path, before.why));
    }
    if (before.outcome != Read::whole) {
        return fail(ErrorKind::invalid,
                    fmt::format("{} cannot be used: {}; there is no version before it: restore it from a backup, or "
                                "remove it to start without it",
                                path, newest.why));
    }
    return Blob{std::move(before.bytes),
                fmt::format("{} cannot be used: {}; the version before it is in force, and the "
                            "damaged one will be kept as {}.damaged",
                            path, newest.why, name)};
}

bool FileStore::verified(const std::string& name) {
    if (good_.contains(name)) return true;
    return read_file(directory_fd_, name).outcome == Read::whole;
}

Result<> FileStore::save(const std::string& name, std::string_view bytes) {
    assert(!name.empty() && name.find_first_of("./") == std::string::npos);
    const auto temporary = name + ".new";
    const auto refuse = [&](std::string_view verb, int error) {
        ::unlinkat(directory_fd_, temporary.c_str(), 0);
        return fail(ErrorKind::io, fmt::format("cannot {} {}: {}{}", verb, (directory_ / name).string(), reason(error),
                                               remedy(error)));
    };
    {
        const Descriptor file(
            ::openat(directory_fd_, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file.fd < 0) return refuse("write", errno);
        failpoint("store.created");
        const auto content = framed(bytes);
        const auto half = std::string_view(content).substr(0, content.size() / 2);
        if (const int error = write_all(file.fd, half)) return refuse("write", error);
        failpoint("store.half_written");
        if (const int error = write_all(file.fd, std::string_view(content).substr(half.size()))) {
            return refuse("write", error);
        }
        failpoint("store.written");
        if (::fsync(file.fd) != 0) return refuse("write", errno);
    }
    failpoint("store.synced");
    // Only a whole file becomes the version before: a damaged one must not push out the last good.
    const auto keep_as = name + (verified(name) ? ".1" : ".damaged");
    if (::renameat(directory_fd_, name.c_str(), directory_fd_, keep_as.c_str()) != 0 && errno != ENOENT) {
        return refuse("rename", errno);
    }
    failpoint("store.kept_previous");
    if (::renameat(directory_fd_, temporary.c_str(), directory_fd_, name.c_str()) != 0) return refuse("rename", errno);
    failpoint("store.renamed");
    if (::fsync(directory_fd_) != 0) return refuse("write", errno);
    good_.insert(name);
    return {};
}

Result<> FileStore::remove(const std::string& name) {
    good_.erase(name);
    for (const auto* suffix : {".new", ".damaged", ".1", ""}) {
        const auto file = name + suffix;
        if (::unlinkat(directory_fd_, file.c_str(), 0) != 0 && errno != ENOENT) {
            return fail(ErrorKind::io,
                        fmt::format("cannot remove {}: {}", (directory_ / file).string(), reason(errno)));
        }
    }
    return {};
}

} // namespace weft::controller
