#include "publisher/tree/attributes.hpp"

#include <sys/xattr.h>

#include <array>
#include <cerrno>

#include "publisher/tree/problems.hpp"

namespace lull::publisher {

namespace {

constexpr std::size_t most_names = 64 * 1024;  // bytes, the kernel's own bound (XATTR_LIST_MAX)

bool is_label_of_system(std::string_view attribute) {
    return attribute == "security.selinux" || attribute == "security.apparmor" ||
           attribute.starts_with("security.SMACK64");
}

bool lists_none(int problem) { return problem == ENOTSUP || problem == ENOSYS || problem == ENODATA; }

// The names, each with a zero byte behind it.
Result<std::string> names_of(fs::path const& path) {
    std::array<char, 1024> few{};
    auto const size = llistxattr(path.c_str(), few.data(), few.size());
    if (size >= 0) return std::string(few.data(), static_cast<std::size_t>(size));
    if (lists_none(errno)) return std::string();
    if (errno != ERANGE) return fail_errno("read the extended attributes of", path);
    std::string many(most_names, '\0');
    auto const all = llistxattr(path.c_str(), many.data(), many.size());
    if (all < 0) return fail_errno("read the extended attributes of", path);
    many.resize(static_cast<std::size_t>(all));
    return many;
}

}  // namespace

std::string problem_of_attribute(std::string_view attribute, fs::path const& path) {
    auto const place = shell_quoted(path.string());
    if (attribute == "security.capability") {
        return fmt::format(
            "it has file capabilities, which a release does not carry; give them to the service that starts it "
            "(AmbientCapabilities= in its unit), and run: setcap -r {}",
            place);
    }
    if (attribute.starts_with("system.posix_acl_")) {
        return fmt::format("it has an ACL, which a release does not carry; run: setfacl -b {}", place);
    }
    bool const refused = attribute.starts_with("user.") ||
                         (attribute.starts_with("security.") && !is_label_of_system(attribute));
    if (!refused) return {};
    return fmt::format("it has the extended attribute {}, which a release does not carry; run: setfattr -x {} {}",
                       attribute, shell_quoted(std::string(attribute)), place);
}

Result<std::vector<std::string>> problems_of_attributes(fs::path const& path) {
    auto const names = names_of(path);
    if (!names) return pass(names.error());
    std::vector<std::string> problems;
    for (std::size_t begin = 0; begin < names->size();) {
        std::string_view const name(names->c_str() + begin);
        begin += name.size() + 1;
        if (auto problem = problem_of_attribute(name, path); !problem.empty()) problems.push_back(std::move(problem));
    }
    return problems;
}

}  // namespace lull::publisher
