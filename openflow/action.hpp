// Actions as values, named as in ovs-actions(7). Instructions (meter, goto_table) stand in the same list: Open vSwitch
// treats them so, and the codec puts them where OpenFlow wants them. An empty list is a drop.
#pragma once
#include "openflow/match.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace weft::openflow {

struct Action;
using Actions = std::vector<Action>;

/// OpenFlow's reserved port numbers that weft uses.
namespace ofport {
inline constexpr std::uint32_t kInPort = 0xfffffff8, kController = 0xfffffffd, kLocal = 0xfffffffe, kAny = 0xffffffff;
}

struct Output {
    std::uint32_t port = 0;
    bool operator==(const Output&) const = default;
};
struct Group {
    std::uint32_t id = 0;
    bool operator==(const Group&) const = default;
};
/// set_field (load for registers): bits of `mask` only.
struct SetField {
    Field field{};
    Bits value = 0;
    Bits mask = 0;
    bool operator==(const SetField&) const = default;
};
/// move:src[src_bit..]->dst[dst_bit..], `bits` wide.
struct Move {
    Field source{};
    std::uint16_t source_bit = 0;
    Field target{};
    std::uint16_t target_bit = 0;
    std::uint16_t bits = 0;
    bool operator==(const Move&) const = default;
};
struct PushVlan {
    std::uint16_t tpid = 0x8100;
    bool operator==(const PushVlan&) const = default;
};
struct PopVlan {
    bool operator==(const PopVlan&) const = default;
};
/// resubmit(,table): the flow's own actions go on afterwards.
struct Resubmit {
    std::uint8_t table = 0;
    bool operator==(const Resubmit&) const = default;
};
struct GotoTable {
    std::uint8_t table = 0;
    bool operator==(const GotoTable&) const = default;
};
struct Meter {
    std::uint32_t id = 0;
    bool operator==(const Meter&) const = default;
};
/// set_queue: the queue of the port that it leaves by, where that port has one of this number.
struct SetQueue {
    std::uint32_t id = 0;
    bool operator==(const SetQueue&) const = default;
};
struct DecTtl {
    bool operator==(const DecTtl&) const = default;
};
struct CtClear {
    bool operator==(const CtClear&) const = default;
};
/// ct(nat(...)). Neither source nor target: `nat` alone, which undoes what a connection committed.
struct Nat {
    enum class Kind { restore, source, target };
    Kind kind = Kind::restore;
    std::optional<Ip> first, last;               ///< address range; required unless restore
    std::uint16_t port_first = 0, port_last = 0; ///< 0: any
    bool operator==(const Nat&) const = default;
};
struct Ct {
    bool commit = false;
    bool force = false;
    std::variant<std::uint16_t, Field> zone = std::uint16_t{0}; ///< a number, or the low 16 bits of a register
    std::optional<std::uint8_t> table;                          ///< recirculate here
    std::optional<Nat> nat;
    std::vector<SetField> exec; ///< ct_mark, ct_label; needs commit
    bool operator==(const Ct&) const = default;
};
/// check_pkt_larger(length)->target[bit]
struct CheckPktLarger {
    std::uint16_t length = 0;
    Field target{};
    std::uint16_t bit = 0;
    bool operator==(const CheckPktLarger&) const = default;
};
/// conjunction(id, clause/clauses); clause counts from 1.
struct Conjunction {
    std::uint32_t id = 0;
    std::uint8_t clause = 1;
    std::uint8_t clauses = 2;
    bool operator==(const Conjunction&) const = default;
};
/// controller(max_len=65535,userdata=...,meter_id=...)
struct Controller {
    std::string userdata; ///< raw bytes
    std::optional<std::uint32_t> meter;
    bool operator==(const Controller&) const = default;
};

struct Action {
    std::variant<Output, Group, SetField, Move, PushVlan, PopVlan, Resubmit, GotoTable, Meter, SetQueue, DecTtl,
                 CtClear, Ct, CheckPktLarger, Conjunction, Controller>
        value;
    template <class T>
        requires(!std::same_as<std::remove_cvref_t<T>, Action>)
    Action(T&& v)
        : value(std::forward<T>(v)) {} // NOLINT(google-explicit-constructor): an action list reads as its actions
    bool operator==(const Action&) const = default;
};

/// Whole-field set, the common case.
inline SetField set_field(Field field, Bits value) {
    return {field, value, full_mask(field)};
}
inline SetField set_field(Field field, const Mac& mac) {
    return set_field(field, bits(mac));
}
/// Copies all of `source` to the low bits of `target`.
inline Move move_field(Field source, Field target) {
    return {source, 0, target, 0, static_cast<std::uint16_t>(width_of(source))};
}

inline void append(Actions& actions, const Actions& more) {
    actions.insert(actions.end(), more.begin(), more.end());
}

} // namespace weft::openflow
