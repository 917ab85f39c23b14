#include "store/compression.hpp"

#include <zstd.h>

#include <algorithm>
#include <bit>
#include <memory>

namespace lull::store {

namespace {

constexpr std::uint64_t least_gain = 50;  // one part in 50: 2 %
constexpr std::size_t piece = 256 << 10;  // compressed between two checks whether to stop

struct FreeCompressor {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// The frame, or nothing where it would not fit into `most` bytes.
Buffer compress(View plain, int level, std::size_t most) {
    std::unique_ptr<ZSTD_CCtx, FreeCompressor> const context(ZSTD_createCCtx());
    LULL_INVARIANT(context != nullptr);
    LULL_INVARIANT(ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level)) == 0);
    Buffer frame(most);
    auto const size = ZSTD_compress2(context.get(), frame.data(), frame.size(), plain.data(), plain.size());
    if (ZSTD_isError(size) != 0) return {};
    frame.resize(size);
    frame.shrink_to_fit();
    return frame;
}

// The same in pieces. Nothing as well if it was stopped.
Buffer compress_in_pieces(View plain, int level, std::size_t most, std::stop_token const& stop) {
    std::unique_ptr<ZSTD_CCtx, FreeCompressor> const context(ZSTD_createCCtx());
    LULL_INVARIANT(context != nullptr);
    LULL_INVARIANT(ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level)) == 0);
    LULL_INVARIANT(ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context.get(), plain.size())) == 0);
    Buffer frame(most);
    ZSTD_outBuffer out{frame.data(), frame.size(), 0};
    ZSTD_inBuffer in{plain.data(), 0, 0};
    for (std::size_t left = 1; left > 0 || in.pos < plain.size();) {
        if (stop.stop_requested()) return {};
        in.size = std::min(in.pos + piece, plain.size());
        left = ZSTD_compressStream2(context.get(), &out, &in, in.size == plain.size() ? ZSTD_e_end : ZSTD_e_continue);
        LULL_INVARIANT(ZSTD_isError(left) == 0);
        bool const all = in.pos == plain.size() && left == 0;
        if (out.pos == out.size && !all) return {};
    }
    frame.resize(out.pos);
    frame.shrink_to_fit();
    return frame;
}

// An object whose bytes are `frame`, or the plain ones where that is empty.
StoredObject stored_as(Buffer frame, View plain) {
    StoredObject object;
    object.shape.object = sha256(plain);
    object.shape.plain = Bytes(plain.size());
    object.shape.codec = frame.empty() ? ObjectCodec::raw : ObjectCodec::zstd;
    object.bytes = frame.empty() ? to_buffer(plain) : std::move(frame);
    object.shape.stored = Bytes(object.bytes.size());
    return object;
}

std::size_t most_worthwhile(View plain) { return plain.size() - plain.size() / least_gain; }

// What the frame's header asks for (RFC 8878, 3.1.1.1): 0 where the frame says that its content is the window.
std::uint64_t window_of(View frame) {
    constexpr std::size_t descriptor_at = 4;
    constexpr unsigned single_segment = 0x20;
    if (frame.size() < descriptor_at + 2) return 0;
    if ((std::to_integer<unsigned>(frame[descriptor_at]) & single_segment) != 0) return 0;
    auto const window = std::to_integer<unsigned>(frame[descriptor_at + 1]);
    auto const base = std::uint64_t{1} << (10 + (window >> 3));
    return base + base / 8 * (window & 7);
}

// Why this is not exactly one frame with the promised content, or nullptr.
char const* what_is_wrong(ObjectShape const& shape, View frame) {
    auto const window_cap = std::bit_ceil(std::max<std::uint64_t>(shape.plain.count(), 1024));
    if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != shape.plain.count())
        return "its frame has another size";
    if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) return "it is not one whole frame";
    if (window_of(frame) > window_cap) return "its frame asks for a larger window than its contents need";
    return nullptr;
}

Result<Buffer> decompress(ObjectShape const& shape, View frame) {
    if (auto const* const wrong = what_is_wrong(shape, frame); wrong != nullptr) {
        return fail(Fault::damaged, "object {} is damaged: {}", shape.object.hex(), wrong);
    }
    std::unique_ptr<ZSTD_DCtx, FreeDecompressor> const context(ZSTD_createDCtx());
    LULL_INVARIANT(context != nullptr);
    Buffer plain(shape.plain.count());
    auto const size = ZSTD_decompressDCtx(context.get(), plain.data(), plain.size(), frame.data(), frame.size());
    if (ZSTD_isError(size) != 0) {
        return fail(Fault::damaged, "object {} is damaged: {}", shape.object.hex(), ZSTD_getErrorName(size));
    }
    if (size != plain.size()) return fail(Fault::damaged, "object {} is damaged: it ends early", shape.object.hex());
    return plain;
}

Status check_sizes(ObjectShape const& shape, View stored, Bytes most) {
    if (shape.plain > most) {
        return fail(Fault::damaged, "object {} is refused: it has {}, and at most {} are allowed", shape.object.hex(),
                    to_text(shape.plain), to_text(most));
    }
    bool const raw = shape.codec == ObjectCodec::raw;
    if (stored.size() == shape.stored.count() && (!raw || shape.plain == shape.stored)) return {};
    return fail(Fault::damaged, "object {} is damaged: {} bytes where {} were promised", shape.object.hex(),
                stored.size(), raw ? shape.plain.count() : shape.stored.count());
}

Status check_digest(ObjectShape const& shape, View plain) {
    if (sha256(plain) == shape.object) return {};
    return fail(Fault::damaged, "object {} is damaged: its contents have another digest", shape.object.hex());
}

}  // namespace

StoredObject pack_object(View plain, int level) {
    return stored_as(compress(plain, level, most_worthwhile(plain)), plain);
}

std::optional<StoredObject> pack_object(View plain, int level, std::stop_token const& stop) {
    auto frame = compress_in_pieces(plain, level, most_worthwhile(plain), stop);
    if (stop.stop_requested()) return std::nullopt;
    return stored_as(std::move(frame), plain);
}

// At the highest levels matches are looked for as thoroughly behind the whole prefix as level 19 does in a window of
// its own: a table entry for every byte, and matches of any length taken as they are.
std::optional<Buffer> compress_behind(View prefix, View plain, int level, std::stop_token const& stop) {
    std::unique_ptr<ZSTD_CCtx, FreeCompressor> const context(ZSTD_createCCtx());
    LULL_INVARIANT(context != nullptr);
    auto const set = [&](ZSTD_cParameter what, int value) {
        LULL_INVARIANT(ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), what, value)) == 0);
    };
    auto const window = static_cast<int>(std::max(std::bit_width(prefix.size() + plain.size()), std::size_t{17}));
    set(ZSTD_c_compressionLevel, level);
    set(ZSTD_c_windowLog, window);
    if (level >= small_level) {
        set(ZSTD_c_hashLog, std::min(window, 24));
        set(ZSTD_c_chainLog, window);
        set(ZSTD_c_targetLength, 4096);
    } else {  // the tables of the lower levels are too small for a large prefix: what it has in common is found by long
              // matches
        set(ZSTD_c_enableLongDistanceMatching, 1);
        set(ZSTD_c_ldmMinMatch, 32);
        set(ZSTD_c_ldmHashRateLog, 4);
    }
    LULL_INVARIANT(ZSTD_isError(ZSTD_CCtx_refPrefix(context.get(), prefix.data(), prefix.size())) == 0);
    LULL_INVARIANT(ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context.get(), plain.size())) == 0);
    Buffer frame(ZSTD_compressBound(plain.size()));
    ZSTD_outBuffer out{frame.data(), frame.size(), 0};
    ZSTD_inBuffer in{plain.data(), 0, 0};
    for (std::size_t left = 1; left > 0;) {
        if (stop.stop_requested()) return std::nullopt;
        in.size = std::min(in.size + piece, plain.size());
        left = ZSTD_compressStream2(context.get(), &out, &in, in.size == plain.size() ? ZSTD_e_end : ZSTD_e_continue);
        LULL_INVARIANT(ZSTD_isError(left) == 0);  // there is room for any outcome
        if (in.size < plain.size()) left = 1;
    }
    frame.resize(out.pos);
    frame.shrink_to_fit();
    return frame;
}

Buffer compress_parts(std::vector<Buffer> const& parts) {
    std::unique_ptr<ZSTD_CCtx, FreeCompressor> const context(ZSTD_createCCtx());
    LULL_INVARIANT(context != nullptr);
    LULL_INVARIANT(ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, small_level)) == 0);
    std::size_t size = 0;
    for (auto const& part : parts) size += part.size();
    LULL_INVARIANT(ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context.get(), size)) == 0);
    Buffer frame(ZSTD_compressBound(size) + parts.size() * ZSTD_compressBound(0));
    ZSTD_outBuffer out{frame.data(), frame.size(), 0};
    for (auto const& part : parts) {
        ZSTD_inBuffer in{part.data(), part.size(), 0};
        bool const last = &part == &parts.back();
        LULL_INVARIANT(ZSTD_compressStream2(context.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_flush) == 0);
    }
    frame.resize(out.pos);
    return frame;
}

std::optional<Bytes> plain_size_of_frame(View frame) {
    auto const size = ZSTD_getFrameContentSize(frame.data(), frame.size());
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) return std::nullopt;
    return Bytes(size);
}

Status decompress_behind(View prefix, View frame, std::span<std::byte> plain) {
    if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != plain.size())
        return fail(Fault::damaged, "it gives another size");
    if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size())
        return fail(Fault::damaged, "it is not one whole frame");
    std::unique_ptr<ZSTD_DCtx, FreeDecompressor> const context(ZSTD_createDCtx());
    LULL_INVARIANT(context != nullptr);
    LULL_INVARIANT(ZSTD_isError(ZSTD_DCtx_refPrefix(context.get(), prefix.data(), prefix.size())) == 0);
    auto const size = ZSTD_decompressDCtx(context.get(), plain.data(), plain.size(), frame.data(), frame.size());
    if (ZSTD_isError(size) != 0) return fail(Fault::damaged, "{}", ZSTD_getErrorName(size));
    if (size != plain.size()) return fail(Fault::damaged, "it ends early");
    return {};
}

Result<Buffer> unpack_object(ObjectShape const& shape, View stored, Bytes most) {
    if (auto fits = check_sizes(shape, stored, most); !fits) return pass(fits.error());
    auto plain = shape.codec == ObjectCodec::raw ? Result<Buffer>(to_buffer(stored)) : decompress(shape, stored);
    if (!plain) return plain;
    if (auto right = check_digest(shape, *plain); !right) return pass(right.error());
    return plain;
}

Status check_object(ObjectShape const& shape, View stored, Bytes most) {
    if (auto fits = check_sizes(shape, stored, most); !fits) return fits;
    if (shape.codec == ObjectCodec::raw) return check_digest(shape, stored);
    auto const plain = decompress(shape, stored);
    return plain ? check_digest(shape, *plain) : Status(pass(plain.error()));
}

}  // namespace lull::store
