// TOML text → Topology, offline and pure but for load(), which reads the files. Every problem is reported, never only
// the first; a source with an error gives a Topology that must not be used (Parsed::ok()).
#pragma once
#include "base/result.hpp"
#include "topology/model.hpp"

#include <string>
#include <vector>

namespace weft::topology {

/// One file's text as read.
struct Source {
    std::string name; ///< as shown to the admin: "demo.toml"
    std::string text;
    bool operator==(const Source&) const = default;
};

enum class Severity { error, warning };

/// One mistake, where it is, and what to do about it.
struct Problem {
    Severity severity = Severity::error;
    Origin where;
    std::string text;   ///< "unknown key 'subnett' in [[network]]"
    std::string remedy; ///< "did you mean 'subnet'?"; may be empty
    Origin other;       ///< a second place ("first defined here"); line 0: none
};

struct Parsed {
    Topology topology;
    std::vector<Problem> problems; ///< in order of place; warnings included
    bool ok() const;               ///< no errors
};

/// Reads one file, or every *.toml of a directory in name order.
Result<std::vector<Source>> load(const std::string& path);

/// Syntax, unknown keys, types, ranges, defaults, merge; then validate(). Deterministic.
Parsed parse(const std::vector<Source>& sources);

/// The rules between objects (docs/topology.md): references, duplicates, overlaps, conflicts, id collisions.
/// parse() calls it; it stands alone for topologies that dynamic ports were merged into.
std::vector<Problem> validate(const Topology& topology);

/// "demo.toml:3:1: error: …", the line, a caret, the remedy and the second place: several lines, with a final newline.
std::string render(const Problem& problem, const std::vector<Source>& sources);

} // namespace weft::topology
