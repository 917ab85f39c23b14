#pragma once

#include <cstdint>

#include "core/files.hpp"

namespace lull::subscriber {

// Brings what was written below one directory to the disk: large pieces while more is being written, so that little is
// left for the end, and everything else by one syncfs(2). An fsync(2) of each of 10,000 small files takes 35 s where
// syncfs takes 0.2 s (bench/results/small-files.md).
class Writeback {
public:
    // `directory` is open, was opened before anything was written below it (syncfs reports errors that came after
    // that), and outlives this object; `path` names it in errors.
    Writeback(int directory, fs::path path) : directory_(directory), path_(std::move(path)) {}

    // These bytes of a file were written. Waits until those of the large piece before are on the disk; so at most a few
    // large pieces, and a bounded number of small ones, are in memory only.
    [[nodiscard]] Status wrote(int file, Bytes offset, Bytes length);
    // Makes all of it durable, names included. After an error nobody knows which of the pages are on the disk: delete
    // what was written, and write it again.
    [[nodiscard]] Status sync_all();

private:
    struct Piece {
        FileDescriptor file;
        Bytes offset{};
        Bytes length{};
    };
    [[nodiscard]] Status run(int file, Bytes offset, Bytes length, unsigned flags) const;

    int directory_;
    fs::path path_;
    Piece large_;    // the last one, on its way to the disk
    Bytes small_{};  // written in small pieces since the last syncfs
};

// Whether syncfs(2) of this kernel reports that pages could not be written: since Linux 5.8.
[[nodiscard]] bool syncfs_reports_errors();

}  // namespace lull::subscriber
