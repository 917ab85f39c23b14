#pragma once

#include <deque>
#include <memory>
#include <stop_token>

#include "broker/model/events.hpp"
#include "broker/objects/object_writer.hpp"
#include "store/delta_maker.hpp"

namespace lull::broker {

// Makes patches and their deltas out of what is in the packs, on a thread of low priority, and keeps them like any
// other object. One at a time. Memory, beside a few segments and both manifests: with all effort up to ten times a
// segment and its base (about 400 MB), quickly three times (about 100 MB).
class PatchMaker {
public:
    // All of them outlive it.
    PatchMaker(EventLoop& loop, store::Packs& packs, ObjectWriter& object_writer, Effort effort)
        : packs_(packs),
          object_writer_(object_writer),
          effort_(effort),
          worker_(loop, 1, Workers::Priority::low) {}
    // Waits until the worker has stopped. That is a fraction of a second, but for the sort of a base's suffixes and for
    // the search tables of a compression, which take up to seconds: the program ends without waiting (stop()).
    ~PatchMaker() { stop(); }
    PatchMaker(PatchMaker const&) = delete;
    PatchMaker& operator=(PatchMaker const&) = delete;

    // The worker is to end what it does; `done` may never run.
    void stop() { stop_.request_stop(); }

    // On the loop: everything is durable; or why not.
    using Done = std::function<void(Result<MadePatch>)>;
    void make(PatchId const& patch, Done done);

private:
    // An object in a pack; the handle keeps the pack readable, though the object may move.
    struct Stored {
        store::PackFile pack;
        store::ObjectPlace place;
    };
    // Both manifests: as objects, and decoded.
    struct Opened {
        Buffer old_object;
        Buffer new_object;
        Manifest old_manifest;
        Manifest new_manifest;
    };
    struct Beginning {
        Buffer manifest_frame;
        std::vector<store::LackingSegment> lacking;
    };
    struct Job {
        PatchId patch;
        Done done;
        store::PatchBuilder builder;
        std::shared_ptr<store::DeltaMaker> maker;  // used by one job of the worker at a time
        std::deque<store::LackingSegment> lacking;
        MadePatch made;
    };

    [[nodiscard]] Result<Stored> find(Digest const& object);
    [[nodiscard]] Result<std::vector<Stored>> find_segments(Manifest const& manifest);
    [[nodiscard]] static Result<Opened> open(Stored const& from, Stored const& to);
    void begin(Opened opened);
    void add_next();
    void keep(std::optional<store::StoredObject> object, std::function<void()> then);
    void finish();
    void end(Result<MadePatch> outcome);

    store::Packs& packs_;
    ObjectWriter& object_writer_;
    Effort effort_;
    std::optional<Job> job_;
    std::stop_source stop_;
    Workers worker_;
};

}  // namespace lull::broker
