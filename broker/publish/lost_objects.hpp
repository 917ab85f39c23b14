#pragma once

#include "broker/model/effects.hpp"

namespace lull::broker {

// Objects that releases in the log need and that are not stored here any more. Publishing the same tree again brings
// them back.
class LostObjects {
public:
    explicit LostObjects(Effects& effects) : effects_(effects) {}

    [[nodiscard]] bool any() const { return !lost_.empty(); }
    // Exactly these are lost.
    void reset(std::set<Digest> lost) {
        lost_ = std::move(lost);
        if (lost_.empty()) return;
        effects_.say(LogLevel::error,
                     fmt::format("{} objects of releases in the log are lost, for example {}: publish these releases "
                                 "again, from the same trees",
                                 lost_.size(), lost_.begin()->hex()));
    }
    // Read again and found damaged; whether a release needs them is not known yet.
    void add(std::vector<Digest> const& damaged) { lost_.insert(damaged.begin(), damaged.end()); }
    void is_back(Digest const& object) {
        if (lost_.erase(object) > 0 && lost_.empty())
            effects_.say(LogLevel::info, "all objects that were lost are here again");
    }

private:
    Effects& effects_;
    std::set<Digest> lost_;
};

}  // namespace lull::broker
