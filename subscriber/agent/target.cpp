#include "subscriber/agent/target.hpp"

namespace lull::subscriber {

void Installed::forget(ReleaseRef const& lost) {
    for (auto* known : {&active, &previous, &proven}) {
        if (*known == lost) known->reset();
    }
}

void Installed::take_back(ReleaseRef const& release, Installed const& before) {
    if (before.previous == release && !previous) previous = release;
    if (before.proven == release && !proven) proven = release;
}

std::optional<ReleaseId> Surroundings::active() const {
    if (!installed.active) return std::nullopt;
    return release_of(*installed.active);
}

}  // namespace lull::subscriber
