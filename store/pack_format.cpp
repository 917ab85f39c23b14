#include "store/pack_format.hpp"

#include <algorithm>
#include <charconv>

#include "schema/limits.hpp"
#include "store/environment.hpp"

namespace lull::store {

namespace {

constexpr std::string_view pack_magic = "LULLPACK";
constexpr std::string_view object_magic = "LOBJ";
constexpr std::uint32_t pack_format = 1;
constexpr std::size_t check_size = 8;
constexpr std::size_t place_size = 17;
constexpr std::string_view name_prefix = "pack-";
constexpr std::size_t name_digits = 8;

// Writes fields one after the other.
class FieldWriter {
public:
    explicit FieldWriter(std::span<std::byte> into) : left_(into) {}

    void bytes(View value) {
        std::copy(value.begin(), value.end(), left_.begin());
        left_ = left_.subspan(value.size());
    }
    void number(std::uint64_t value, std::size_t width) { bytes(View(key_of(value)).last(width)); }

private:
    std::span<std::byte> left_;
};

// Reads fields one after the other.
class FieldReader {
public:
    explicit FieldReader(View from) : left_(from) {}

    View bytes(std::size_t width) {
        auto const field = left_.first(width);
        left_ = left_.subspan(width);
        return field;
    }
    std::uint64_t number(std::size_t width) {
        std::uint64_t value = 0;
        for (auto const byte : bytes(width)) value = value << 8 | std::to_integer<std::uint64_t>(byte);
        return value;
    }
    std::uint32_t number32() { return static_cast<std::uint32_t>(number(4)); }

private:
    View left_;
};

// Enough to tell a header from anything else; the objects' own digests guard their bytes.
Buffer check_sum(View header) { return to_buffer(sha256(header).view().first(check_size)); }

// Reads what both a header and an index entry say of an object. Fault::damaged where no object of ours can be like
// that.
Result<ObjectShape> read_shape(FieldReader& reader, Digest const& object) {
    auto const codec = reader.number(1);
    ObjectShape const shape{object, static_cast<ObjectCodec>(codec), Bytes(reader.number32()),
                            Bytes(reader.number32())};
    bool const known = codec <= static_cast<std::uint64_t>(enum_last(ObjectCodec{}));
    if (known && shape.stored <= limits::stored_object && shape.plain <= limits::stored_object) return shape;
    return fail(Fault::damaged, "object {} has codec {}, {} stored and {} plain bytes, which cannot be", object.hex(),
                codec, shape.stored.count(), shape.plain.count());
}

void write_shape(FieldWriter& writer, ObjectShape const& shape) {
    writer.number(static_cast<std::uint64_t>(shape.codec), 1);
    writer.number(shape.stored.count(), 4);
    writer.number(shape.plain.count(), 4);
}

}  // namespace

std::array<std::byte, PackHeader::size> encode(PackHeader const& header) {
    std::array<std::byte, PackHeader::size> bytes{};
    FieldWriter writer(bytes);
    writer.bytes(as_view(pack_magic));
    writer.number(pack_format, 4);
    writer.number(header.number, 4);
    writer.number(header.store, 8);
    return bytes;
}

Result<PackHeader> decode_pack_header(View bytes) {
    if (bytes.size() != PackHeader::size) return fail(Fault::damaged, "its header is cut off");
    FieldReader reader(bytes);
    if (as_text(reader.bytes(pack_magic.size())) != pack_magic)
        return fail(Fault::damaged, "it does not begin as a pack");
    if (auto const format = reader.number(4); format != pack_format) {
        return fail(Fault::damaged, "it has format {}, and this program knows format {}", format, pack_format);
    }
    PackHeader header;
    header.number = reader.number32();
    header.store = reader.number(8);
    return header;
}

std::array<std::byte, object_header_size> encode_object_header(ObjectShape const& shape) {
    std::array<std::byte, object_header_size> bytes{};
    FieldWriter writer(bytes);
    writer.bytes(as_view(object_magic));
    writer.bytes(shape.object.view());
    writer.number(0, 3);
    write_shape(writer, shape);
    writer.bytes(check_sum(View(bytes).first(object_header_size - check_size)));
    return bytes;
}

Result<ObjectShape> decode_object_header(View bytes) {
    if (bytes.size() != object_header_size) return fail(Fault::damaged, "an object's header is cut off");
    FieldReader reader(bytes);
    if (as_text(reader.bytes(object_magic.size())) != object_magic)
        return fail(Fault::damaged, "no object begins there");
    auto const check = check_sum(bytes.first(object_header_size - check_size));
    if (!std::ranges::equal(check, bytes.last(check_size)))
        return fail(Fault::damaged, "an object's header is damaged");
    auto const object = Digest::from_bytes(reader.bytes(Digest::size));
    if (!object) return pass(object.error());
    (void)reader.bytes(3);
    return read_shape(reader, *object);
}

Buffer encode_place(ObjectPlace const& place) {
    Buffer value(place_size);
    FieldWriter writer(value);
    writer.number(place.pack, 4);
    writer.number(place.offset.count(), 4);
    write_shape(writer, place.shape);
    return value;
}

Result<ObjectPlace> decode_place(View key, View value) {
    auto const object = Digest::from_bytes(key);
    if (!object) return pass(object.error());
    if (value.size() != place_size) {
        return fail(Fault::damaged, "the index entry of {} has {} bytes instead of {}", object->hex(), value.size(),
                    place_size);
    }
    FieldReader reader(value);
    ObjectPlace place;
    place.pack = reader.number32();
    place.offset = Bytes(reader.number32());
    auto const shape = read_shape(reader, *object);
    if (!shape) return pass(shape.error());
    place.shape = *shape;
    if (place.pack == 0 || place.offset < Bytes(PackHeader::size + object_header_size)) {
        return fail(Fault::damaged, "the index entry of {} names no place in a pack", object->hex());
    }
    return place;
}

std::string pack_name(std::uint32_t pack) { return fmt::format("{}{:0{}}", name_prefix, pack, name_digits); }

std::uint32_t pack_number(std::string_view name) {
    if (!name.starts_with(name_prefix)) return 0;
    auto const digits = name.substr(name_prefix.size());
    std::uint32_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return pack_name(number) == name ? number : 0;
}

tl::unexpected<Error> damaged_pack(fs::path const& pack, std::string_view why) {
    return fail(Fault::damaged, "pack {} is damaged ({}): {}", pack.string(), why,
                "restore it from a backup, or move database and packs away together and publish anew");
}

Result<PackHeader> read_pack_header(int pack, fs::path const& path) {
    std::array<std::byte, PackHeader::size> bytes{};
    auto const status = read_exactly(pack, 0, bytes, path);
    if (!status && status.error().fault != Fault::damaged) return pass(status.error());
    auto const header = decode_pack_header(status ? View(bytes) : View());
    if (!header) return damaged_pack(path, header.error().message);
    return header;
}

}  // namespace lull::store
