#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto.hpp"
#include "publisher/source.hpp"

namespace lull::publisher {

// What reading a file's contents tells.
struct FileFacts {
    Digest digest;
    std::string machine;  // architecture (Debian's word) that an ELF file is for; empty for anything else
    static void describe(auto& self, auto& visit) {
        visit("d", self.digest);
        visit("m", self.machine);
    }
    bool operator==(FileFacts const&) const = default;
};

// A file to be read, and what it was when the tree was scanned.
struct FileToRead {
    fs::path path;
    FileStamp stamp;
};

// Called now and then, on the calling thread, while files are read.
using ReadingProgress = std::function<void(Bytes done, Bytes total)>;

// The architecture that an ELF file's first bytes name; nothing if it is no ELF file or for a machine that Debian has
// no word for.
[[nodiscard]] std::optional<std::string> elf_architecture(View head);

// Reads a whole file. Fault::failed if it is not what was scanned, before or after.
[[nodiscard]] Result<FileFacts> read_facts(FileToRead const& file);

// Reads many files on two threads; facts in the order of the files, or the first error.
[[nodiscard]] Result<std::vector<FileFacts>> read_all_facts(std::vector<FileToRead> const& files,
                                                            ReadingProgress const& progress);

}  // namespace lull::publisher
