#include "publisher/tree/publisher_files.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace lull::publisher {

Result<std::optional<std::string>> read_publisher_file(fs::path const& path, Bytes limit) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
        return fail_errno("read", path);
    }
    auto const irregular = [&] {
        return fail(Fault::usage, "{} is no regular file; replace it by one", path.string());
    };
    if (!S_ISREG(status.st_mode)) return irregular();
    auto const file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return pass(file.error());
    if (fstat(file->get(), &status) != 0) return fail_errno("read", path);
    if (!S_ISREG(status.st_mode)) return irregular();
    if (status.st_size > static_cast<off_t>(limit.count()))
        return fail(Fault::usage, "{} is larger than {}", path.string(), to_text(limit));
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    if (auto read = read_exactly(file->get(), 0, std::as_writable_bytes(std::span(text)), path); !read)
        return pass(std::move(read.error()));
    return std::optional(std::move(text));
}

}  // namespace lull::publisher
