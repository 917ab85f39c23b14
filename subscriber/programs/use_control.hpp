#pragma once

#include <functional>
#include <map>

#include "core/log.hpp"
#include "subscriber/disk/restart_marks.hpp"
#include "subscriber/model/actions.hpp"
#include "subscriber/programs/holder_stopper.hpp"
#include "subscriber/programs/service_units.hpp"

namespace lull::subscriber {

// Ends the processes that use a release, so that the node can switch from it, and starts again what can be: services,
// and what `lull-node run --supervise` had started. Belongs to the loop's thread.
class UseControl {
public:
    // `tell` runs on the loop with UseEnded and UseStarted.
    using Tell = std::function<void(Event)>;
    UseControl(EventLoop& loop, Layout const& layout, Log& log, Tell tell);

    // First services, which then do not start what ends by itself; then all other processes.
    void end(EndUse const& order);
    // No process is signalled any more. UseEnded comes at once, and names the processes that have ended and those that
    // live on.
    void cancel_end(SoftwareName const& software);
    void start(StartUse const& order);
    // UseStarted comes at once, with Fault::cancelled. systemd may go on with what it was asked to do.
    void cancel_start(SoftwareName const& software);

private:
    void end_holders(EndUse const& order, std::string const& said);

    Log& log_;
    Tell tell_;
    RestartMarks marks_;
    HolderStopper stopper_;
    ServiceUnits units_;
    std::map<SoftwareName, ServiceUnits::RunId> stopping_;  // services, before processes are ended
    std::map<SoftwareName, ServiceUnits::RunId> starting_;
};

}  // namespace lull::subscriber
