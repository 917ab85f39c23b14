#include "subscriber/model/hold.hpp"

namespace lull::subscriber {

namespace {

bool counts(Hold const& hold, WallTime now) { return !hold.until || now < *hold.until; }

}  // namespace

Hold const* Holds::find(SoftwareName const& software, WallTime now) const {
    auto const one = by_software.find(software);
    if (one != by_software.end() && counts(one->second, now)) return &one->second;
    return all && counts(*all, now) ? &*all : nullptr;
}

}  // namespace lull::subscriber
