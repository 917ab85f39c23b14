#pragma once

#include "store/packs.hpp"

namespace lull::store {

// The half of Packs that writes: the newest pack, and where its next object goes. One thread at a time.
class PackAppender {
public:
    PackAppender(Packs::Options options, std::uint64_t store) : options_(std::move(options)), store_(store) {}

    // Goes on in the pack of this number, which ends at `end`, or after it, if it is large enough.
    [[nodiscard]] Status resume(std::uint32_t pack, std::uint64_t end);
    // As Packs::append() and Packs::sync() say.
    [[nodiscard]] Result<ObjectPlace> append(ObjectShape const& shape, View stored);
    void sync();

private:
    [[nodiscard]] fs::path path() const;
    [[nodiscard]] Status check_space(Bytes record) const;
    void finish_pack();
    [[nodiscard]] Status begin_pack();

    Packs::Options options_;
    std::uint64_t store_;
    std::uint32_t number_ = 0;  // of the newest pack
    std::uint64_t end_ = 0;     // where the next object goes
    bool unsynced_ = false;
    FileDescriptor file_;  // none: the next object begins a new pack
};

}  // namespace lull::store
