#pragma once

#include <string>
#include <string_view>

#include "store/environment.hpp"

namespace lull::store::test {

// A change of text to text.
inline Change put(std::string_view table, std::string_view key, std::string_view value) {
    return {std::string(table), to_buffer(as_view(key)), to_buffer(as_view(value))};
}

inline Change erase(std::string_view table, std::string_view key) {
    return {std::string(table), to_buffer(as_view(key)), std::nullopt};
}

// The value as text; "(none)" if there is none; the message if reading failed.
inline std::string text_at(Environment const& environment, std::string_view table, std::string_view key) {
    auto const value = environment.get(table, as_view(key));
    if (!value) return value.error().message;
    return *value ? std::string(as_text(**value)) : "(none)";
}

}  // namespace lull::store::test
