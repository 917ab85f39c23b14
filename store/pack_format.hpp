#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/files.hpp"
#include "store/object_place.hpp"

// The bytes of packs and of their index, as FORMAT.md draws them. Numbers are big-endian.

namespace lull::store {

// What a pack file begins with.
struct PackHeader {
    static constexpr std::size_t size = 24;
    std::uint32_t number = 0;  // as in the file's name
    std::uint64_t store = 0;   // the identity of the database whose index covers it
    bool operator==(PackHeader const&) const = default;
};

[[nodiscard]] std::array<std::byte, PackHeader::size> encode(PackHeader const& header);
// Fault::damaged if these are not the bytes of a pack header of our format.
[[nodiscard]] Result<PackHeader> decode_pack_header(View bytes);

// The error for a pack that is not what the index says.
[[nodiscard]] tl::unexpected<Error> damaged_pack(fs::path const& pack, std::string_view why);

// Reads the header of an open pack. Fault::damaged names `path`.
[[nodiscard]] Result<PackHeader> read_pack_header(int pack, fs::path const& path);

// What stands before the stored bytes of each object.
inline constexpr std::size_t object_header_size = 56;

[[nodiscard]] std::array<std::byte, object_header_size> encode_object_header(ObjectShape const& shape);
// Fault::damaged if the magic, a bound or the check sum is wrong.
[[nodiscard]] Result<ObjectShape> decode_object_header(View bytes);

// The value of an index entry; its key is the digest.
[[nodiscard]] Buffer encode_place(ObjectPlace const& place);
[[nodiscard]] Result<ObjectPlace> decode_place(View key, View value);

// "pack-00000001"; the reverse gives 0 for any other name.
[[nodiscard]] std::string pack_name(std::uint32_t pack);
[[nodiscard]] std::uint32_t pack_number(std::string_view name);

}  // namespace lull::store
