#pragma once

#include <functional>
#include <vector>

#include "core/workers.hpp"
#include "store/packs.hpp"
#include "store/writer.hpp"

namespace lull::broker {

// Takes in what publishers upload: verifies an object, appends it to a pack, makes it durable, enters it into the
// index. Verifying and the disk run on threads of their own; what arrives while the disk is busy shares the next fsync.
class ObjectWriter {
public:
    // The object can be found from now on, also after a crash; or why not. On the loop.
    using Done = std::function<void(Status const&)>;

    // All of them outlive it; `verifiers` may do other work as well.
    ObjectWriter(EventLoop& loop, Workers& verifiers, store::Packs& packs, store::Writer& writer)
        : packs_(packs),
          writer_(writer),
          verifiers_(verifiers),
          disk_(loop, 1) {}

    void keep(ObjectShape const& shape, Buffer stored, Done done);
    // The same for an object that is here already: it moves to the newest pack.
    void move(ObjectShape const& shape, Buffer stored, Done done);

private:
    struct Verified {
        ObjectShape shape;
        Buffer stored;
        Done done;
    };
    struct Appended {
        Result<store::ObjectPlace> place;
        Done done;
    };
    static std::vector<Appended> append(store::Packs& packs, std::vector<Verified> objects);

    void append_waiting();
    void enter(store::ObjectPlace const& place, Done done);

    store::Packs& packs_;
    store::Writer& writer_;
    std::vector<Verified> waiting_;  // for the disk
    bool appending_ = false;
    Workers& verifiers_;
    Workers disk_;
};

}  // namespace lull::broker
