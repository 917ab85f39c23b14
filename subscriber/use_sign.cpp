#include "subscriber/use_sign.hpp"

#include <string_view>

namespace lull::subscriber {

namespace {

std::string_view name_of(UseSign sign) {
    switch (sign) {
        case UseSign::lock: return "lock";
        case UseSign::program: return "program";
        case UseSign::working_directory: return "working directory";
        case UseSign::root: return "root";
        case UseSign::argument: return "argument";
        case UseSign::mapping: return "mapping";
        case UseSign::open_file: return "open file";
    }
    return "";
}

bool lasts(UseSign sign) {
    return sign < UseSign::mapping;
}

}  // namespace

std::string to_text(UseSigns const& signs) {
    bool const any_lasts = !signs.empty() && lasts(*signs.begin());
    std::string text;
    for (auto const sign : signs) {
        if (any_lasts && !lasts(sign)) break;
        if (!text.empty()) text += ", ";
        text += name_of(sign);
    }
    return text;
}

bool lasts_as_long_as_its_process(UseSigns const& signs) {
    return signs.contains(UseSign::lock) || signs.contains(UseSign::program) || signs.contains(UseSign::root) ||
           signs.contains(UseSign::argument);
}

}  // namespace lull::subscriber
