#pragma once

#include <map>
#include <set>

#include "subscriber/records.hpp"
#include "tests/sim/world.hpp"

namespace lull::sim {

using subscriber::ReleaseId;

// What a node has on its disk: durable, but for the unsynced ends of files.
class NodeDisk {
public:
    struct File {
        Buffer bytes;
        std::size_t synced = 0;
    };

    subscriber::JournalState journal;             // durable batches, decoded
    std::map<Digest, File> incoming;
    std::set<ReleaseId> versions;                 // complete trees
    std::map<SoftwareName, ReleaseId> current;
    bool full = false;
    double damage = 0;                            // probability that a write flips a bit
    std::set<Digest> damaged;                     // files in which that happened
    std::set<Digest> rewritten;                   // begun anew while the journal had a record of them

    void apply(store::Batch const& batch);
    void write(Digest const& object, Bytes offset, View bytes, Random& random);
    void sync(Digest const& object);
    void remove(Digest const& object) { incoming.erase(object); }
    // Whether all bytes are there and have this digest.
    [[nodiscard]] bool holds(Digest const& object) const;

    // Unsynced ends are lost, partly lost, or rubbish.
    void cut_power(Random& random);
    // What the daemon does before it starts: files and records without each other are worth nothing.
    void reconcile();
};

}  // namespace lull::sim
