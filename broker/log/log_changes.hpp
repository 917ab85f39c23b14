#pragma once

#include <functional>
#include <string>
#include <vector>

#include "broker/log/release_log.hpp"
#include "broker/model/effects.hpp"

namespace lull::broker {

// Is told what has changed in the log, when that is durable.
class LogObserver {
public:
    virtual ~LogObserver() = default;
    virtual void released(Release const& release, Moment now) = 0;
    virtual void renewed(Moment now) = 0;
    // The next change may be made.
    virtual void log_is_free(Moment now) = 0;
};

// Changes the durable log, one change at a time: a further entry, entries that go, or another identity.
class LogChanges {
public:
    LogChanges(ReleaseLog& log, Effects& effects) : log_(log), effects_(effects) {}

    void observe(LogObserver& observer) { observer_ = &observer; }
    // A change is on its way to the disk: no other one may be begun.
    [[nodiscard]] bool busy() const { return log_.reserved() || identity_changes_; }

    // The release joins the log when it is durable; then `then` is called with it, or with what went wrong, before the
    // observer is.
    using Appended = std::function<void(Result<Release const*> const&)>;
    void append(Envelope update, UpdateInfo info, WallTime now, Appended then);
    // Takes entries out of the log; then `then` is called if that is durable.
    void remove(std::vector<Seq> entries, std::function<void(Moment)> then);
    // The log goes on under another epoch: nodes see that, and ask for what it amounts to. Does nothing while busy():
    // the next node that misses the entry asks for it again.
    void renew(Epoch epoch, std::string why, WallTime now);

private:
    ReleaseLog& log_;
    Effects& effects_;
    LogObserver* observer_ = nullptr;
    bool identity_changes_ = false;
};

}  // namespace lull::broker
