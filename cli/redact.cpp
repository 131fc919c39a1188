#include "cli/redact.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace weft::cli {
namespace {

constexpr std::string_view kHidden = "***";
constexpr std::array<std::string_view, 6> kSecrets{"password", "passwd", "secret", "token", "psk", "private_key"};

// Read by hand, in one pass each: std::regex recurses over the length of what it matches, and a bundle's texts are
// long.

bool ends_userinfo(char c) {
    return c == '/' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '\\' ||
           std::isspace(static_cast<unsigned char>(c)) != 0;
}

/// scheme://user:PASSWORD@host (RFC 3986, section 3.2.1)
std::string without_userinfo(std::string_view text) {
    std::string result;
    for (std::size_t at = 0;;) {
        const auto scheme = text.find("://", at);
        if (scheme == std::string_view::npos) return result.append(text.substr(at));
        const auto begin = scheme + 3;
        const auto end = static_cast<std::size_t>(
            std::find_if(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), ends_userinfo) - text.begin());
        const auto authority = text.substr(begin, end - begin);
        const auto host = authority.rfind('@');
        const auto colon = authority.find(':');
        if (host != std::string_view::npos && colon < host)
            result.append(text.substr(at, begin + colon + 1 - at)).append(kHidden).append(authority.substr(host));
        else
            result.append(text.substr(at, end - at));
        at = end;
    }
}

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Past blanks, and past what closes the key's quotes, with the backslash of a text within a text.
std::size_t past_blanks(std::string_view text, std::size_t at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t'))
        ++at;
    return at;
}
std::size_t past_quote(std::string_view text, std::size_t at) {
    if (at + 1 < text.size() && text[at] == '\\') ++at;
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
    return at;
}

/// key = "VALUE", "key": "VALUE", key=VALUE: where the value begins; npos where no value follows. (An object that is
/// called so is none.)
std::size_t value_after(std::string_view text, std::size_t key_end) {
    auto at = past_blanks(text, past_quote(text, key_end));
    if (at >= text.size() || (text[at] != '=' && text[at] != ':')) return std::string_view::npos;
    at = past_blanks(text, at + 1);
    if (at < text.size() && (text[at] == '{' || text[at] == '[' || text.substr(at).starts_with("null")))
        return std::string_view::npos;
    return past_quote(text, at);
}

std::size_t end_of_value(std::string_view text, std::size_t begin) {
    const char before = text[begin - 1];
    const bool quoted = before == '"' || before == '\'';
    const auto end = quoted ? text.find_first_of(std::string{before, '\\', '\n'}, begin)
                            : text.find_first_of(" \t\r\n,;&\"'}])\\", begin);
    return std::min(end, text.size());
}

std::string without_values(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string result;
    std::size_t copied = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (!is_word(lower[at])) {
            ++at;
            continue;
        }
        const auto end = static_cast<std::size_t>(
            std::find_if_not(lower.begin() + static_cast<std::ptrdiff_t>(at), lower.end(), is_word) - lower.begin());
        const auto word = std::string_view(lower).substr(at, end - at);
        at = end;
        // "api_token" as well as "token"
        if (std::ranges::none_of(kSecrets, [&](auto secret) { return word.ends_with(secret); })) continue;
        const auto value = value_after(text, end);
        if (value == std::string_view::npos) continue;
        const auto value_end = end_of_value(text, value);
        if (value_end == value) continue;
        result.append(text.substr(copied, value - copied)).append(kHidden);
        at = copied = value_end;
    }
    return result.append(text.substr(copied));
}

/// RFC 7468
std::string without_keys(std::string_view text) {
    constexpr std::string_view kBegin = "-----BEGIN ", kKey = "PRIVATE KEY-----", kEnd = "-----END ";
    std::string result;
    for (std::size_t at = 0;;) {
        const auto begin = text.find(kBegin, at);
        if (begin == std::string_view::npos) return result.append(text.substr(at));
        const auto label_end = text.find("-----", begin + kBegin.size());
        const auto label = text.substr(begin, std::min(label_end, text.size() - 5) + 5 - begin);
        result.append(text.substr(at, begin - at)).append(label);
        at = begin + label.size();
        if (!label.ends_with(kKey)) continue;
        result.append(kHidden);
        at = std::min(text.find(kEnd, at), text.size());
    }
}

} // namespace

std::string redacted(const std::string& text) {
    return without_values(without_userinfo(without_keys(text)));
}

} // namespace weft::cli
