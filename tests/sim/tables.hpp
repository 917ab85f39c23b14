#pragma once

#include <map>
#include <string>

#include "store/environment.hpp"

namespace lull::sim {

// What a database holds durably.
class Tables {
public:
    using Table = std::map<Buffer, Buffer>;

    void apply(store::Batch const& batch) {
        for (auto const& change : batch) {
            if (change.value) {
                tables_[change.table][change.key] = *change.value;
            } else {
                tables_[change.table].erase(change.key);
            }
        }
    }
    [[nodiscard]] Table const& at(std::string const& name) const {
        static Table const empty;
        auto const found = tables_.find(name);
        return found == tables_.end() ? empty : found->second;
    }

private:
    std::map<std::string, Table> tables_;
};

}  // namespace lull::sim
