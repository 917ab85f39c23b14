#pragma once

#include <stdexcept>

namespace lull {

// What JSON text or a caller of the JSON library got wrong.
class JsonError : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

// The library's assertions, of which the one about a missing key matters: `json["key"]` of a constant object. They hold
// in every build, and end one test instead of the process.
inline void check_json(bool holds, char const* condition) {
    if (!holds) throw JsonError(condition);
}

}  // namespace lull

#define JSON_ASSERT(condition) ::lull::check_json(static_cast<bool>(condition), #condition)
#include <nlohmann/json.hpp>

namespace lull {

// JSON for `--json` output and small caches; keys keep the order in which they were written. The home of nlohmann-json.
using Json = nlohmann::ordered_json;

}  // namespace lull
