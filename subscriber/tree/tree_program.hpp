#pragma once

#include <string>
#include <vector>

#include "core/files.hpp"

namespace lull::subscriber {

// Where a program of a tree lies, if it is a regular file in there that we may execute. Links of the release are
// followed, but what they lead to has to be in the same tree, unless the last of them points to one of `allowed_links`
// (Manifest::allowed_links). The path keeps the name that was asked for.
[[nodiscard]] Result<fs::path> find_program(fs::path const& tree, fs::path const& relative,
                                            std::vector<std::string> const& allowed_links = {});

// The form that execve(2) takes; valid as long as the strings are.
[[nodiscard]] std::vector<char*> pointers_to(std::vector<std::string>& texts);

}  // namespace lull::subscriber
