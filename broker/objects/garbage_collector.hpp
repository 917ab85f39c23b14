#pragma once

#include <deque>
#include <optional>
#include <stop_token>

#include "broker/model/events.hpp"
#include "broker/objects/object_writer.hpp"
#include "core/log.hpp"

namespace lull::broker {

// Removes objects that no release needs. Index entries go first, durably; then packs of which nothing is left; then,
// one after the other, packs that are half empty, whose objects move to the newest pack. A crash in between leaves
// nothing wrong.
class GarbageCollector {
public:
    // What was written later stays: it may belong to a publication that was interrupted and goes on.
    static constexpr std::chrono::hours grace{24};

    // All of them outlive it; `workers` may do other work as well.
    GarbageCollector(Workers& workers, store::Packs& packs, store::Writer& writer, ObjectWriter& object_writer,
                     Log& log)
        : workers_(workers),
          packs_(packs),
          writer_(writer),
          object_writer_(object_writer),
          log_(log) {}
    ~GarbageCollector() { stop_.request_stop(); }
    GarbageCollector(GarbageCollector const&) = delete;
    GarbageCollector& operator=(GarbageCollector const&) = delete;

    // On the loop: these manifests and all objects that they name. Also notes which packs are old enough to be
    // examined by remove_others().
    using Listed = std::function<void(Result<ObjectSet>)>;
    void list_needed(std::vector<Digest> const& manifests, Listed done);

    // Examines the packs that the last list_needed() noted. When this returns, their other objects are not here any
    // more. `done` runs on the loop, once: how many objects went, and how much disk with them. One sweep at a time.
    using Removed = std::function<void(std::size_t objects, Bytes bytes)>;
    void remove_others(ObjectSet const& needed, Removed done);

private:
    struct Listing {
        ObjectSet needed;
        std::vector<store::Packs::FinishedPack> old_packs;
    };
    struct Source {
        store::PackFile pack;
        store::ObjectPlace place;
    };
    // A pack whose objects move to the newest one.
    struct Tidying {
        std::uint32_t pack = 0;
        Bytes freed{};
        std::deque<store::ObjectPlace> rest;  // to be moved
    };
    struct Sweep {
        Removed done;
        std::deque<store::Packs::FinishedPack> to_tidy;
        Tidying tidying;
        std::size_t objects = 0;
        Bytes bytes{};
    };
    [[nodiscard]] static Result<Listing> list(std::vector<Source> const& manifests, fs::path const& directory,
                                              std::uint32_t newest, std::stop_token const& stop);

    void forget(std::vector<store::ObjectPlace> const& garbage);
    void tidy_packs();
    void tidy_next_pack();
    void read_next_object();
    void move_object(ObjectShape const& shape, Buffer stored);
    void keep_pack(Error const& why);
    void remove_pack();
    void end();

    Workers& workers_;
    store::Packs& packs_;
    store::Writer& writer_;
    ObjectWriter& object_writer_;
    Log& log_;
    std::stop_source stop_;
    std::vector<store::Packs::FinishedPack> old_packs_;  // by the last list_needed()
    std::optional<Sweep> sweep_;
};

}  // namespace lull::broker
