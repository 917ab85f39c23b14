#pragma once

#include <functional>
#include <map>
#include <string>

#include "subscriber/model/actions.hpp"
#include "subscriber/programs/release_program.hpp"

namespace lull::subscriber {

// Runs the health checks of releases, each as often as it may try, and tells how they ended. Belongs to the loop's
// thread.
class HealthChecks {
public:
    // `tell` runs on the loop with HealthFound. `user`: whom checks become where we are root.
    using Tell = std::function<void(Event)>;
    HealthChecks(EventLoop& loop, Layout const& layout, std::string user, Tell tell);
    ~HealthChecks();
    HealthChecks(HealthChecks const&) = delete;
    HealthChecks& operator=(HealthChecks const&) = delete;

    // Takes the place of one of the same software that is going on.
    void check(CheckHealth const& order);
    // Terminates the check of this software. HealthFound comes, with Fault::cancelled, when its processes have ended.
    void cancel(SoftwareName const& software);

private:
    struct Going {
        CheckHealth order;
        std::uint64_t tried = 0;
        std::optional<ReleasePrograms::RunId> run;
        std::optional<EventLoop::TimerId> pause;
        bool cancelled = false;
    };
    void try_once(SoftwareName const& software);
    void tried(SoftwareName const& software, Result<ProgramResult> const& result);
    void stop(Going& going);
    void tell_cancelled(SoftwareName const& software);

    EventLoop& loop_;
    Layout layout_;
    ReleasePrograms programs_;
    Tell tell_;
    std::map<SoftwareName, Going> going_;
};

}  // namespace lull::subscriber
