#include "subscriber/usage/usage_kind.hpp"

#include <string_view>

namespace lull::subscriber {

namespace {

std::string_view name_of(UsageKind sign) {
    switch (sign) {
        case UsageKind::lock: return "lock";
        case UsageKind::program: return "program";
        case UsageKind::working_directory: return "working directory";
        case UsageKind::root: return "root";
        case UsageKind::argument: return "argument";
        case UsageKind::mapping: return "mapping";
        case UsageKind::open_file: return "open file";
    }
    return "";
}

bool lasts(UsageKind sign) { return sign < UsageKind::mapping; }

}  // namespace

std::string to_text(UsageKinds const& signs) {
    bool const any_lasts = !signs.empty() && lasts(*signs.begin());
    std::string text;
    for (auto const sign : signs) {
        if (any_lasts && !lasts(sign)) break;
        if (!text.empty()) text += ", ";
        text += name_of(sign);
    }
    return text;
}

bool lasts_as_long_as_its_process(UsageKinds const& signs) {
    return signs.contains(UsageKind::lock) || signs.contains(UsageKind::program) || signs.contains(UsageKind::root) ||
           signs.contains(UsageKind::argument);
}

}  // namespace lull::subscriber
