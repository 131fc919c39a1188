// A .tar.gz being written (libarchive). The file is this user's alone, and none that is there already is overwritten.
#pragma once
#include "base/result.hpp"

#include <memory>
#include <string>

struct archive;

namespace weft::cli {

class Archive {
  public:
    /// Errors (io) name the file and the reason.
    static Result<Archive> create(const std::string& path);

    /// A file within. Errors (io): the disk is full.
    Result<> add(const std::string& name, const std::string& text);
    /// Writes what is left. Until then the file is of no use; one that is not closed is removed.
    Result<> close();

  private:
    struct Closing {
        void operator()(archive* writer) const;
    };
    class File {
      public:
        File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
        ~File();
        File(const File&) = delete;
        File& operator=(const File&) = delete;
        int fd() const { return fd_; }
        const std::string& path() const { return path_; }
        void keep() { kept_ = true; }

      private:
        int fd_;
        std::string path_;
        bool kept_ = false;
    };
    explicit Archive(std::unique_ptr<File> file);
    std::unexpected<Error> failed() const;

    std::unique_ptr<File> file_; // closed after the writer
    std::unique_ptr<archive, Closing> writer_;
};

} // namespace weft::cli
