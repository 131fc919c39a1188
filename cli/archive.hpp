// A .tar.gz (libarchive), made in memory and written as a whole: who gives up meanwhile leaves nothing. The file is
// this user's alone, and none that is there already is overwritten.
#pragma once
#include "base/result.hpp"

#include <memory>
#include <string>

struct archive;

namespace weft::cli {

class Archive {
  public:
    /// Errors (io) name the file and the reason: it is there already, or nothing can be written beside it.
    static Result<Archive> create(const std::string& path);

    /// A file within. Errors (io): no memory.
    Result<> add(const std::string& name, const std::string& text);
    /// Writes the file, whole or not at all. Errors (io) name the reason, such as a full disk.
    Result<> close();

  private:
    struct Closing {
        void operator()(archive* writer) const;
    };
    explicit Archive(std::string path);
    std::unexpected<Error> failed() const;

    std::string path_;
    std::unique_ptr<std::string> bytes_; // at a place that the writer keeps
    std::unique_ptr<archive, Closing> writer_;
};

} // namespace weft::cli
