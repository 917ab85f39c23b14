#pragma once

#include "core/units.hpp"

namespace lull::subscriber {

// When to look again who uses a version: at once after a calm time, and later and later while looks follow each other.
// So a version that short-lived processes use all the time costs little.
class ScanPacer {
public:
    // A look has just ended.
    void looked(TimePoint now, Duration took);
    // How long to put off the next one.
    [[nodiscard]] Duration wait(TimePoint now) const;

private:
    TimePoint last_ = TimePoint::min();
    Duration pause_{};
};

}  // namespace lull::subscriber
