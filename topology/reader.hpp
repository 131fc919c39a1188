// Reads one TOML table key by key and reports what is wrong with it: a missing key, a value of the wrong type or form,
// and at the end the keys nobody asked for. It never gives up: every call reports and carries on.
// Fed by topology/parse with toml++ nodes; feeds the read_* functions with values and Origins.
#pragma once
#include "topology/form.hpp"
#include "topology/parse.hpp"

#include <concepts>
#include <initializer_list>
#include <set>
#include <toml++/toml.h>

namespace weft::topology {

/// The file being read and where its problems go.
struct Reading {
    std::string file;
    std::vector<Problem>& problems;

    Origin origin(const toml::source_region& region) const;
    void error(const toml::source_region& region, std::string text, std::string remedy = {});
};

class TableReader {
  public:
    /// `what` names the table in messages: "[[network]]". Its Origin is where the table begins.
    TableReader(Reading& reading, const toml::table& table, std::string what);
    TableReader(const TableReader&) = delete;
    TableReader& operator=(const TableReader&) = delete;
    /// Reports the keys that nobody took.
    ~TableReader();

    /// Where the object is; its places fill up while it is being read.
    const Origin& origin() const { return origin_; }
    bool has(std::string_view key) const { return table_.contains(key); }
    /// Every key, in order of name: for tables whose keys the admin chooses.
    std::vector<std::string> keys() const;
    /// The node of a key, now known; null when absent.
    const toml::node* take(std::string_view key);
    /// False, and a problem, when the key is absent.
    bool require(std::string_view key);

    /// Reads a string of `form`; leaves `into` alone when the key is absent or malformed. True when it was set.
    template <class T, class Into>
    bool text(std::string_view key, const Form<T>& form, Into& into) {
        const auto* node = take(key);
        if (node == nullptr) return false;
        auto value = read(*node, key, key, form);
        if (!value) return false;
        into = *std::move(value);
        return true;
    }

    /// A list of strings of `form`; malformed elements are left out.
    template <class T>
    void texts(std::string_view key, const Form<T>& form, std::vector<T>& into) {
        const auto* list = array(key, "a list of strings");
        if (list == nullptr) return;
        into.clear();
        for (const auto& node : *list) {
            const auto part = element(key, into.size());
            if (auto value = read(node, key, part, form)) into.push_back(*std::move(value));
        }
    }

    /// An integer within [lowest, highest].
    template <std::integral T, class Into>
    void integer(std::string_view key, T lowest, T highest, Into& into) {
        if (const auto value = integer(key, std::int64_t{lowest}, std::int64_t{highest})) into = static_cast<T>(*value);
    }
    void boolean(std::string_view key, bool& into);

    /// A list of inline tables, each given to `each` with a reader of its own.
    template <class Each>
    void tables(std::string_view key, std::string_view what, Each&& each) {
        const auto* list = array(key, "a list of tables");
        if (list == nullptr) return;
        std::size_t index = 0;
        for (const auto& node : *list) {
            if (const auto* table = as_table(node, key, element(key, index++))) {
                TableReader reader(reading_, *table, std::string(what));
                each(reader);
            }
        }
    }

    /// An inline table whose keys count as this object's: "dhcp.range".
    template <class Read>
    bool table(std::string_view key, Read&& read_table) {
        const auto* node = take(key);
        const auto* inner = node == nullptr ? nullptr : as_table(*node, key, key);
        if (inner == nullptr) return false;
        TableReader reader(*this, *inner, key);
        read_table(reader);
        return true;
    }

    /// A problem with this table as a whole, or with one key of it.
    void error(std::string text, std::string remedy = {});
    void error_at(std::string_view key, std::string text, std::string remedy = {}, Origin other = {});

  private:
    TableReader(TableReader& outer, const toml::table& table, std::string_view key);

    template <class T>
    std::optional<T> read(const toml::node& node, std::string_view key, std::string_view part, const Form<T>& form) {
        place(part, node.source());
        std::string integer;
        const auto* string = node.as_string();
        if (const auto* number = node.as_integer()) integer = std::to_string(number->get());
        if (string != nullptr || (form.integers && !integer.empty())) {
            auto value = form.read(string != nullptr ? std::string_view(string->get()) : integer);
            if (value) return *std::move(value);
            malformed(node, key, part, form.expected, std::move(value.error()));
            return std::nullopt;
        }
        const bool quotes_missing = !integer.empty() && form.read(integer);
        malformed(node, key, part, form.expected, quotes_missing ? "put it in quotes: \"" + integer + "\"" : "");
        return std::nullopt;
    }

    std::optional<std::int64_t> integer(std::string_view key, std::int64_t lowest, std::int64_t highest);
    const toml::array* array(std::string_view key, std::string_view expected);
    const toml::table* as_table(const toml::node& node, std::string_view key, std::string_view part);
    static std::string element(std::string_view key, std::size_t index);
    void place(std::string_view part, const toml::source_region& region);
    void malformed(const toml::node& node, std::string_view key, std::string_view part, std::string_view expected,
                   std::string remedy);

    Reading& reading_;
    const toml::table& table_;
    std::string what_;
    std::string path_; ///< "dhcp." in a table within the object
    std::shared_ptr<KeyPlaces> keys_;
    Origin origin_;
    Origin where_; ///< the table itself; differs from origin_ within an object
    std::set<std::string, std::less<>> known_;
};

} // namespace weft::topology
