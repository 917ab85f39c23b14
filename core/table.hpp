#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lull {

enum class Colour { plain, green, red, yellow, cyan, dim };

struct Cell {
    std::string text;
    Colour colour = Colour::plain;
};

enum class Align { left, right };

struct Column {
    std::string title;
    Align align = Align::left;
};

// Whether colours are wanted where the table goes.
enum class Painting { off, on };

// Standard output is a terminal, and NO_COLOR is not set.
[[nodiscard]] Painting painting_for_output();

// Aligned text with two spaces between columns. Cells may come from anywhere: what could disturb a terminal is replaced
// by '?'.
class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // As many cells as there are columns.
    void add(std::vector<Cell> row);
    [[nodiscard]] std::string render(Painting painting) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

// The text without control characters and bytes that are no UTF-8.
[[nodiscard]] std::string harmless(std::string_view text);

}  // namespace lull
