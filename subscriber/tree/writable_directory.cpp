#include "subscriber/tree/writable_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace lull::subscriber {

namespace {

constexpr mode_t all_bits = 07777;

}  // namespace

WritableDirectory::WritableDirectory(int directory) : directory_(directory) {
    struct stat status {};
    if (geteuid() == 0 || fstat(directory, &status) != 0 || (status.st_mode & S_IRWXU) == S_IRWXU) return;
    // A failure shows in what is to be done there.
    if (fchmod(directory, (status.st_mode & all_bits) | S_IRWXU) == 0) before_ = status.st_mode & all_bits;
}

WritableDirectory::~WritableDirectory() {
    if (before_ != 0) static_cast<void>(fchmod(directory_, before_));
}

}  // namespace lull::subscriber
