#include "schema/ids.hpp"

#include <algorithm>
#include <array>

#include "core/text.hpp"

namespace lull {

namespace {

constexpr std::size_t longest_shown = 40;
constexpr std::string_view back_mark = "+back-";

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

namespace detail {

Result<std::string> parse_name(std::string_view text, std::string_view what, std::string_view also, std::size_t most,
                               std::string_view example) {
    auto const allowed = [also](char c) { return is_alphanumeric(c) || also.find(c) != std::string_view::npos; };
    bool const good = !text.empty() && text.size() <= most && is_alphanumeric(text.front()) &&
                      std::all_of(text.begin(), text.end(), allowed);
    if (good) return std::string(text);
    return fail(Fault::usage,
                "{} is no {}: it takes 1 to {} characters, first a letter or digit (a-z, A-Z, 0-9), then also {}; for "
                "example {}",
                lull::quoted(text, longest_shown), what, most, also, example);
}

}  // namespace detail

Result<VersionName> version_back_to(VersionName const& older, std::uint64_t from) {
    return VersionName::parse(fmt::format("{}{}{}", contents_of(older).text(), back_mark, from));
}

VersionName contents_of(VersionName const& version) {
    auto const& text = version.text();
    auto const mark = text.rfind(back_mark);
    if (mark == std::string::npos || mark == 0) return version;
    auto const number = std::string_view(text).substr(mark + back_mark.size());
    bool const is_number = !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
    return is_number ? *VersionName::parse(text.substr(0, mark)) : version;
}

Result<ArchitectureName> parse_architecture(std::string_view text) {
    constexpr std::array known = std::to_array<std::string_view>(
        {"any", "amd64", "arm64", "armel", "armhf", "i386", "loong64", "mips64el", "ppc64el", "riscv64", "s390x"});
    auto name = ArchitectureName::parse(text);
    if (!name || std::ranges::find(known, text) != known.end()) return name;
    return fail(Fault::usage, "'{}' is no architecture; the known ones are {}", text, fmt::join(known, ", "));
}

ArchitectureName native_architecture() {
#if defined(__x86_64__) && !defined(__ILP32__)
    constexpr std::string_view word = "amd64";
#elif defined(__aarch64__) && !defined(__ILP32__)
    constexpr std::string_view word = "arm64";
#elif defined(__arm__) && defined(__ARM_PCS_VFP)
    constexpr std::string_view word = "armhf";
#elif defined(__i386__)
    constexpr std::string_view word = "i386";
#elif defined(__riscv) && __riscv_xlen == 64
    constexpr std::string_view word = "riscv64";
#else
    constexpr std::string_view word = "any";
#endif
    auto name = ArchitectureName::parse(word);
    LULL_INVARIANT(name.has_value());
    return std::move(*name);
}

Result<PeerKey> PeerKey::parse(std::string_view hex) {
    std::array<std::byte, 32> bytes{};
    if (hex.size() != 2 * bytes.size()) {
        return fail(Fault::damaged, "a key is 64 hexadecimal digits, and this has {} characters", hex.size());
    }
    auto const decoded = from_hex(hex);
    if (!decoded) return pass(decoded.error());
    std::copy(decoded->begin(), decoded->end(), bytes.begin());
    return PeerKey(bytes);
}

std::string_view to_text(Role role) {
    switch (role) {
        case Role::node: return "node";
        case Role::publisher: return "publisher";
        case Role::operator_: return "operator";
    }
    return "unknown role";
}

}  // namespace lull
