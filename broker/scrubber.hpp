#pragma once

#include <deque>

#include "broker/events.hpp"
#include "broker/keeper.hpp"
#include "broker/scrubs.hpp"
#include "core/log.hpp"
#include "store/compression.hpp"

namespace lull::broker {

// Reads stored objects again, a few at a time, on a thread of low priority. What is not what its digest says is forgotten, so that
// whoever publishes it uploads it anew. What was compressed quickly when it was uploaded is compressed thoroughly, and moves to the newest
// pack; the sweeper makes its old place free. Memory: up to ten times a segment.
class Scrubber {
public:
    // All of them outlive it.
    Scrubber(EventLoop& loop, store::Packs& packs, store::Writer& writer, Keeper& keeper, Log& log, Scrubs scrubs)
        : packs_(packs), writer_(writer), keeper_(keeper), log_(log), scrubs_(std::move(scrubs)), worker_(loop, 1, Workers::Priority::low) {}

    // On the loop: what came of one step, which is a second of reading or about half a minute of compressing. One at a time.
    using Done = std::function<void(Scrubbed)>;
    void step(Duration interval, WallTime now, Done done);

private:
    // Of an object: whether it is damaged, and its smaller form if there is one.
    struct Finding {
        bool damaged = false;
        std::optional<store::StoredObject> smaller;
    };
    struct Step {
        Scrubs::Next at;
        std::deque<store::ObjectPlace> objects;
        Scrubbed outcome;
        Done done;
    };
    [[nodiscard]] static Finding look_at(Result<store::PackFile> const& pack, store::ObjectPlace const& place);

    void look_at_next();
    void take(store::ObjectPlace const& place, Finding finding);
    void forget(store::ObjectPlace const& place);
    void end();

    store::Packs& packs_;
    store::Writer& writer_;
    Keeper& keeper_;
    Log& log_;
    Scrubs scrubs_;
    std::optional<Step> step_;
    Workers worker_;
};

}  // namespace lull::broker
