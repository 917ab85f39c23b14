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
        store::ObjectPlace place;
        Bytes offset{};  // in the object's stored bytes
        Bytes length{};
    };
    // Reads straight into the frame that will be sent. Fails if the pack is gone, too short, or unreadable.
    void read(Range const& range, Done done);

private:
    store::Packs& packs_;
    Workers worker_;
};

}  // namespace lull::broker
