#include "subscriber/tree_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace lull::subscriber {

Result<fs::path> find_program(fs::path const& tree, fs::path const& relative) {
    auto const path = tree / relative;
    std::error_code problem;
    auto const real = fs::canonical(path, problem);
    auto const real_tree = problem ? fs::path() : fs::canonical(tree, problem);
    if (problem) return fail(Fault::not_found, "cannot run {}: {}", path.string(), problem.message());
    auto const directory = open_file(real_tree, O_PATH | O_DIRECTORY);
    if (!directory) return pass(directory.error());
    auto const file = open_beneath(directory->get(), real.lexically_relative(real_tree), O_PATH);
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
