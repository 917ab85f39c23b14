#include "store/durable_directory.hpp"

#include <vector>

namespace lull::store {

Status make_durable_directory(fs::path const& directory) {
    std::error_code ignored;
    std::vector<fs::path> missing;
    for (auto path = fs::absolute(directory); !fs::exists(path, ignored) && path != path.parent_path();
         path = path.parent_path()) {
        missing.push_back(path);
    }
    if (auto status = make_directories(directory, 0700); !status) return status;
    for (auto const& made : missing) sync_directory_or_die(made.parent_path());
    return {};
}

}  // namespace lull::store
