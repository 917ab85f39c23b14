#include "core/http.hpp"

#include <httplib.h>

#include <chrono>

namespace lull {

namespace {

constexpr std::string_view scheme = "http://";

}  // namespace

bool is_http_url(std::string_view text) {
    return text.starts_with(scheme) && text.size() > scheme.size() && text[scheme.size()] != '/';
}

Result<std::string> http_get(std::string const& url, Bytes most, Duration limit) {
    if (!is_http_url(url)) return fail(Fault::usage, "'{}' is no address like http://router.example/others", url);
    auto const slash = url.find('/', scheme.size());
    auto const path = slash == std::string::npos ? std::string("/") : url.substr(slash);
    httplib::Client client(url.substr(0, slash));
    auto const end = std::chrono::steady_clock::now() + limit;
    client.set_connection_timeout(std::chrono::duration_cast<std::chrono::milliseconds>(limit));
    client.set_read_timeout(std::chrono::duration_cast<std::chrono::milliseconds>(limit));
    std::string body;
    auto const outcome = client.Get(path, [&](char const* bytes, std::size_t size) {
        body.append(bytes, size);
        return body.size() <= most.count() && std::chrono::steady_clock::now() < end;
    });
    if (body.size() > most.count()) return fail(Fault::refused, "{} gives more than {} bytes", url, most.count());
    if (!outcome) return fail(Fault::unreachable, "{} does not answer: {}", url, httplib::to_string(outcome.error()));
    if (outcome->status != 200) return fail(Fault::refused, "{} answers with status {}", url, outcome->status);
    return body;
}

}  // namespace lull
