#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/crypto.hpp"
#include "publisher/tree/source.hpp"

namespace lull::publisher {

// Results of reading a file.
struct FileFacts {
    Digest digest;
    std::string machine;          // architecture (Debian's word) that an ELF file is for; empty for anything else
    std::optional<Bytes> data{};  // of a file with holes: of its blocks of sparse_block, those that are not all zero
    static void describe(auto& self, auto& visit) {
        visit("d", self.digest);
        visit("m", self.machine);
        visit("h", self.data);
    }
    bool operator==(FileFacts const&) const = default;
};

// A file to be read, and what it was when the tree was scanned.
struct FileToRead {
    fs::path path;
    FileStamp stamp;
    bool sparse = false;  // count its blocks
};

// Called repeatedly, on the calling thread, while files are read; its stop token ends the reading with
// Fault::cancelled.
class ReadingProgress {
public:
    using Show = std::function<void(Bytes done, Bytes total)>;
    template <class F>
    requires std::constructible_from<Show, F> ReadingProgress(
        F show, std::stop_token stop = {})  // NOLINT(google-explicit-constructor)
        : show_(std::move(show)),
          stop_(std::move(stop)) {}

    void operator()(Bytes done, Bytes total) const {
        if (show_) show_(done, total);
    }
    [[nodiscard]] std::stop_token const& stop() const { return stop_; }

private:
    Show show_;
    std::stop_token stop_;
};

// The architecture that an ELF file's first bytes name; nothing for other files and for machines without a name in
// Debian.
[[nodiscard]] std::optional<std::string> elf_architecture(View head);

// Reads a whole file. Fault::failed if its stamp differs from the scan, before or after.
[[nodiscard]] Result<FileFacts> read_facts(FileToRead const& file);

// Reads many files on two threads; facts in the order of the files, or the first error.
[[nodiscard]] Result<std::vector<FileFacts>> read_all_facts(std::vector<FileToRead> const& files,
                                                            ReadingProgress const& progress);

}  // namespace lull::publisher
