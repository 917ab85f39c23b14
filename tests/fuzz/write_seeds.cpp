#include <cstdio>

#include "core/files.hpp"
#include "tests/fuzz/targets.hpp"

// write_seeds DIRECTORY: writes the seeds of each target to DIRECTORY/TARGET.
int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: write_seeds DIRECTORY\n", stderr);
        return 2;
    }
    for (auto const& target : lull::fuzz::targets()) {
        auto const directory = lull::fs::path(argv[1]) / target.name;
        auto status = lull::make_directories(directory);
        std::size_t number = 0;
        for (auto const& seed : target.seeds()) {
            if (status) status = lull::write_file_durably(directory / fmt::format("seed-{}", number++), seed, 0644);
        }
        if (!status) {
            std::fprintf(stderr, "%s\n", status.error().message.c_str());
            return 1;
        }
    }
    return 0;
}
