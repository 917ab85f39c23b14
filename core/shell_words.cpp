#include "core/shell_words.hpp"

namespace lull {

Result<std::vector<std::string>> split_words(std::string_view text) {
    std::vector<std::string> words;
    char quote = '\0';
    bool within = false;  // a word has begun, perhaps an empty one: ''
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        bool const blank = c == ' ' || c == '\t' || c == '\n';
        if (quote == '\0' && blank) {
            within = false;
            continue;
        }
        if (!within) words.emplace_back();
        within = true;
        if (c == '\\' && quote != '\'') {
            if (++i == text.size()) return fail(Fault::usage, "nothing follows the last backslash of: {}", text);
            words.back() += text[i];
        } else if (quote == '\0' && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == quote) {
            quote = '\0';
        } else {
            words.back() += c;
        }
    }
    if (quote != '\0') return fail(Fault::usage, "the quote {} does not end in: {}", quote, text);
    return words;
}

}  // namespace lull
