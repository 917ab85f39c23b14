#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/files.hpp"

namespace lull::store {

class OpenPacks;

// A pack to read from. Its file stays readable as long as a handle to it lives, also when the pack is removed
// meanwhile. Any thread may use it. The file is opened by the first read, and again when its descriptor was closed for
// others.
class Pack {
public:
    Pack(std::shared_ptr<OpenPacks> open, std::uint32_t number) : open_(std::move(open)), number_(number) {}
    // Deletes the file of a pack that was removed.
    ~Pack();
    Pack(Pack const&) = delete;
    Pack& operator=(Pack const&) = delete;

    [[nodiscard]] std::uint32_t number() const { return number_; }

    // Reads until `into` is full. Fault::damaged if the file is missing, too short, or another pack.
    [[nodiscard]] Status read(Bytes offset, std::span<std::byte> into) const;

    // Hints for the kernel's cache (posix_fadvise(2)): these bytes will be read soon; or have to come from the disk.
    void expect(Bytes offset, Bytes length) const;
    void drop_cached(Bytes offset, Bytes length) const;

private:
    friend class PackFiles;
    void advise(Bytes offset, Bytes length, int advice) const;

    std::shared_ptr<OpenPacks> open_;
    std::uint32_t number_;
    std::atomic<bool> removed_ = false;
};

// shared_ptr because reads run on workers while the owner may remove the pack.
using PackFile = std::shared_ptr<Pack const>;

// The packs of one directory as files to read from. However many packs there are, at most `most_open` of them are open,
// beside those from which a read is under way; the one that was not read for the longest time is closed first.
class PackFiles {
public:
    // `store` is the identity that the header of each pack has to repeat.
    PackFiles(fs::path directory, std::uint64_t store, std::size_t most_open);

    // A handle; touches no file.
    [[nodiscard]] PackFile get(std::uint32_t number);

    // The file of the pack is deleted when its last handle is gone, of which this is one. A file that cannot be deleted
    // is deleted at the next start. Nothing may ask for the pack afterwards.
    [[nodiscard]] PackFile remove(std::uint32_t number);

    [[nodiscard]] fs::path path_of(std::uint32_t number) const;
    [[nodiscard]] fs::path const& directory() const;
    // Descriptors that are open for reads to come.
    [[nodiscard]] std::size_t open_now() const;

private:
    std::shared_ptr<OpenPacks> open_;
    std::unordered_map<std::uint32_t, std::weak_ptr<Pack>> packs_;  // those that have handles, and some that had
    std::size_t prune_at_ = 64;
};

}  // namespace lull::store
