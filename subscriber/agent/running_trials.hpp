#pragma once

#include <algorithm>
#include <map>

#include "schema/ids.hpp"

namespace lull::subscriber {

// The hooks and health checks that run now, of all software. Where the node or the machine ends while several run,
// nobody knows which of them ended it, and each counts as one that never came to an end. So one that was begun before
// without an end runs alone: it answers for itself only.
class RunningTrials {
public:
    enum class Kind { first, repeated };

    [[nodiscard]] bool admits(SoftwareName const& software, Kind kind) const {
        return std::ranges::none_of(running_, [&](auto const& trial) {
            return trial.first != software && (kind == Kind::repeated || trial.second == Kind::repeated);
        });
    }
    void begin(SoftwareName const& software, Kind kind) { running_[software] = kind; }
    void end(SoftwareName const& software) { running_.erase(software); }

private:
    std::map<SoftwareName, Kind> running_;
};

}  // namespace lull::subscriber
