#include "store/delta.hpp"

#include "store/address_delta.hpp"
#include "store/compression.hpp"

namespace lull::store {

namespace {

constexpr std::size_t out_of_reach = 2;  // times as small as at the quick level: never seen at the other one

}  // namespace

std::optional<Buffer> make_delta(View base, View plain, int level, std::stop_token const& stop) {
    LULL_INVARIANT(base.size() + plain.size() <= most_with_base.count());
    return compress_behind(base, plain, level, stop);
}

std::optional<Buffer> make_smallest_delta(LaidOut const& base, LaidOut const& plain, std::stop_token const& stop) {
    if (base.space.empty() || plain.space.empty()) return make_delta(base.bytes, plain.bytes, small_level, stop);
    auto by_addresses = make_address_delta(base.bytes, base.space, plain.bytes, plain.space, stop);
    auto quick = make_delta(base.bytes, plain.bytes, quick_level, stop);
    if (!quick) return std::nullopt;
    if (by_addresses && by_addresses->size() < quick->size() / out_of_reach) return by_addresses;
    auto small = make_delta(base.bytes, plain.bytes, small_level, stop);
    return by_addresses && small && by_addresses->size() < small->size() ? std::move(by_addresses) : std::move(small);
}

std::optional<Bytes> plain_size(View frame) {
    return is_address_delta(frame) ? plain_size_of_address_delta(frame) : plain_size_of_frame(frame);
}

Result<Buffer> apply_delta(Segment const& segment, View base, View frame) {
    auto const wrong = [&](std::string_view why) {
        return fail(Fault::damaged, "the delta for segment {} is of no use: {}", segment.digest.hex(), why);
    };
    if (base.size() + segment.size.count() > most_with_base.count())
        return wrong("its base is larger than any delta may have");
    auto const size = plain_size(frame);
    if (!size) return wrong("it is of no kind that is known here");
    if (*size != segment.size) return wrong("it gives another size");
    Buffer plain(segment.size.count());
    auto const done = is_address_delta(frame) ? apply_address_delta(base, frame, plain)
                                              : decompress_behind(base, frame, plain);
    if (!done) return wrong(done.error().message);
    if (sha256(plain) != segment.digest) return wrong("it gives other bytes");
    return plain;
}

Bytes memory_to_apply(Bytes base, Bytes plain, Bytes frame) {
    return base + plain + frame + memory_of_address_delta(plain, frame);
}

}  // namespace lull::store
