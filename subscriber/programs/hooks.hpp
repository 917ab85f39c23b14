#pragma once

#include <functional>
#include <map>
#include <string>

#include "subscriber/model/actions.hpp"
#include "subscriber/programs/release_program.hpp"

namespace lull::subscriber {

// Runs the hooks of releases, one at a time for each software, and tells how they ended. Belongs to the loop's thread.
class Hooks {
public:
    // `tell` runs on the loop with HookEnded. `user`: whom hooks become where we are root.
    using Tell = std::function<void(Event)>;
    Hooks(EventLoop& loop, Layout const& layout, std::string user, Tell tell)
        : layout_(layout),
          programs_(loop, std::move(user)),
          tell_(std::move(tell)) {}

    // Takes the place of one of the same software that is going on.
    void run(RunHook const& order);
    // Terminates the hook of this software that runs. HookEnded comes, with Fault::cancelled, when its processes have
    // ended.
    void cancel(SoftwareName const& software);

private:
    struct Going {
        ReleasePrograms::RunId run = 0;
        bool cancelled = false;
    };
    void ended(RunHook const& order, Result<ProgramResult> const& result);

    Layout layout_;
    ReleasePrograms programs_;
    Tell tell_;
    std::map<SoftwareName, Going> going_;
};

}  // namespace lull::subscriber
