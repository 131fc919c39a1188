#include "controller/page.hpp"

#include <algorithm>
#include <string>

namespace weft::controller {
namespace {

std::string_view type_of(std::string_view name) {
    if (name.ends_with(".html")) return "text/html; charset=utf-8";
    if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
    if (name.ends_with(".css")) return "text/css; charset=utf-8";
    return "image/svg+xml";
}

/// If-None-Match (RFC 9110 section 13.1.2): `*`, or a list of tags, of which W/ says nothing that matters here.
bool holds(std::string_view list, std::string_view etag) {
    return list == "*" || list.find(etag) != std::string_view::npos;
}

} // namespace

std::optional<HttpResponse> page(const HttpRequest& request) {
    constexpr std::string_view kPrefix = "/web/";
    std::string_view name = request.path;
    if (name == "/")
        name = "index.html";
    else if (name.starts_with(kPrefix))
        name.remove_prefix(kPrefix.size());
    else
        return std::nullopt;
    const auto files = web_files();
    const auto file = std::ranges::find(files, name, &WebFile::name);
    if (file == files.end()) return std::nullopt;
    HttpResponse response{.content_type = std::string(type_of(name))};
    // Asked again each time, and sent only when it changed: after an upgrade nobody looks at the page of before.
    response.fields = {
        {"Cache-Control", "no-cache"},
        {"ETag", std::string(file->etag)},
        {"Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"}};
    if (holds(request.if_none_match, file->etag))
        response.status = 304;
    else
        response.body = file->body;
    return response;
}

} // namespace weft::controller
