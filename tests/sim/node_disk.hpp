#pragma once

#include <map>
#include <optional>
#include <set>

#include "subscriber/journal/journal.hpp"
#include "tests/sim/world.hpp"

namespace lull::sim {

using subscriber::ReleaseId;

// What a node has on its disk: durable, but for the unsynced ends of files, and for names in directories that were not
// synced.
class NodeDisk {
public:
    struct File {
        Buffer bytes;
        std::size_t synced = 0;
        mutable std::optional<bool> good{};  // whether the bytes are what the name says, once that was found out
    };
    // Files of a tree that are not what was installed.
    struct Drift {
        std::set<Digest> seen;    // segments whose files look changed
        std::set<Digest> unseen;  // those in which only reading finds it
        [[nodiscard]] bool none() const { return seen.empty() && unseen.empty(); }
    };

    subscriber::JournalState journal;  // durable batches, decoded
    std::map<Digest, File> incoming;
    std::set<ReleaseId> versions;  // complete trees
    std::map<SoftwareName, ReleaseId> current;
    std::map<ReleaseId, Drift> drift;  // what somebody did to trees
    std::set<SoftwareName> meddled;    // software of which somebody took a tree or moved `current`
    std::set<SoftwareName> ended;      // software whose users were ended for a switch, and not started again
    std::set<ReleaseId> unhealthy;     // releases of which the node was told that they do not work
    bool full = false;
    double damage = 0;           // probability that a write flips a bit
    std::set<Digest> damaged;    // files in which that happened
    std::set<Digest> rewritten;  // begun anew while the journal had a record of them

    void apply(store::Batch const& batch);
    void write(Digest const& object, Bytes offset, View bytes, Random& random);
    void sync(Digest const& object);
    void remove(Digest const& object) { incoming.erase(object); }
    // Whether all bytes are there and have this digest.
    [[nodiscard]] bool holds(Digest const& object) const;

    // Names in `versions/` and `current` become durable as they stand.
    void sync_names(SoftwareName const& software);
    void remove_tree(ReleaseId const& release);

    // Unsynced ends are lost, partly lost, or rubbish; names that were not synced are there or not.
    void cut_power(Random& random);
    // What the daemon does before it starts: files and records without each other are worth nothing.
    void reconcile();

private:
    void apply_meta(std::string_view key, Buffer const& value);

    std::set<ReleaseId> durable_versions_;
    std::map<SoftwareName, ReleaseId> durable_current_;
};

}  // namespace lull::sim
