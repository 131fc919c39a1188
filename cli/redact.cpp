#include "cli/redact.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>

namespace weft::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kHidden = "***";
constexpr std::array<std::string_view, 12> kSecrets{"password", "passwd",     "passphrase", "pwd",
                                                    "secret",   "secret_key", "token",      "psk",
                                                    "api_key",  "apikey",     "access_key", "private_key"};

// Read by hand, in one pass each: std::regex recurses over the length of what it matches, and a bundle's texts are
// long.

std::size_t find_from(std::string_view text, std::size_t begin, bool (*wanted)(char)) {
    return static_cast<std::size_t>(
        std::find_if(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), wanted) - text.begin());
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

/// Of a URI. A quote such as ' may stand in it, before the host (RFC 3986, section 3.2.1).
bool ends_authority(char c) {
    return c == '/' || c == '?' || c == '#' || c == '"' || c == '<' || c == '>' ||
           std::isspace(static_cast<unsigned char>(c)) != 0;
}

/// What stands before the host, without what is secret: "root:***". There is no user of http who is none.
std::string without_password(std::string_view before, std::string_view userinfo) {
    const auto scheme = lower(before);
    if (scheme.ends_with("http") || scheme.ends_with("https")) return std::string(kHidden);
    const auto colon = userinfo.find(':');
    if (colon == std::string_view::npos) return std::string(userinfo);
    return std::string(userinfo.substr(0, colon + 1)).append(kHidden);
}

std::string without_userinfo(std::string_view text) {
    std::string result;
    for (std::size_t at = 0;;) {
        const auto scheme = text.find("://", at);
        if (scheme == std::string_view::npos) return result.append(text.substr(at));
        const auto begin = scheme + 3;
        const auto end = find_from(text, begin, ends_authority);
        const auto authority = text.substr(begin, end - begin);
        result.append(text.substr(at, begin - at));
        if (const auto host = authority.rfind('@'); host != std::string_view::npos)
            result.append(without_password(text.substr(at, scheme - at), authority.substr(0, host)))
                .append(authority.substr(host));
        else
            result.append(authority);
        at = end;
    }
}

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}
bool is_no_word(char c) {
    return !is_word(c);
}

/// "api_token" and "API-Token" as well as "token".
bool names_secret(std::string_view word) {
    auto key = lower(word);
    std::ranges::replace(key, '-', '_');
    return std::ranges::any_of(kSecrets, [&](auto secret) { return key.ends_with(secret); });
}

std::size_t past_blanks(std::string_view text, std::size_t at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t'))
        ++at;
    return at;
}
std::size_t past_backslashes(std::string_view text, std::size_t at) {
    return std::min(text.find_first_not_of('\\', at), text.size());
}
bool quote_at(std::string_view text, std::size_t at) {
    return at < text.size() && (text[at] == '"' || text[at] == '\'');
}
/// Past what closes the key's quotes.
std::size_t past_quote(std::string_view text, std::size_t at) {
    const auto quote = past_backslashes(text, at);
    return quote_at(text, quote) ? quote + 1 : at;
}

/// key = "VALUE", "key": "VALUE", key=VALUE: where the value begins, quotes included; npos where none follows. (An
/// object that is called so is none.)
std::size_t value_after(std::string_view text, std::size_t key_end) {
    auto at = past_blanks(text, past_quote(text, key_end));
    if (at >= text.size() || (text[at] != '=' && text[at] != ':')) return std::string_view::npos;
    at = past_blanks(text, at + 1);
    return at < text.size() && text[at] != '{' && text[at] != '[' ? at : std::string_view::npos;
}

struct Span {
    std::size_t begin, end;
};

/// TOML's """…""" and '''…'''.
Span in_three_quotes(std::string_view text, std::size_t begin) {
    const auto quotes = text.substr(begin - 3, 3);
    for (auto at = begin; at < text.size(); ++at) {
        if (text[at] == '\\' && quotes[0] == '"')
            ++at;
        else if (text.substr(at).starts_with(quotes))
            return {begin, at};
    }
    return {begin, text.size()};
}

/// In quotes that stand behind `backslashes` of them: 0, in a text within a text 1, in one within that 3. Such a text
/// escapes each backslash and each quote within by as many; the run before the quote that closes it tells.
Span in_quotes(std::string_view text, std::size_t begin, std::size_t backslashes) {
    const char quote = text[begin - 1];
    std::size_t run = 0;
    for (auto at = begin; at < text.size() && text[at] != '\n'; ++at) {
        if (text[at] == '\\') {
            ++run;
            continue;
        }
        if (text[at] == quote && run % (2 * (backslashes + 1)) == backslashes) return {begin, at - backslashes};
        run = 0;
    }
    return {begin, std::min(text.find('\n', begin), text.size())};
}

Span value_at(std::string_view text, std::size_t at) {
    const auto quote = past_backslashes(text, at);
    if (!quote_at(text, quote)) {
        const auto end = std::min(text.find_first_of(" \t\r\n,;&\"'}])", at), text.size());
        return {at, text.substr(at, end - at) == "null" ? at : end};
    }
    if (quote == at && text.substr(at).starts_with(std::string(3, text[at]))) return in_three_quotes(text, at + 3);
    return in_quotes(text, quote + 1, quote - at);
}

std::string without_values(std::string_view text) {
    std::string result;
    std::size_t copied = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (!is_word(text[at])) {
            ++at;
            continue;
        }
        const auto end = find_from(text, at, is_no_word);
        const bool secret = names_secret(text.substr(at, end - at));
        at = end;
        if (!secret) continue;
        const auto after = value_after(text, end);
        if (after == std::string_view::npos) continue;
        const auto value = value_at(text, after);
        if (value.begin == value.end) continue;
        result.append(text.substr(copied, value.begin - copied)).append(kHidden);
        at = copied = value.end;
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

/// What stands in a key that names a secret: of an object within its keys tell.
json::value hidden(const json::value& value) {
    if (value.is_number() || (value.is_string() && !value.get_string().empty())) return json::string(kHidden);
    if (const auto* list = value.if_array()) {
        json::array all;
        for (const auto& item : *list)
            all.push_back(hidden(item));
        return all;
    }
    return redacted_json(value);
}

} // namespace

std::string redacted(std::string_view text) {
    return without_values(without_userinfo(without_keys(text)));
}

json::value redacted_json(const json::value& value) {
    if (const auto* text = value.if_string()) return json::string(redacted(std::string_view(*text)));
    if (const auto* list = value.if_array()) {
        json::array all;
        for (const auto& item : *list)
            all.push_back(redacted_json(item));
        return all;
    }
    if (const auto* object = value.if_object()) {
        json::object all;
        for (const auto& [key, item] : *object)
            all[key] = names_secret(std::string_view(key)) ? hidden(item) : redacted_json(item);
        return all;
    }
    return value;
}

} // namespace weft::cli
