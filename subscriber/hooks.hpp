#pragma once

#include <functional>
#include <map>
#include <string>

#include "subscriber/actions.hpp"
#include "subscriber/release_program.hpp"

namespace lull::subscriber {

// Runs the hooks of releases, one at a time for each software, and tells how they ended. Belongs to the loop's thread.
class Hooks {
public:
    // `tell` runs on the loop with HookEnded. `user`: whom hooks become where we are root.
    using Tell = std::function<void(Event)>;
    Hooks(EventLoop& loop, Layout const& layout, std::string user, Tell tell)
        : layout_(layout), programs_(loop, std::move(user)), tell_(std::move(tell)) {}

    // Takes the place of one of the same software that is going on.
    void run(RunHook const& order);

private:
    Layout layout_;
    ReleasePrograms programs_;
    Tell tell_;
    std::map<SoftwareName, ReleasePrograms::RunId> going_;
};

}  // namespace lull::subscriber
