#include "broker/objects/frame_reader.hpp"

namespace lull::broker {

namespace {

Result<Frame> read_range(store::PackFile const& pack, FrameReader::Range const& range) {
    if (range.offset.zero()) pack->expect(range.place.offset, range.place.shape.stored);
    Frame frame(range.length.count());
    auto const into = std::span(frame.data<std::byte>(), frame.size());
    if (auto status = pack->read(range.place.offset + range.offset, into); !status) return pass(status.error());
    return frame;
}

}  // namespace

void FrameReader::read(Range range, Done done) {
    auto const& object = range.place.shape.object;
    auto const now = packs_.find(object);
    if (!now) return done(fail(Fault::not_found, "object {} is not here any more", object.hex()));
    if (now->shape == range.place.shape) range.place = *now;
    worker_.submit([pack = packs_.pack(range.place.pack), range] { return read_range(pack, range); },
                   [done = std::move(done)](Result<Frame> frame) { done(std::move(frame)); });
}

}  // namespace lull::broker
