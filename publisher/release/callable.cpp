#include "publisher/release/callable.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace lull::publisher {

namespace {

// Empty if the program can be called.
std::string_view problem_of(Manifest const& manifest, std::string const& program) {
    auto const entry = std::ranges::find(manifest.entries, program, &Entry::path);
    if (entry == manifest.entries.end()) return "the release has no such file";
    switch (entry->type) {
        case EntryType::directory: return "it is a directory";
        case EntryType::symlink: return "it is a symlink; name the file that it points to";
        case EntryType::file: break;
    }
    return entry->executable ? "" : "it is not executable; make it so with: chmod +x";
}

}  // namespace

Status check_callable(Manifest const& manifest, std::vector<std::string> const& programs) {
    std::string problems;
    for (auto const& program : programs) {
        if (auto const problem = problem_of(manifest, program); !problem.empty())
            problems += fmt::format("{}--callable {}: {}", problems.empty() ? "" : "\n", lull::quoted(program),
                                    problem);
    }
    return problems.empty() ? Status() : fail(Fault::usage, "{}", problems);
}

}  // namespace lull::publisher
