#pragma once

#include <sys/stat.h>

#include <chrono>
#include <string>
#include <string_view>

#include "core/files.hpp"
#include "tests/support/temporary_directory.hpp"

// Trees to publish, for tests.

namespace lull::test {

// Writes a file, with its directories. Its times lie in the past, so that a stat cache believes them.
inline void put_file(fs::path const& path, std::string_view contents, mode_t mode = 0644, int age = 3600) {
    fs::create_directories(path.parent_path());
    auto const file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!file || !write_exactly(file->get(), 0, as_view(contents), path)) std::abort();
    if (fchmod(file->get(), mode) != 0) std::abort();
    timespec times[2] = {};
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age;
    times[1] = times[0];
    if (futimens(file->get(), times) != 0) std::abort();
}

// Bytes that do not compress and differ by seed.
inline std::string noise(std::size_t size, std::uint64_t seed) {
    std::string bytes(size, '\0');
    std::uint64_t state = seed * 2654435769u + 1;
    for (auto& byte : bytes) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<char>(state >> 56);
    }
    return bytes;
}

}  // namespace lull::test
