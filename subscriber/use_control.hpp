#pragma once

#include <functional>

#include "core/log.hpp"
#include "subscriber/actions.hpp"
#include "subscriber/holder_stopper.hpp"
#include "subscriber/restart_marks.hpp"
#include "subscriber/service_units.hpp"

namespace lull::subscriber {

// Ends those who use a release, so that it can be switched from, and starts again what can be: services, and what `lull-node run
// --supervise` had started. Belongs to the loop's thread.
class UseControl {
public:
    // `tell` runs on the loop with UseEnded and UseStarted.
    using Tell = std::function<void(Event)>;
    UseControl(EventLoop& loop, Layout const& layout, Log& log, Tell tell);

    // First services, which then do not start what ends by itself; then everybody else.
    void end(EndUse const& order);
    void start(StartUse const& order);

private:
    void end_holders(EndUse const& order, std::string said);

    Log& log_;
    Tell tell_;
    RestartMarks marks_;
    HolderStopper stopper_;
    ServiceUnits units_;
};

}  // namespace lull::subscriber
