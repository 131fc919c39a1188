// A store in memory that can refuse to write, as a full disk does.
#pragma once
#include "controller/store.hpp"

#include <map>

namespace weft::test {

class MemoryStore : public controller::Store {
  public:
    std::map<std::string, std::string> blobs;
    std::string refuses; ///< the blob that cannot be written; "*": none can

    Result<std::optional<Blob>> load(const std::string& name) override {
        const auto found = blobs.find(name);
        if (found == blobs.end()) return std::nullopt;
        return Blob{found->second, {}};
    }
    Result<> save(const std::string& name, std::string_view bytes) override {
        if (name == refuses || refuses == "*")
            return fail(ErrorKind::io, "cannot write " + name + ": the disk is full");
        blobs[name] = bytes;
        return {};
    }
    Result<> remove(const std::string& name) override {
        blobs.erase(name);
        return {};
    }
};

} // namespace weft::test
