#include "subscriber/agent/target.hpp"

namespace lull::subscriber {

void Installed::forget(ReleaseRef const& lost) {
    for (auto* known : {&active, &previous, &proven}) {
        if (*known == lost) known->reset();
    }
}

std::optional<ReleaseId> Surroundings::active() const {
    if (!installed.active) return std::nullopt;
    return release_of(*installed.active);
}

}  // namespace lull::subscriber
