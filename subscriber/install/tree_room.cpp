#include "subscriber/install/tree_room.hpp"

#include "subscriber/tree/sparse_write.hpp"

namespace lull::subscriber {

namespace {

constexpr std::uint64_t allocation_unit = 4096;
constexpr std::uint64_t inodes_around = 4;  // staging directory, manifest, lock file, a temporary file

}  // namespace

Bytes room_of_file(Bytes size) {
    return Bytes((size.count() + allocation_unit - 1) / allocation_unit * allocation_unit);
}

Room room_of_tree(Manifest const& manifest, Bytes envelope) {
    Room room{room_of_file(envelope), manifest.entries.size() + inodes_around};
    for (auto const& entry : manifest.entries)
        room.bytes += entry.type == EntryType::file ? room_of_file(bytes_on_disk(entry)) : Bytes(allocation_unit);
    return room;
}

}  // namespace lull::subscriber
