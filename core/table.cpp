#include "core/table.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/result.hpp"
#include "core/text.hpp"

namespace lull {

namespace {

std::string_view code_of(Colour colour) {
    switch (colour) {
        case Colour::plain: return "";
        case Colour::green: return "\x1b[32m";
        case Colour::red: return "\x1b[31m";
        case Colour::yellow: return "\x1b[33m";
        case Colour::cyan: return "\x1b[36m";
        case Colour::dim: return "\x1b[2m";
    }
    return "";
}

// Characters, not bytes; wide and combining ones are rare in names.
std::size_t columns_of(std::string_view text) {
    auto const continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
    return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues));
}

std::string painted(Cell const& cell, Painting painting) {
    auto const code = painting == Painting::on ? code_of(cell.colour) : std::string_view();
    return code.empty() ? cell.text : fmt::format("{}{}\x1b[0m", code, cell.text);
}

}  // namespace

Painting painting_for_output() {
    char const* const no_color = std::getenv("NO_COLOR");
    bool const refused = no_color != nullptr && *no_color != '\0';
    return !refused && isatty(STDOUT_FILENO) == 1 ? Painting::on : Painting::off;
}

std::string harmless(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::size_t length = 1;  // of the character that begins here
        while (length < std::min<std::size_t>(4, text.size()) && !is_utf8(text.substr(0, length))) ++length;
        auto const character = text.substr(0, length);
        bool const good = is_utf8(character) && !has_controls(character);
        out += good ? character : "?";
        text.remove_prefix(is_utf8(character) ? length : 1);
    }
    return out;
}

void Table::add(std::vector<Cell> row) {
    LULL_INVARIANT(row.size() == columns_.size());
    for (auto& cell : row) cell.text = harmless(cell.text);
    rows_.push_back(std::move(row));
}

std::string Table::render(Painting painting) const {
    std::vector<Cell> titles;
    std::vector<std::size_t> widths;
    for (auto const& column : columns_) {
        titles.push_back({column.title});
        widths.push_back(columns_of(column.title));
    }
    for (auto const& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i].text));
    }
    std::string out;
    auto const line = [&](std::vector<Cell> const& row) {
        std::string text;
        std::size_t padding = 0;  // owed before the next text, so that no line ends in spaces
        for (std::size_t i = 0; i < row.size(); ++i) {
            auto const space = widths[i] - columns_of(row[i].text);
            bool const right = columns_[i].align == Align::right;
            padding += right ? space : 0;
            if (!row[i].text.empty()) {
                text.append(padding, ' ').append(painted(row[i], painting));
                padding = 0;
            }
            padding += (right ? 0 : space) + 2;
        }
        out += text + "\n";
    };
    line(titles);
    for (auto const& row : rows_) line(row);
    return out;
}

}  // namespace lull
