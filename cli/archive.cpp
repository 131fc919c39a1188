#include "cli/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace weft::cli {
namespace {

la_ssize_t append(archive*, void* bytes, const void* data, std::size_t size) {
    static_cast<std::string*>(bytes)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
}

std::unexpected<Error> cannot_write(const std::string& path, int error) {
    return fail(ErrorKind::io, error == EEXIST
                                   ? fmt::format("{} is there already: remove it, or give another name", path)
                                   : fmt::format("cannot write {}: {}", path, std::generic_category().message(error)));
}

/// 0, or errno.
int write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto wrote = ::write(fd, bytes.data(), bytes.size());
        if (wrote < 0 && errno != EINTR) return errno;
        if (wrote > 0) bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return 0;
}

/// Ctrl-C waits for the end of it.
class Uninterrupted {
  public:
    Uninterrupted() {
        sigset_t asked{};
        sigemptyset(&asked);
        for (const int signal : {SIGINT, SIGTERM, SIGHUP})
            sigaddset(&asked, signal);
        ::pthread_sigmask(SIG_BLOCK, &asked, &before_);
    }
    ~Uninterrupted() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    Uninterrupted(const Uninterrupted&) = delete;
    Uninterrupted& operator=(const Uninterrupted&) = delete;

  private:
    sigset_t before_{};
};

} // namespace

void Archive::Closing::operator()(archive* writer) const {
    archive_write_free(writer);
}

Archive::Archive(std::string path)
    : path_(std::move(path)), bytes_(std::make_unique<std::string>()), writer_(archive_write_new()) {}

std::unexpected<Error> Archive::failed() const {
    const char* reason = archive_error_string(writer_.get());
    return fail(ErrorKind::io, fmt::format("cannot write {}: {}", path_, reason == nullptr ? "error" : reason));
}

Result<Archive> Archive::create(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) return cannot_write(path, EEXIST);
    const auto directory = std::filesystem::path(path).parent_path();
    if (::access(directory.empty() ? "." : directory.c_str(), W_OK | X_OK) != 0) return cannot_write(path, errno);
    Archive made(path);
    auto* writer = made.writer_.get();
    archive_write_set_bytes_in_last_block(writer, 1);
    if (archive_write_add_filter_gzip(writer) != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(writer) != ARCHIVE_OK ||
        archive_write_open(writer, made.bytes_.get(), nullptr, append, nullptr) != ARCHIVE_OK)
        return made.failed();
    return made;
}

Result<> Archive::add(const std::string& name, const std::string& text) {
    const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(), archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0600);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(text.size()));
    archive_entry_set_mtime(entry.get(), std::time(nullptr), 0);
    if (archive_write_header(writer_.get(), entry.get()) != ARCHIVE_OK) return failed();
    if (archive_write_data(writer_.get(), text.data(), text.size()) != static_cast<la_ssize_t>(text.size()))
        return failed();
    return {};
}

Result<> Archive::close() {
    if (archive_write_close(writer_.get()) != ARCHIVE_OK) return failed();
    const Uninterrupted whole;
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return cannot_write(path_, errno);
    int error = write_all(fd, *bytes_);
    if (::close(fd) != 0 && error == 0) error = errno; // a network file system may tell only now
    if (error == 0) return {};
    ::unlink(path_.c_str());
    return cannot_write(path_, error);
}

} // namespace weft::cli
