#include "store/pack_files.hpp"

#include <fcntl.h>

#include <algorithm>

#include "store/pack_format.hpp"

namespace lull::store {

namespace {

using Descriptor = std::shared_ptr<FileDescriptor const>;

}  // namespace

// The open descriptors, the one that was used last first.
class OpenPacks {
public:
    OpenPacks(fs::path directory, std::uint64_t store, std::size_t most)
        : directory_(std::move(directory)),
          store_(store),
          most_(most) {
        LULL_INVARIANT(most > 0);
    }

    [[nodiscard]] fs::path const& directory() const { return directory_; }
    [[nodiscard]] fs::path path_of(std::uint32_t pack) const { return directory_ / pack_name(pack); }

    [[nodiscard]] Result<Descriptor> open(std::uint32_t pack) {
        if (auto known = find(pack)) return known;
        auto file = open_and_check(pack);
        if (!file) return pass(file.error());
        auto opened = std::make_shared<FileDescriptor const>(std::move(*file));
        keep(pack, opened);
        return opened;
    }

    void close(std::uint32_t pack) {
        std::lock_guard const lock(mutex_);
        auto const place = places_.find(pack);
        if (place == places_.end()) return;
        recent_.erase(place->second);
        places_.erase(place);
    }

    [[nodiscard]] std::size_t count() const {
        std::lock_guard const lock(mutex_);
        return recent_.size();
    }

private:
    struct Open {
        std::uint32_t pack;
        Descriptor file;
    };

    Descriptor find(std::uint32_t pack) {
        std::lock_guard const lock(mutex_);
        auto const place = places_.find(pack);
        if (place == places_.end()) return nullptr;
        recent_.splice(recent_.begin(), recent_, place->second);
        return recent_.front().file;
    }

    // Of two threads that opened the same pack the second one's descriptor closes with its read.
    void keep(std::uint32_t pack, Descriptor file) {
        std::lock_guard const lock(mutex_);
        if (places_.contains(pack)) return;
        if (recent_.size() == most_) {
            places_.erase(recent_.back().pack);
            recent_.pop_back();
        }
        recent_.push_front({pack, std::move(file)});
        places_.emplace(pack, recent_.begin());
    }

    [[nodiscard]] Result<FileDescriptor> open_and_check(std::uint32_t pack) const {
        auto const path = path_of(pack);
        auto file = open_file(path, O_RDONLY);
        if (!file && file.error().fault == Fault::not_found) return damaged_pack(path, "it is missing");
        if (!file) return file;
        auto const header = read_pack_header(file->get(), path);
        if (!header) return pass(header.error());
        if (header->store != store_) return damaged_pack(path, "it belongs to another database");
        if (header->number != pack)
            return damaged_pack(path, fmt::format("it is number {} by its header", header->number));
        return file;
    }

    fs::path directory_;
    std::uint64_t store_;
    std::size_t most_;
    mutable std::mutex mutex_;
    std::list<Open> recent_;                                               // guarded by mutex_
    std::unordered_map<std::uint32_t, std::list<Open>::iterator> places_;  // guarded by mutex_
};

Pack::~Pack() {
    if (!removed_) return;
    open_->close(number_);
    (void)remove_tree(open_->path_of(number_));
}

Status Pack::read(Bytes offset, std::span<std::byte> into) const {
    auto const file = open_->open(number_);
    if (!file) return pass(file.error());
    return read_exactly((*file)->get(), offset.count(), into, open_->path_of(number_));
}

void Pack::advise(Bytes offset, Bytes length, int advice) const {
    auto const file = open_->open(number_);
    if (!file) return;
    (void)posix_fadvise((*file)->get(), static_cast<off_t>(offset.count()), static_cast<off_t>(length.count()), advice);
}

void Pack::expect(Bytes offset, Bytes length) const { advise(offset, length, POSIX_FADV_WILLNEED); }
void Pack::drop_cached(Bytes offset, Bytes length) const { advise(offset, length, POSIX_FADV_DONTNEED); }

PackFiles::PackFiles(fs::path directory, std::uint64_t store, std::size_t most_open)
    : open_(std::make_shared<OpenPacks>(std::move(directory), store, most_open)) {}

PackFile PackFiles::get(std::uint32_t number) {
    auto& known = packs_[number];
    if (auto pack = known.lock()) return pack;
    auto pack = std::make_shared<Pack>(open_, number);
    known = pack;
    if (packs_.size() >= prune_at_) {
        std::erase_if(packs_, [](auto const& entry) { return entry.second.expired(); });
        prune_at_ = std::max<std::size_t>(64, packs_.size() * 2);
    }
    return pack;
}

PackFile PackFiles::remove(std::uint32_t number) {
    auto pack = get(number);
    packs_.at(number).lock()->removed_ = true;
    packs_.erase(number);
    return pack;
}

fs::path PackFiles::path_of(std::uint32_t number) const { return open_->path_of(number); }
fs::path const& PackFiles::directory() const { return open_->directory(); }
std::size_t PackFiles::open_now() const { return open_->count(); }

}  // namespace lull::store
