#pragma once

#include <vector>

#include "schema/limits.hpp"
#include "schema/messages.hpp"

namespace lull::broker {

// The rows of an answer until there are enough of them. The longest single row has less bytes than a message has left.
template <class Row>
class AnswerPage {
public:
    explicit AnswerPage(std::vector<Row>& rows) : rows_(rows) {}

    void add(Row row) {
        bytes_ += Bytes(encode(row).size());
        rows_.push_back(std::move(row));
    }
    [[nodiscard]] bool full() const { return rows_.size() >= limits::rows_per_answer || bytes_ >= most_bytes; }

private:
    static constexpr Bytes most_bytes = KiB(512);
    std::vector<Row>& rows_;
    Bytes bytes_{};
};

}  // namespace lull::broker
