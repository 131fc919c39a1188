// The addresses of one family of one network that weft may hand out, and which of them are in use.
#pragma once
#include "topology/model.hpp"

#include <set>
#include <string_view>
#include <vector>

namespace weft::topology {

class Pool {
  public:
    /// Every address of `range` but those within `excluded` (any order, may overlap, may be of other families).
    Pool(const AddressRange& range, const std::vector<AddressRange>& excluded);

    /// Marks an address as in use; false if it was. Addresses outside the pool can be marked too.
    bool take(const Ip& ip);
    /// It is not in use any more.
    void give_back(const Ip& ip);
    /// The pool would hand this address out.
    bool offers(const Ip& ip) const;
    /// A free address, marked as in use. Where the search begins depends on `name` alone, so that an address hardly
    /// depends on what else is in the network; nothing when the pool is exhausted.
    std::optional<Ip> take_for(std::string_view name);
    /// How many addresses it has, used ones included; for people: "254", or "2^80" where nobody counts.
    std::string size() const;

  private:
    using Number = unsigned __int128; ///< an address of either family

    struct Span {
        Number first;
        Number last;
    };
    Number number(const Ip& ip) const;
    Ip address(Number number) const;

    bool v6_;
    std::vector<Span> spans_; ///< in order, disjoint, none empty
    Number size_ = 0;
    Number used_ = 0; ///< of the spans
    std::set<Ip> taken_;
};

} // namespace weft::topology
