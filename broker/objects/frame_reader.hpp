#pragma once

#include <functional>

#include "core/messaging.hpp"
#include "core/workers.hpp"
#include "store/packs.hpp"

namespace lull::broker {

// Reads stored bytes for DATA, one frame after the other in the order of asking, on a thread of its own.
class FrameReader {
public:
    using Done = std::function<void(Result<Frame>)>;  // on the loop

    FrameReader(EventLoop& loop, store::Packs& packs) : packs_(packs), worker_(loop, 1) {}

    struct Range {
        store::ObjectPlace place;  // where the object was when its transfer began
        Bytes offset{};            // in the object's stored bytes
        Bytes length{};
    };
    // Reads straight into the frame that will be sent. An object that has moved since is read where it is now; one that
    // is stored in another form by now is read where it was, so that all frames of a transfer fit together. Fails if
    // the object is not here any more, or if its bytes cannot be read.
    void read(Range range, Done done);

private:
    store::Packs& packs_;
    Workers worker_;
};

}  // namespace lull::broker
