#include "schema/codec.hpp"

#include <algorithm>
#include <exception>
#include <limits>
#include <msgpack.hpp>

#include "core/text.hpp"

namespace lull {

namespace {

// Lets msgpack's packer append to a Buffer.
struct BufferStream {
    Buffer& out;
    void write(char const* data, std::size_t size) {
        auto const bytes = std::as_bytes(std::span(data, size));
        out.insert(out.end(), bytes.begin(), bytes.end());
    }
};

template <class Write>
void pack(Buffer& out, Write write) {
    BufferStream stream{out};
    msgpack::packer<BufferStream> packer(stream);
    write(packer);
}

std::uint32_t fit(std::size_t size) {
    LULL_INVARIANT(size <= std::numeric_limits<std::uint32_t>::max());
    return static_cast<std::uint32_t>(size);
}

// Walks a body before memory is spent on it. An element takes at least one byte, so a body that declares more elements
// than it has bytes is a lie; this also bounds what all headers together can make the parser allocate.
class Inspector : public msgpack::null_visitor {
public:
    explicit Inspector(std::size_t elements) : elements_left_(elements) {}

    bool start_array(std::uint32_t elements) { return enter(elements); }
    bool start_map(std::uint32_t pairs) { return enter(2 * std::uint64_t{pairs}); }
    bool end_array() { return leave(); }
    bool end_map() { return leave(); }
    bool visit_ext(char const*, std::uint32_t) { return refuse("it holds an extension type, and there are none"); }
    void parse_error(std::size_t, std::size_t at) {
        static_cast<void>(refuse(fmt::format("byte {} is no MessagePack", at)));
    }
    void insufficient_bytes(std::size_t, std::size_t) { static_cast<void>(refuse("it ends early")); }

    [[nodiscard]] std::string const& reason() const { return reason_; }

private:
    bool enter(std::uint64_t elements) {
        if (++depth_ > limits::nesting) return refuse(fmt::format("it nests deeper than {} levels", limits::nesting));
        if (elements > elements_left_) return refuse("it declares more elements than it may have");
        elements_left_ -= elements;
        return true;
    }
    bool leave() {
        --depth_;
        return true;
    }
    bool refuse(std::string reason) {
        if (reason_.empty()) reason_ = std::move(reason);
        return false;
    }

    std::uint64_t elements_left_;
    std::uint32_t depth_ = 0;
    std::string reason_;
};

msgpack::object const& object_of(void const* object) { return *static_cast<msgpack::object const*>(object); }

std::string_view text_of(msgpack::object const& object) { return {object.via.str.ptr, object.via.str.size}; }

tl::unexpected<Error> expected(std::string_view what) { return fail(Fault::damaged, "this is no {}", what); }

}  // namespace

void Encoder::map(std::size_t fields) {
    pack(out_, [&](auto& packer) { packer.pack_map(fit(fields)); });
}

void Encoder::array(std::size_t elements) {
    pack(out_, [&](auto& packer) { packer.pack_array(fit(elements)); });
}

void Encoder::text(std::string_view value) {
    pack(out_,
         [&](auto& packer) { packer.pack_str(fit(value.size())).pack_str_body(value.data(), fit(value.size())); });
}

void Encoder::binary(View value) {
    auto const* const data = reinterpret_cast<char const*>(value.data());
    pack(out_, [&](auto& packer) { packer.pack_bin(fit(value.size())).pack_bin_body(data, fit(value.size())); });
}

void Encoder::number(std::uint64_t value) {
    pack(out_, [&](auto& packer) { packer.pack_uint64(value); });
}

void Encoder::integer(std::int64_t value) {
    pack(out_, [&](auto& packer) { packer.pack_int64(value); });
}

void Encoder::boolean(bool value) {
    pack(out_, [&](auto& packer) { value ? packer.pack_true() : packer.pack_false(); });
}

Result<std::string_view> Item::text() const {
    auto const& object = object_of(object_);
    if (object.type != msgpack::type::STR) return expected("text");
    auto const text = text_of(object);
    if (text.size() > limits::text) {
        return fail(Fault::damaged, "text of {} bytes is longer than {}", text.size(), limits::text);
    }
    if (!is_utf8(text)) return fail(Fault::damaged, "text is not UTF-8");
    return text;
}

Result<View> Item::binary() const {
    auto const& object = object_of(object_);
    if (object.type != msgpack::type::BIN) return expected("binary value");
    return std::as_bytes(std::span(object.via.bin.ptr, object.via.bin.size));
}

Result<std::uint64_t> Item::number() const {
    auto const& object = object_of(object_);
    if (object.type != msgpack::type::POSITIVE_INTEGER) return expected("number from 0 on");
    return object.via.u64;
}

Result<std::int64_t> Item::integer() const {
    auto const& object = object_of(object_);
    if (object.type == msgpack::type::NEGATIVE_INTEGER) return object.via.i64;
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (object.type != msgpack::type::POSITIVE_INTEGER || object.via.u64 > most) return expected("integer of 64 bits");
    return static_cast<std::int64_t>(object.via.u64);
}

Result<bool> Item::boolean() const {
    auto const& object = object_of(object_);
    if (object.type != msgpack::type::BOOLEAN) return expected("truth value");
    return object.via.boolean;
}

Result<std::size_t> Item::array_size() const {
    auto const& object = object_of(object_);
    if (object.type != msgpack::type::ARRAY) return expected("array");
    return object.via.array.size;
}

Item Item::element(std::size_t index) const {
    auto const& object = object_of(object_);
    LULL_INVARIANT(object.type == msgpack::type::ARRAY && index < object.via.array.size);
    return Item(object.via.array.ptr + index);
}

Result<std::optional<Item>> Item::field(std::string_view key) const {
    auto const& object = object_of(object_);
    if (object.type != msgpack::type::MAP) return expected("map");
    std::optional<Item> found;
    for (auto const& pair : std::span(object.via.map.ptr, object.via.map.size)) {
        if (pair.key.type != msgpack::type::STR || text_of(pair.key) != key) continue;
        if (found) return fail(Fault::damaged, "field '{}' stands twice", key);
        found = Item(&pair.val);
    }
    return found;
}

struct Document::State {
    msgpack::zone zone;  // holds whatever `root` refers to
    msgpack::object root;
};

Document::Document(std::unique_ptr<State> state) : state_(std::move(state)) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Item Document::root() const { return Item(&state_->root); }

Result<Document> Document::parse(View bytes, Bytes most, std::size_t elements) {
    if (bytes.size() > most.count()) {
        return fail(Fault::damaged, "a body of {} bytes is larger than {}", bytes.size(), most.count());
    }
    auto const* const data = reinterpret_cast<char const*>(bytes.data());
    auto const size = bytes.size();
    try {
        Inspector inspector(std::min(size, elements));
        std::size_t end = 0;
        if (size == 0 || !msgpack::parse(data, size, end, inspector)) {
            return fail(Fault::damaged, "cannot read a body of {} bytes: {}", size,
                        inspector.reason().empty() ? "it ends early" : inspector.reason());
        }
        if (end != size) return fail(Fault::damaged, "{} bytes follow the end of a body of {} bytes", size - end, end);
        msgpack::unpack_limit const limit(size, size, size, size, 0, limits::nesting);
        auto state = std::make_unique<State>();
        state->root = msgpack::unpack(state->zone, data, size, nullptr, nullptr, limit);
        return Document(std::move(state));
    } catch (std::exception const& error) {  // msgpack's own, and std::bad_alloc
        return fail(Fault::damaged, "cannot read a body of {} bytes: {}", size, error.what());
    }
}

namespace codec {

namespace {

template <class T, class Wrap>
Status store(Result<T> value, Wrap wrap) {
    if (!value) return pass(std::move(value.error()));
    wrap(*value);
    return {};
}

}  // namespace

Status read(Item item, std::string& into) {
    return store(item.text(), [&](std::string_view text) { into = text; });
}

Status read(Item item, std::uint64_t& into) {
    return store(item.number(), [&](std::uint64_t value) { into = value; });
}

Status read(Item item, std::uint32_t& into) {
    auto const value = item.number();
    if (!value) return pass(value.error());
    if (*value > std::numeric_limits<std::uint32_t>::max()) {
        return fail(Fault::damaged, "{} does not fit 32 bits", *value);
    }
    into = static_cast<std::uint32_t>(*value);
    return {};
}

Status read(Item item, std::int64_t& into) {
    return store(item.integer(), [&](std::int64_t value) { into = value; });
}

Status read(Item item, bool& into) {
    return store(item.boolean(), [&](bool value) { into = value; });
}

Status read(Item item, Buffer& into) {
    return store(item.binary(), [&](View bytes) { into = to_buffer(bytes); });
}

Status read(Item item, Digest& into) {
    std::array<std::byte, Digest::size> bytes{};
    if (auto status = read_fixed(item, bytes); !status) return status;
    into = Digest(bytes);
    return {};
}

Status read(Item item, PeerKey& into) {
    std::array<std::byte, 32> bytes{};
    if (auto status = read_fixed(item, bytes); !status) return status;
    into = PeerKey(bytes);
    return {};
}

Status read(Item item, Seq& into) { return read(item, into.value); }

Status read(Item item, Epoch& into) { return read(item, into.value); }

Status read(Item item, Bytes& into) {
    return store(item.number(), [&](std::uint64_t value) { into = Bytes(value); });
}

Status read(Item item, WallTime& into) { return read(item, into.micros); }

Status read_fixed(Item item, std::span<std::byte> into) {
    auto const bytes = item.binary();
    if (!bytes) return pass(bytes.error());
    if (bytes->size() != into.size()) {
        return fail(Fault::damaged, "a binary value has {} bytes instead of {}", bytes->size(), into.size());
    }
    std::copy(bytes->begin(), bytes->end(), into.begin());
    return {};
}

Result<std::uint64_t> read_enumerator(Item item, std::uint64_t last) {
    auto value = item.number();
    if (value && *value > last) return fail(Fault::damaged, "{} is none of the known values 0 to {}", *value, last);
    return value;
}

}  // namespace codec

}  // namespace lull
