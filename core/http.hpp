#pragma once

#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "core/units.hpp"

// Plain HTTP (the home of cpp-httplib).

namespace lull {

// What a GET of "http://HOST[:PORT]/PATH" gives, if its status is 200 and it has at most `most` bytes. Waits up to
// about `limit`, so it belongs on a worker. Fault::usage for what is no such URL; Fault::unreachable; Fault::refused
// for another status or more bytes.
[[nodiscard]] Result<std::string> http_get(std::string const& url, Bytes most, Duration limit);

// Whether this is such a URL.
[[nodiscard]] bool is_http_url(std::string_view text);

}  // namespace lull
