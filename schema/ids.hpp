#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"

// Domain values that are valid by construction.

namespace lull {

namespace detail {
// Takes 1..most characters; the first is a letter or digit, the others also one of `also`.
[[nodiscard]] Result<std::string> parse_name(std::string_view text, std::string_view what, std::string_view also,
                                             std::size_t most, std::string_view example);
}  // namespace detail

// A validated name of one kind. The default value is empty and stands for "unset" only.
template <class Kind>
class Name {
public:
    Name() = default;
    [[nodiscard]] static Result<Name> parse(std::string_view text) {
        auto checked = detail::parse_name(text, Kind::what, Kind::also, Kind::most, Kind::example);
        if (!checked) return pass(std::move(checked.error()));
        Name name;
        name.text_ = std::move(*checked);
        return name;
    }
    [[nodiscard]] std::string const& text() const { return text_; }
    [[nodiscard]] bool unset() const { return text_.empty(); }
    auto operator<=>(Name const&) const = default;

private:
    std::string text_;
};

struct SoftwareKind {
    static constexpr std::string_view what = "name of software", also = "._+-", example = "kiosk-browser";
    static constexpr std::size_t most = 64;
};
struct VersionKind {
    static constexpr std::string_view what = "version", also = "._+~-", example = "1.4.2";
    static constexpr std::size_t most = 64;
};
struct NodeKind {
    static constexpr std::string_view what = "name of a node", also = "._-", example = "till-17";
    static constexpr std::size_t most = 63;
};
struct GroupKind {
    static constexpr std::string_view what = "name of a group", also = "._-", example = "canary";
    static constexpr std::size_t most = 63;
};
struct ArchitectureKind {
    static constexpr std::string_view what = "architecture", also = "_-", example = "amd64";
    static constexpr std::size_t most = 32;
};

using SoftwareName = Name<SoftwareKind>;
using VersionName = Name<VersionKind>;
using NodeName = Name<NodeKind>;
using GroupName = Name<GroupKind>;
using ArchitectureName = Name<ArchitectureKind>;  // Debian's words; "any" fits every node

// The version that goes back to an older one: "1.4.1+back-8" has the contents of 1.4.1, in the place of release 8.
// Fault::usage if that is too long for a version.
[[nodiscard]] Result<VersionName> version_back_to(VersionName const& older, std::uint64_t from);
// The reverse: the version whose contents these are; most are their own.
[[nodiscard]] VersionName contents_of(VersionName const& version);

// Debian's words for what a release can be built for, and "any".
[[nodiscard]] Result<ArchitectureName> parse_architecture(std::string_view text);

// This machine's architecture in Debian's words, or "any" if we don't know it.
[[nodiscard]] ArchitectureName native_architecture();

// Position of a release in the broker's log; 0 is before the first.
struct Seq {
    std::uint64_t value = 0;
    auto operator<=>(Seq const&) const = default;
};

// Identity of a log: random, new only if the log is recreated; 0 is "none seen yet".
struct Epoch {
    std::uint64_t value = 0;
    auto operator<=>(Epoch const&) const = default;
};

// The CURVE public key by which a peer is known; ZAP's User-Id is its hexadecimal form.
class PeerKey {
public:
    PeerKey() = default;
    explicit PeerKey(std::array<std::byte, 32> const& bytes) : bytes_(bytes) {}
    // Takes 64 hexadecimal digits.
    [[nodiscard]] static Result<PeerKey> parse(std::string_view hex);

    [[nodiscard]] std::array<std::byte, 32> const& bytes() const { return bytes_; }
    [[nodiscard]] std::string hex() const { return to_hex(bytes_); }
    auto operator<=>(PeerKey const&) const = default;

private:
    std::array<std::byte, 32> bytes_{};
};

// What a key may do; see the table in roles.hpp.
enum class Role : std::uint8_t { node, publisher, operator_ };
constexpr Role enum_last(Role) { return Role::operator_; }
[[nodiscard]] std::string_view to_text(Role role);

}  // namespace lull
