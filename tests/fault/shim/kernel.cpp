#include "tests/fault/shim/kernel.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

namespace lull::fault {

std::string path_of(int file) {
    std::array<char, 4096> target{};
    auto const link = "/proc/self/fd/" + std::to_string(file);
    auto const length = kernel(SYS_readlink, as_word(link.c_str()), as_word(target.data()), as_word(target.size()));
    return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

std::string path_of(int directory, char const* name) {
    if (name == nullptr) return path_of(directory);
    if (name[0] == '/' || directory == AT_FDCWD) return name;
    return path_of(directory) + "/" + name;
}

bool is_file(int file) {
    struct stat status {};
    return kernel(SYS_fstat, file, as_word(&status)) == 0 && S_ISREG(status.st_mode);
}

}  // namespace lull::fault
