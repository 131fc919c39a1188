#include "controller/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

namespace weft::controller {
namespace {

using testing::HasSubstr;
using testing::Not;

std::optional<HttpResponse> get(const std::string& path, const std::string& if_none_match = {}) {
    HttpRequest request{.method = "GET", .path = path};
    request.if_none_match = if_none_match;
    return page(request);
}

std::map<std::string, std::string> fields(const HttpResponse& response) {
    return {response.fields.begin(), response.fields.end()};
}

TEST(Page, IsServedWithItsTypeAndRules) {
    const std::map<std::string, std::string> types{{"/", "text/html; charset=utf-8"},
                                                   {"/web/weft.js", "text/javascript; charset=utf-8"},
                                                   {"/web/weft.css", "text/css; charset=utf-8"},
                                                   {"/web/weft.svg", "image/svg+xml"}};
    for (const auto& [path, type] : types) {
        const auto answer = get(path);
        ASSERT_TRUE(answer) << path;
        EXPECT_EQ(answer->status, 200U);
        EXPECT_EQ(answer->content_type, type);
        EXPECT_FALSE(answer->body.empty());
        EXPECT_EQ(fields(*answer).at("Cache-Control"), "no-cache");
        EXPECT_THAT(fields(*answer).at("Content-Security-Policy"), HasSubstr("default-src 'self'"));
        EXPECT_EQ(fields(*answer).at("X-Content-Type-Options"), "nosniff");
    }
    EXPECT_THAT(get("/")->body, HasSubstr("<!doctype html>"));
}

TEST(Page, IsSentOnceToABrowserThatKeepsIt) {
    const auto etag = fields(*get("/web/weft.js")).at("ETag");
    for (const auto& held : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
        const auto answer = get("/web/weft.js", held);
        EXPECT_EQ(answer->status, 304U) << held;
        EXPECT_TRUE(answer->body.empty());
        EXPECT_EQ(fields(*answer).at("ETag"), etag);
    }
    EXPECT_EQ(get("/web/weft.js", "\"other\"")->status, 200U);
    EXPECT_EQ(get("/web/weft.css", etag)->status, 200U);
}

TEST(Page, IsNothingButItsFiles) {
    for (const auto* path : {"", "/web", "/web/", "/web/README.md", "/web/../web/weft.js", "/weft.js", "/web/weft.js/",
                             "//", "/index.html", "/web/%2e"})
        EXPECT_FALSE(get(path)) << path;
}

TEST(Page, NamesNoOtherOriginAndHasNoMarkupFromText) {
    for (const auto& file : web_files()) {
        for (const auto* elsewhere : {"https://", "http://", "url("})
            for (auto at = file.body.find(elsewhere); at != std::string_view::npos;
                 at = file.body.find(elsewhere, at + 1))
                // The name of the SVG vocabulary is an address that nobody visits.
                EXPECT_TRUE(file.body.substr(at).starts_with("http://www.w3.org/2000/svg"))
                    << file.name << ": " << file.body.substr(at, 60);
        for (const auto* markup : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="})
            EXPECT_THAT(std::string(file.body), Not(HasSubstr(markup))) << file.name;
    }
}

TEST(Page, AsksForNothingThatIsNotServed) {
    for (const auto& file : web_files())
        for (const auto* before : {"from \"./", "\"/web/"})
            for (auto at = file.body.find(before); at != std::string_view::npos; at = file.body.find(before, at + 1)) {
                const auto begin = at + std::string_view(before).size();
                const auto name = file.body.substr(begin, file.body.find('"', begin) - begin);
                EXPECT_TRUE(get("/web/" + std::string(name))) << file.name << " asks for " << name;
            }
}

} // namespace
} // namespace weft::controller
