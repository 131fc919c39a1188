#include "cli/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <fmt/format.h>
#include <system_error>
#include <unistd.h>

namespace weft::cli {

Archive::File::~File() {
    ::close(fd_);
    if (!kept_) ::unlink(path_.c_str());
}

void Archive::Closing::operator()(archive* writer) const {
    archive_write_free(writer);
}

Archive::Archive(std::unique_ptr<File> file) : file_(std::move(file)), writer_(archive_write_new()) {}

std::unexpected<Error> Archive::failed() const {
    const char* reason = archive_error_string(writer_.get());
    return fail(ErrorKind::io, fmt::format("cannot write {}: {}", file_->path(), reason == nullptr ? "error" : reason));
}

Result<Archive> Archive::create(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(ErrorKind::io,
                    errno == EEXIST ? fmt::format("{} is there already: remove it, or give another name", path)
                                    : fmt::format("cannot write {}: {}", path, std::generic_category().message(errno)));
    Archive made(std::make_unique<File>(fd, path));
    auto* writer = made.writer_.get();
    if (archive_write_add_filter_gzip(writer) != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(writer) != ARCHIVE_OK ||
        archive_write_open_fd(writer, fd) != ARCHIVE_OK)
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
    file_->keep();
    return {};
}

} // namespace weft::cli
