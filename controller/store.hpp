// Where weftd keeps what must survive it: named blobs, each replaced atomically. Small on purpose: a clustered
// database can stand behind the same three verbs. What the blobs mean: controller/state.
#pragma once
#include "base/result.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace weft::controller {

class Store {
  public:
    struct Blob {
        std::string bytes;
        std::string notice; ///< not empty: the newest version was unreadable and this is the one before; a sentence
    };

    virtual ~Store() = default;
    /// Nothing if `name` was never saved. An error if it was and no version of it can be read; the text says what to
    /// do.
    virtual Result<std::optional<Blob>> load(const std::string& name) = 0;
    /// After success the new version survives a power cut; after an error, or a kill at any instant, load() gives the
    /// version before or the new one, whole. Names are file names without a dot.
    virtual Result<> save(const std::string& name, std::string_view bytes) = 0;
    /// Forgets every version. Not an error if there is none.
    virtual Result<> remove(const std::string& name) = 0;
};

/// A file per blob in one directory: NAME, and NAME.1 for the version before. Each begins with a line that carries
/// its length and checksum: "weft 1 LENGTH XXH3\n". The directory is locked against a second weftd.
class FileStore : public Store {
  public:
    /// Makes the directory (0700) if need be.
    static Result<std::unique_ptr<FileStore>> open(const std::filesystem::path& directory);
    ~FileStore() override;

    Result<std::optional<Blob>> load(const std::string& name) override;
    Result<> save(const std::string& name, std::string_view bytes) override;
    Result<> remove(const std::string& name) override;

  private:
    FileStore(std::filesystem::path directory, int directory_fd, int lock_fd);
    bool verified(const std::string& name);

    std::filesystem::path directory_;
    int directory_fd_;
    int lock_fd_;
    std::set<std::string> good_; ///< names whose newest file is known whole, so that it may become NAME.1
};

} // namespace weft::controller
