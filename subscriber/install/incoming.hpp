#pragma once

#include <functional>
#include <map>
#include <set>

#include "core/log.hpp"
#include "core/workers.hpp"
#include "subscriber/disk/object_files.hpp"
#include "subscriber/model/actions.hpp"

namespace lull::subscriber {

// Frames on their way to incoming/: one thread writes them in order, another fsyncs and checks, so that neither the
// network nor the writing waits for the disk's cache.
class Incoming {
public:
    // `tell` runs on the loop with ObjectSynced, ObjectFinished or ObjectUnwritten.
    using Tell = std::function<void(Event)>;
    Incoming(EventLoop& loop, fs::path directory, Log& log, Tell tell);

    void store(StoreFrame const& frame, Frame payload);
    // Also those that could not be deleted before. What stays, because a call failed, is tried again and again.
    void drop(std::vector<Digest> objects);
    // Runs on the loop when everything that was ordered before has been written or deleted.
    void after_all(std::function<void()> then);

private:
    enum class Outcome { written, skipped };
    [[nodiscard]] Result<Outcome> write(StoreFrame const& frame, View payload);
    void sync(ObjectShape const& shape, Bytes upto);
    void finish(ObjectShape const& shape);
    [[nodiscard]] Status remove_undeleted();
    void try_again_after(Status const& status);

    EventLoop& loop_;
    Log& log_;
    fs::path directory_;
    ObjectFiles files_;  // the writer's thread only
    // Where writing an object failed; of that thread as well. Frames behind it would leave a hole, and were sent off
    // before the failure was known: they are skipped until one begins there or before.
    std::map<Digest, Bytes> failed_at_;
    std::set<Digest> undeleted_;  // of that thread as well: dropped, and not begun anew since
    Duration next_try_after_;
    bool will_try_ = false;
    Tell tell_;
    Workers writer_;
    Workers finisher_;
};

}  // namespace lull::subscriber
