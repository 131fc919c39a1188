// What apply, confirm and rollback have in common: a POST that changes what is in force, its answer in words, and the
// wait for the hosts.
#pragma once
#include "cli/commands.hpp"

#include <boost/json/value.hpp>
#include <expected>
#include <string>

namespace weft::cli {

/// The 200 of a POST, or the exit code after the reason was printed: every problem with its place where the topology
/// has any. `what` is what has them: a path, a revision.
std::expected<boost::json::value, int> post_change(Context& context, const char* target,
                                                   const boost::json::object& body, const std::string& what);

/// The plan and the notices of an answer.
void print_change(Context& context, const boost::json::value& answer);

/// Of a status or an answer: until when its revision awaits confirmation, what comes then, and the remedy. Empty: it
/// does not.
std::string trial_text(const boost::json::value& answer);

/// Waits until every host has the answer's revision, or will not have it soon, and prints the hosts; as JSON the whole
/// answer, with the hosts as they are at the end. The exit code: kNo when a host has it not, or when another revision
/// came back before.
int await_hosts(Context& context, boost::json::value answer, std::chrono::seconds timeout);

/// "1 host", "2 hosts"
std::string count_of(std::size_t count, std::string_view noun);

} // namespace weft::cli
