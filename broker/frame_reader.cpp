#include "broker/frame_reader.hpp"

#include <fcntl.h>

namespace lull::broker {

namespace {

// Tells the kernel about the whole object when its first frame is read; a hint, so failures do not matter.
void announce_object(int file, store::ObjectPlace const& place) {
    (void)posix_fadvise(file, static_cast<off_t>(place.offset.count()), static_cast<off_t>(place.shape.stored.count()),
                        POSIX_FADV_WILLNEED);
}

Result<Frame> read_range(store::PackFile const& pack, FrameReader::Range const& range) {
    if (range.offset.zero()) announce_object(pack->get(), range.place);
    Frame frame(range.length.count());
    auto const from = range.place.offset + range.offset;
    auto const into = std::span(frame.data<std::byte>(), frame.size());
    if (auto status = read_exactly(pack->get(), from.count(), into, fmt::format("pack {}", range.place.pack)); !status) {
        return pass(status.error());
    }
    return frame;
}

}  // namespace

void FrameReader::read(Range const& range, Done done) {
    auto pack = packs_.open_pack(range.place.pack);
    worker_.submit(
        [pack = std::move(pack), range]() -> Result<Frame> {
            if (!pack) return pass(pack.error());
            return read_range(*pack, range);
        },
        [done = std::move(done)](Result<Frame> frame) { done(std::move(frame)); });
}

}  // namespace lull::broker
