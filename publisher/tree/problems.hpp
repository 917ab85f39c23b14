#pragma once

#include <string>
#include <vector>

#include "core/files.hpp"

namespace lull::publisher {

// What a release cannot hold of a tree: collected, so that one message names all of it.
class Problems {
public:
    static constexpr std::size_t most_listed = 50;

    // `what`: the reason and what to do, to stand behind the path.
    void add(fs::path const& path, std::string what);

    // Fault::refused with every problem (the first most_listed of them), if there is any. `tree` names all of it.
    [[nodiscard]] Status outcome(fs::path const& tree) const;

private:
    struct Problem {
        std::string path;
        std::string what;
    };
    std::vector<Problem> listed_;
    std::size_t count_ = 0;
};

// 'text' for a shell (bash where it holds control characters or is no UTF-8), in quotes; safe to be printed.
[[nodiscard]] std::string shell_quoted(std::string const& text);

}  // namespace lull::publisher
