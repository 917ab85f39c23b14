#include "subscriber/daemon/machine_identity.hpp"

#include "core/crypto.hpp"

namespace lull::subscriber {

namespace {

constexpr std::string_view application = "lull machine 1 2f9be54b6c9e4b5b9f0f5f7d6f1f4a41";
constexpr std::size_t digits = 32;

std::string line_of(fs::path const& path) {
    auto const bytes = read_file(path, KiB(1));
    if (!bytes) return {};
    auto text = std::string(as_text(*bytes));
    std::erase(text, '\n');
    return text;
}

}  // namespace

std::string boot_id() {
    auto text = line_of("/proc/sys/kernel/random/boot_id");
    return text.empty() ? "unknown" : text;
}

std::string machine_of(fs::path const& root) {
    std::error_code unresolved;
    auto place = fs::canonical(root, unresolved);
    if (unresolved) place = root;
    auto const text = fmt::format("{}\n{}\n{}", application, line_of("/etc/machine-id"), place.string());
    return sha256(as_view(text)).hex().substr(0, digits);
}

}  // namespace lull::subscriber
