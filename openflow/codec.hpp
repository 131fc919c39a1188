// Flows, groups, meters and messages ↔ OpenFlow 1.5 (or 1.4) bytes, and ↔ text as ovs-ofctl writes it. codec.cpp is the
// only C++ file that sees libopenvswitch's headers, and the place where its traps are disarmed.
// Encoding asserts that a value is well-formed (prerequisites, sizes): values come from weft's own compiler.
// Decoding returns errors: bytes come from peers.
#pragma once
#include "base/result.hpp"
#include "openflow/flow.hpp"
#include "openflow/table.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::openflow {

using Bytes = std::vector<std::byte>;

enum class Version : std::uint8_t { v14 = 0x05, v15 = 0x06 };

/// Why this flow would not be encoded as it is written, or is refused by every switch: a missing prerequisite (named),
/// a value outside its field, actions that contradict the match, a message above 64 KiB. invalid.
Result<void> check(const Flow& flow);
Result<void> check(const GroupEntry& group);
Result<void> check(const MeterEntry& meter);

/// The same for actions by themselves, without a match; empty when nothing is wrong.
std::string problem_of(std::span<const Action> actions);
/// Whether set_field may write it.
bool settable(Field field);

/// The canonical bytes of a flow: an OpenFlow 1.5 FLOW_MOD (add) with transaction id 0.
Bytes encode(const Flow& flow);
/// Back from a FLOW_MOD (add) of either version.
Result<Flow> decode_flow(std::span<const std::byte> bytes);

/// Silences libopenvswitch's logger and builds its lazy tables; call once in main(), not in a static initializer,
/// before any thread uses the codec.
void initialize_codec();

// --- text: ovs-ofctl(8) flow syntax, for people and tests, never the hot path
/// "table=0,priority=10,cookie=0x1,in_port=1 actions=output:2". Numbers only, no port names.
Result<Flow> parse_flow(std::string_view text);
std::string to_string(const Flow& flow);
std::string to_string(const Match& match);
std::string to_string(const Actions& actions);
std::string to_string(const GroupEntry& group);
std::string to_string(const MeterEntry& meter);

} // namespace weft::openflow
