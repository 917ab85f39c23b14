#pragma once

#include <deque>

#include "broker/events.hpp"
#include "broker/keeper.hpp"
#include "core/log.hpp"

namespace lull::broker {

// Removes objects that no release needs. Index entries go first, durably; then packs of which nothing is left; then, one after the
// other, packs that are half empty, whose objects move to the newest pack. A crash in between leaves nothing wrong.
class Sweeper {
public:
    // What was written later stays: it may belong to a publication that was interrupted and goes on.
    static constexpr std::chrono::hours grace{24};

    // All of them outlive it; `workers` may do other work as well.
    Sweeper(Workers& workers, store::Packs& packs, store::Writer& writer, Keeper& keeper, Log& log)
        : workers_(workers), packs_(packs), writer_(writer), keeper_(keeper), log_(log) {}

    // On the loop: these manifests and all that they name.
    using Listed = std::function<void(Result<ObjectSet>)>;
    void list_needed(std::vector<Digest> const& manifests, Listed done);

    // On the loop, once: how many objects went, and how much disk with them. One sweep at a time.
    using Removed = std::function<void(std::size_t objects, Bytes bytes)>;
    void remove_others(ObjectSet const& needed, Removed done);

private:
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
    Keeper& keeper_;
    Log& log_;
    Removed done_;  // of the sweep that is under way
    std::size_t objects_ = 0;
    Bytes bytes_{};
    std::deque<store::Packs::FinishedPack> to_tidy_;
    struct Tidying {
        std::uint32_t pack = 0;
        Bytes freed{};
        std::deque<store::ObjectPlace> rest;  // to be moved
    } tidying_;
};

}  // namespace lull::broker
