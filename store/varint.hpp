#pragma once

#include <cstdint>

#include "core/bytes.hpp"

// Numbers of seven bits a byte, the lowest first, all but the last with the eighth bit set (LEB128); signed ones with
// their sign in bit 0.

namespace lull::store {

inline void put_varint(Buffer& bytes, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<std::byte>(value | 0x80));
    bytes.push_back(static_cast<std::byte>(value));
}

inline void put_signed(Buffer& bytes, std::int64_t value) {
    put_varint(bytes, (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

// Reads what others wrote. Where that ends early or makes no sense it gives zeros from there on, and says so.
class VarintReader {
public:
    explicit VarintReader(View bytes) : bytes_(bytes) {}

    [[nodiscard]] std::uint64_t next() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 63 && at_ < bytes_.size(); shift += 7) {
            auto const byte = std::to_integer<std::uint64_t>(bytes_[at_++]);
            value |= (byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        return fail();
    }
    // At most `most`.
    [[nodiscard]] std::uint64_t next(std::uint64_t most) {
        auto const value = next();
        return value <= most ? value : fail();
    }
    [[nodiscard]] std::int64_t next_signed() {
        auto const value = next();
        return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
    }
    // That many bytes as they are; none if they are not there.
    [[nodiscard]] View take(std::uint64_t count) {
        if (count > bytes_.size() - at_) {
            fail();
            return {};
        }
        at_ += count;
        return bytes_.subspan(at_ - count, count);
    }

    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] std::size_t at() const { return at_; }
    [[nodiscard]] bool finished() const { return good_ && at_ == bytes_.size(); }

private:
    std::uint64_t fail() {
        good_ = false;
        at_ = bytes_.size();
        return 0;
    }

    View bytes_;  // for as long as the caller keeps it
    std::size_t at_ = 0;
    bool good_ = true;
};

}  // namespace lull::store
