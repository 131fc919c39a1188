// The rules of validate(), one function per part of the model, and what they share. A rule looks at values only; where
// a key could not be read (Origin::malformed) parse has complained already and the rule keeps quiet.
#pragma once
#include "topology/nearest.hpp"
#include "topology/parse.hpp"

#include <fmt/format.h>

namespace weft::topology {

class Findings {
  public:
    void error(Origin where, std::string text, std::string remedy = {}, Origin other = {}) {
        problems_.push_back({Severity::error, std::move(where), std::move(text), std::move(remedy), std::move(other)});
    }
    void warning(Origin where, std::string text, std::string remedy = {}, Origin other = {}) {
        problems_.push_back(
            {Severity::warning, std::move(where), std::move(text), std::move(remedy), std::move(other)});
    }

    /// The object a key refers to, or null and a problem. An empty name refers to nothing: null, no problem.
    /// `kind` is the word of the file: "network".
    template <class Map>
    const typename Map::mapped_type* find(const Map& objects, const std::string& name, const Origin& where,
                                          std::string_view kind) {
        if (name.empty()) return nullptr;
        const auto found = objects.find(name);
        if (found != objects.end()) return &found->second;
        auto remedy = nearest_key(name, objects);
        if (remedy.empty()) remedy = fmt::format("define it with [[{}]], or correct the name", kind);
        error(where, fmt::format("there is no {} '{}'", kind, name), std::move(remedy));
        return nullptr;
    }

    /// Complains of names that stand in a list twice. `key` is the list's key.
    void unique(const std::vector<std::string>& names, const Origin& origin, std::string_view key);

    std::vector<Problem> take() && { return std::move(problems_); }

  private:
    std::vector<Problem> problems_;
};

/// Order of place in the files.
void sort_by_place(std::vector<Problem>& problems);
bool earlier(const Origin& a, const Origin& b);

/// Values that must be unique: who has one already, and a problem for the second in the file.
template <class Key>
class FirstCome {
  public:
    explicit FirstCome(Findings& findings) : findings_(findings) {}
    void take(const Key& key, Origin where, std::string text, std::string remedy) {
        const auto [first, added] = first_.emplace(key, where);
        if (added) return;
        if (earlier(where, first->second)) std::swap(where, first->second);
        findings_.error(std::move(where), std::move(text), std::move(remedy), first->second);
    }

  private:
    Findings& findings_;
    std::map<Key, Origin> first_;
};

/// "security_groups[2]": the place of a list's element in Origin::keys.
inline std::string element(std::string_view key, std::size_t index) {
    return fmt::format("{}[{}]", key, index);
}

/// Why a host of `subnet` cannot have `ip`: "is outside 10.0.1.0/24"; empty when it can.
std::string unfit(const Ip& ip, const Prefix& subnet);

void check_hosts(const Topology& topology, Findings& findings);
void check_networks(const Topology& topology, Findings& findings);
void check_ports(const Topology& topology, Findings& findings);
/// Addresses and MACs that two owners claim.
void check_duplicates(const Topology& topology, Findings& findings);
void check_routers(const Topology& topology, Findings& findings);
void check_gateways(const Topology& topology, Findings& findings);
void check_translations(const Topology& topology, Findings& findings);
/// ACLs, security groups and QoS.
void check_policy(const Topology& topology, Findings& findings);
/// Names whose hashes collide.
void check_ids(const Topology& topology, Findings& findings);

} // namespace weft::topology
