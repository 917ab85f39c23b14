#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "core/crypto.hpp"
#include "core/files.hpp"

namespace lull::subscriber {

// Stored bytes of objects that are being fetched or have come, one file a digest (hexadecimal, 0600). For one
// thread at a time. Only what was synced counts after a crash; the journal knows how far that is, the size of a
// file does not.
class ObjectFiles {
public:
    // `directory` exists and belongs to us (Layout::incoming()).
    explicit ObjectFiles(fs::path directory) : directory_(std::move(directory)) {}

    // Writes stored bytes at `offset`, making the file if there is none. Fault::usage beyond limits::stored_object.
    [[nodiscard]] Status write(Digest const& object, Bytes offset, View bytes);
    // Makes everything written to this object durable, its name included.
    [[nodiscard]] Status sync(Digest const& object);
    // Deletes the file; fine if there is none.
    [[nodiscard]] Status remove(Digest const& object);

    // Size of the file; zero if there is none.
    [[nodiscard]] Result<Bytes> size(Digest const& object) const;
    // All objects of which there is a file, sorted; other names in the directory are passed over.
    [[nodiscard]] Result<std::vector<Digest>> list() const;
    // SHA-256 of the whole file, read in small pieces.
    [[nodiscard]] Result<Digest> hash(Digest const& object);
    // The whole file; Fault::not_found, or Fault::damaged if it is larger than `most`.
    [[nodiscard]] Result<Buffer> read(Digest const& object, Bytes most) const;

private:
    struct OpenFile {
        Digest object;
        FileDescriptor file;
    };
    [[nodiscard]] fs::path path_of(Digest const& object) const { return directory_ / object.hex(); }
    [[nodiscard]] Result<int> open(Digest const& object);

    fs::path directory_;
    std::list<OpenFile> open_;  // the most recently used first
    // A file was made since the directory was synced; at first by an earlier process, for all we know.
    bool new_names_ = true;
};

}  // namespace lull::subscriber
