#include "subscriber/tree/tree_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace lull::subscriber {

namespace {

constexpr int most_links = 40;  // as the kernel has it

// Whether links of the tree lead from this path to an allowed one. What they pass through is real, or the kernel's way
// leads elsewhere: so each step begins at the resolved directory.
bool leads_to_allowed(fs::path const& tree, fs::path place, std::vector<std::string> const& allowed_links) {
    for (int links = 0; links < most_links; ++links) {
        std::error_code problem;
        auto const directory = fs::canonical(place.parent_path(), problem);
        if (problem) return false;
        bool const inside = directory == tree || directory.native().starts_with(tree.native() + "/");
        if (!inside) return false;
        auto const target = fs::read_symlink(directory / place.filename(), problem);
        if (problem) return false;
        if (target.is_absolute()) return std::ranges::find(allowed_links, target.native()) != allowed_links.end();
        place = directory / target;
    }
    return false;
}

}  // namespace

Result<fs::path> find_program(fs::path const& tree, fs::path const& relative,
                              std::vector<std::string> const& allowed_links) {
    auto const path = tree / relative;
    std::error_code problem;
    auto const real = fs::canonical(path, problem);
    auto const real_tree = problem ? fs::path() : fs::canonical(tree, problem);
    if (problem) return fail(Fault::not_found, "cannot run {}: {}", path.string(), problem.message());
    auto const directory = open_file(real_tree, O_PATH | O_DIRECTORY);
    if (!directory) return pass(directory.error());
    bool const allowed = !allowed_links.empty() && leads_to_allowed(real_tree, real_tree / relative, allowed_links);
    auto const file = allowed ? open_file(real, O_PATH)
                              : open_beneath(directory->get(), real.lexically_relative(real_tree), O_PATH);
    if (!file) return pass(file.error());
    struct stat status {};
    if (fstat(file->get(), &status) != 0) return fail_errno("run", path);
    if (!S_ISREG(status.st_mode)) return fail(Fault::refused, "cannot run {}: it is not a program", path.string());
    if (faccessat(AT_FDCWD, real.c_str(), X_OK, AT_EACCESS) != 0) return fail_errno("run", path);
    return path;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

}  // namespace lull::subscriber
