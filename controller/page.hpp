// The status page: the files of web/, which the build put into the program, as answers to GET. Fed by the API's
// handler; what the page shows it asks from /v1 itself.
#pragma once
#include "controller/http_server.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace weft::controller {

struct WebFile {
    std::string_view name; ///< "weft.js"
    std::string_view etag; ///< quoted, of the content
    std::string_view body;
};

/// All of web/ that browsers ask for.
std::span<const WebFile> web_files();

/// "/" is index.html, "/web/NAME" the file of that name; nothing for any other path.
std::optional<HttpResponse> page(const HttpRequest& request);

} // namespace weft::controller
