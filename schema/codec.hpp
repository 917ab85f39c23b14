#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/bytes.hpp"
#include "core/crypto.hpp"
#include "core/units.hpp"
#include "schema/ids.hpp"
#include "schema/limits.hpp"

// MessagePack (the home of msgpack-c): a struct lists its fields once, in `describe`, and is encoded and decoded by
// that.
//
//     struct Ping {
//         std::uint64_t nonce = 0;
//         static void describe(auto& self, auto& visit) { visit("n", self.nonce); }
//     };
//
// A std::optional field may be missing; every other field must be there, once. Unknown keys are ignored. Elements of
// vectors must be there in full; the bound on the body and on nesting bounds everything else.

namespace lull {

// Writes MessagePack.
class Encoder {
public:
    void map(std::size_t fields);
    void array(std::size_t elements);
    void text(std::string_view value);
    void binary(View value);
    void number(std::uint64_t value);
    void integer(std::int64_t value);
    void boolean(bool value);
    [[nodiscard]] Buffer take() { return std::move(out_); }

private:
    Buffer out_;
};

// One value of a decoded document. Cheap to copy; valid while the Document lives.
class Item {
public:
    explicit Item(void const* object) : object_(object) {}

    [[nodiscard]] Result<std::string_view> text() const;
    [[nodiscard]] Result<View> binary() const;
    [[nodiscard]] Result<std::uint64_t> number() const;
    [[nodiscard]] Result<std::int64_t> integer() const;
    [[nodiscard]] Result<bool> boolean() const;
    [[nodiscard]] Result<std::size_t> array_size() const;
    [[nodiscard]] Item element(std::size_t index) const;  // index < array_size()
    // The value under a key of a map; nothing if absent. Fault::damaged if this is no map or the key stands twice.
    [[nodiscard]] Result<std::optional<Item>> field(std::string_view key) const;

private:
    void const* object_;
};

// Parsed MessagePack: exactly one value, no trailing bytes, within the bounds.
class Document {
public:
    // Fault::damaged if `bytes` is larger than `most`, nests too deep, ends early or late, or is no MessagePack. What
    // its maps and arrays hold in all is bounded by `elements`, and by its size anyway: parsing takes 24 bytes for
    // each.
    [[nodiscard]] static Result<Document> parse(View bytes, Bytes most, std::size_t elements = any_number);
    static constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();
    [[nodiscard]] Item root() const;
    ~Document();
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;

private:
    struct State;
    explicit Document(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

namespace codec {

struct Probe {
    template <class T>
    void operator()(char const*, T&) {}
};
template <class T>
concept Described = requires(T& value, Probe& probe) {
    T::describe(value, probe);
};

template <class T>
concept Enumeration = std::is_enum_v<T> && requires(T value) {
    enum_last(value);
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

// ---- writing ----

inline void write(Encoder& out, std::string const& value) { out.text(value); }
inline void write(Encoder& out, std::uint64_t value) { out.number(value); }
inline void write(Encoder& out, std::uint32_t value) { out.number(value); }
inline void write(Encoder& out, std::int64_t value) { out.integer(value); }
inline void write(Encoder& out, bool value) { out.boolean(value); }
inline void write(Encoder& out, Buffer const& value) { out.binary(value); }
inline void write(Encoder& out, Digest const& value) { out.binary(value.view()); }
inline void write(Encoder& out, PeerKey const& value) { out.binary(value.bytes()); }
inline void write(Encoder& out, Seq value) { out.number(value.value); }
inline void write(Encoder& out, Epoch value) { out.number(value.value); }
inline void write(Encoder& out, Bytes value) { out.number(value.count()); }
inline void write(Encoder& out, WallTime value) { out.integer(value.micros); }
template <std::size_t N>
void write(Encoder& out, std::array<std::byte, N> const& value) {
    out.binary(value);
}
template <class Kind>
void write(Encoder& out, Name<Kind> const& value) {
    out.text(value.text());
}
template <Enumeration E>
void write(Encoder& out, E value) {
    out.number(static_cast<std::uint64_t>(value));
}
template <Described T>
void write(Encoder& out, T const& value);
template <class T>
void write(Encoder& out, std::vector<T> const& values) {
    out.array(values.size());
    for (auto const& value : values) write(out, value);
}

struct FieldCounter {
    std::size_t count = 0;
    template <class T>
    void operator()(char const*, T const& value) {
        if constexpr (IsOptional<T>::value) {
            count += value.has_value() ? 1 : 0;
        } else {
            ++count;
        }
    }
};

struct FieldWriter {
    Encoder& out;
    template <class T>
    void operator()(char const* key, T const& value) {
        if constexpr (IsOptional<T>::value) {
            if (!value) return;
            out.text(key);
            write(out, *value);
        } else {
            out.text(key);
            write(out, value);
        }
    }
};

template <Described T>
void write(Encoder& out, T const& value) {
    FieldCounter counter;
    T::describe(value, counter);
    out.map(counter.count);
    FieldWriter writer{out};
    T::describe(value, writer);
}

// ---- reading ----

[[nodiscard]] Status read(Item item, std::string& into);
[[nodiscard]] Status read(Item item, std::uint64_t& into);
[[nodiscard]] Status read(Item item, std::uint32_t& into);
[[nodiscard]] Status read(Item item, std::int64_t& into);
[[nodiscard]] Status read(Item item, bool& into);
[[nodiscard]] Status read(Item item, Buffer& into);
[[nodiscard]] Status read(Item item, Digest& into);
[[nodiscard]] Status read(Item item, PeerKey& into);
[[nodiscard]] Status read(Item item, Seq& into);
[[nodiscard]] Status read(Item item, Epoch& into);
[[nodiscard]] Status read(Item item, Bytes& into);
[[nodiscard]] Status read(Item item, WallTime& into);
[[nodiscard]] Status read_fixed(Item item, std::span<std::byte> into);
[[nodiscard]] Result<std::uint64_t> read_enumerator(Item item, std::uint64_t last);

template <std::size_t N>
[[nodiscard]] Status read(Item item, std::array<std::byte, N>& into) {
    return read_fixed(item, into);
}
template <class Kind>
[[nodiscard]] Status read(Item item, Name<Kind>& into) {
    auto text = item.text();
    if (!text) return pass(std::move(text.error()));
    auto name = Name<Kind>::parse(*text);
    if (!name) return fail(Fault::damaged, "{}", name.error().message);
    into = std::move(*name);
    return {};
}
template <Enumeration E>
[[nodiscard]] Status read(Item item, E& into) {
    auto value = read_enumerator(item, static_cast<std::uint64_t>(enum_last(E{})));
    if (!value) return pass(std::move(value.error()));
    into = static_cast<E>(*value);
    return {};
}
template <Described T>
[[nodiscard]] Status read(Item item, T& into);
template <class T>
[[nodiscard]] Status read(Item item, std::vector<T>& into) {
    auto size = item.array_size();
    if (!size) return pass(std::move(size.error()));
    into.clear();
    into.reserve(*size);
    for (std::size_t i = 0; i < *size; ++i) {
        T value{};
        if (auto status = read(item.element(i), value); !status) return status;
        into.push_back(std::move(value));
    }
    return {};
}

struct FieldReader {
    Item item;
    Status status{};
    template <class T>
    void operator()(char const* key, T& into) {
        if (!status) return;
        auto found = item.field(key);
        if (!found) {  // not about this key: the item is no map, or the message names the key already
            status = pass(std::move(found.error()));
            return;
        }
        if constexpr (IsOptional<T>::value) {
            into.reset();
            if (*found) status = read(**found, into.emplace());
        } else if (!*found) {
            status = fail(Fault::damaged, "field '{}' is missing", key);
        } else {
            status = read(**found, into);
        }
        if (!status && status.error().message.find("field") == std::string::npos) {
            status = fail(Fault::damaged, "field '{}': {}", key, status.error().message);
        }
    }
};

template <Described T>
[[nodiscard]] Status read(Item item, T& into) {
    FieldReader reader{item};
    T::describe(into, reader);
    return std::move(reader.status);
}

}  // namespace codec

// The MessagePack form of a described struct.
template <codec::Described T>
[[nodiscard]] Buffer encode(T const& value) {
    Encoder out;
    codec::write(out, value);
    return out.take();
}

// The reverse, into a fresh object. Fault::damaged for anything that is not exactly one such struct within `most`
// bytes. A struct that is large by its binary values only says so by T::most_elements.
template <codec::Described T>
[[nodiscard]] Result<T> decode(View bytes, Bytes most) {
    std::size_t elements = Document::any_number;
    if constexpr (requires { T::most_elements; }) elements = T::most_elements;
    auto document = Document::parse(bytes, most, elements);
    if (!document) return pass(std::move(document.error()));
    T value{};
    if (auto status = codec::read(document->root(), value); !status) return pass(std::move(status.error()));
    return value;
}

}  // namespace lull
