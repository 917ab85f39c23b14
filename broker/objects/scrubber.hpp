#pragma once

#include <deque>
#include <stop_token>

#include "broker/model/events.hpp"
#include "broker/objects/object_writer.hpp"
#include "broker/upkeep/scrubs.hpp"
#include "core/log.hpp"
#include "store/compression.hpp"

namespace lull::broker {

// Reads stored objects again, a few at a time, on a thread of low priority. An object whose bytes do not have its
// digest is forgotten, so that the next publisher of it uploads it anew. An object that was compressed quickly when it
// was uploaded is compressed thoroughly, and moves to the newest pack; the garbage collector frees its old place.
// Memory: up to ten times a segment.
class Scrubber {
public:
    // All of them outlive it.
    Scrubber(EventLoop& loop, store::Packs& packs, store::Writer& writer, ObjectWriter& object_writer, Log& log,
             Scrubs scrubs)
        : packs_(packs),
          writer_(writer),
          object_writer_(object_writer),
          log_(log),
          scrubs_(std::move(scrubs)),
          worker_(loop, 1, Workers::Priority::low) {}
    // Waits for the worker, which stops within a fraction of a second.
    ~Scrubber() { stop(); }
    Scrubber(Scrubber const&) = delete;
    Scrubber& operator=(Scrubber const&) = delete;

    // The worker is to end what it does; `done` may never run.
    void stop() { stop_.request_stop(); }

    // On the loop: what came of one step, which is a second of reading or about half a minute of compressing. One at a
    // time.
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
    [[nodiscard]] static Finding examine(store::PackFile const& pack, store::ObjectPlace const& place,
                                         std::stop_token const& stop);

    void examine_next();
    void act_on(store::ObjectPlace const& place, Finding finding);
    void forget(store::ObjectPlace const& place);
    void end();

    store::Packs& packs_;
    store::Writer& writer_;
    ObjectWriter& object_writer_;
    Log& log_;
    Scrubs scrubs_;
    std::optional<Step> step_;
    std::stop_source stop_;
    Workers worker_;
};

}  // namespace lull::broker
