#include "publisher/tree/problems.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace lull::publisher {

namespace {

constexpr std::size_t most_shown = 400;  // of a path that may hold anything

// Quoted only if it would disturb a terminal.
std::string shown(std::string const& path) {
    return is_utf8(path) && !has_controls(path) && path.size() <= most_shown ? path : lull::quoted(path, most_shown);
}

}  // namespace

void Problems::add(fs::path const& path, std::string what) {
    ++count_;
    if (listed_.size() < most_listed) listed_.push_back({path.string(), std::move(what)});
}

Status Problems::outcome(fs::path const& tree) const {
    if (count_ == 0) return {};
    if (count_ == 1)
        return fail(Fault::refused, "cannot publish {}: {}", shown(listed_.front().path), listed_.front().what);
    auto text = fmt::format(
        "cannot publish {}: a release cannot hold {} things of it as they are:", shown(tree.string()), count_);
    auto sorted = listed_;
    std::ranges::stable_sort(sorted, {}, &Problem::path);
    for (auto const& problem : sorted) text += fmt::format("\n  {}: {}", shown(problem.path), problem.what);
    if (count_ > listed_.size()) text += fmt::format("\n  and {} more", count_ - listed_.size());
    return fail(Fault::refused, "{}", text);
}

std::string shell_quoted(std::string const& text) {
    bool const plain = is_utf8(text) && !has_controls(text);
    std::string quoted = plain ? "'" : "$'";
    for (char const c : text) {
        bool const printable = c >= ' ' && c <= '~';
        if (plain) {
            quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
        } else if (printable && c != '\'' && c != '\\') {
            quoted += c;
        } else {
            quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return quoted + "'";
}

}  // namespace lull::publisher
