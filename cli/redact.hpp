// Takes secrets out of what is handed to others. What is no secret stays: addresses, MACs and names are what a fault is
// found by.
#pragma once
#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

namespace weft::cli {

/// A text, TOML or prose, with "***" for
/// - passwords in URIs ("qemu+tcp://root:***@kvm1/system"), and whatever stands before the host in http and https;
/// - the values of keys that end in password, passphrase, secret, token, psk, private_key and the like (redact.cpp), as
///   in TOML, JSON, queries and attributes;
/// - private keys in PEM.
std::string redacted(std::string_view text);

/// The same of every string in `value`, and of the values of keys as above. Before it is written: then nothing in it is
/// escaped.
boost::json::value redacted_json(const boost::json::value& value);

} // namespace weft::cli
