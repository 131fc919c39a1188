// Takes secrets out of texts that are handed to others. What is no secret stays: addresses, MACs and names are what a
// fault is found by.
#pragma once
#include <string>

namespace weft::cli {

/// With "***" for passwords in URIs ("qemu+tcp://root:***@kvm1/system"), for the values of keys that are called
/// password, passwd, secret, token, psk or private_key, in JSON, TOML and queries, and for private keys in PEM.
std::string redacted(const std::string& text);

} // namespace weft::cli
