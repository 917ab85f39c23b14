#include "store/pack_appender.hpp"

#include <unistd.h>

#include "schema/limits.hpp"
#include "store/pack_format.hpp"

namespace lull::store {

Status PackAppender::resume(std::uint32_t pack, std::uint64_t end) {
    number_ = pack;
    if (end >= options_.roll_at.count()) return {};
    auto file = open_file(path(), O_RDWR);
    if (!file) return pass(file.error());
    file_ = std::move(*file);
    end_ = end;
    return {};
}

Result<ObjectPlace> PackAppender::append(ObjectShape const& shape, View stored) {
    LULL_INVARIANT(stored.size() == shape.stored.count());
    LULL_INVARIANT(shape.stored <= limits::stored_object && shape.plain <= limits::stored_object);
    auto const record = object_header_size + stored.size();
    if (auto status = check_space(Bytes(record + PackHeader::size)); !status) return pass(status.error());
    if (file_.valid() && end_ > PackHeader::size && end_ + record > options_.roll_at.count()) finish_pack();
    if (!file_.valid()) {
        if (auto status = begin_pack(); !status) return pass(status.error());
    }
    unsynced_ = true;
    auto status = write_exactly(file_.get(), end_, encode_object_header(shape), path());
    if (status) status = write_exactly(file_.get(), end_ + object_header_size, stored, path());
    if (!status) {
        // A rest that cannot be cut off is overwritten by the next object, or cut off at the next start.
        (void)ftruncate(file_.get(), static_cast<off_t>(end_));
        return pass(status.error());
    }
    ObjectPlace const place{number_, Bytes(end_ + object_header_size), shape};
    end_ += record;
    return place;
}

void PackAppender::sync() {
    if (std::exchange(unsynced_, false)) sync_file_or_die(file_.get(), path());
}

fs::path PackAppender::path() const { return options_.directory / pack_name(number_); }

Status PackAppender::check_space(Bytes record) const {
    auto const free = free_space(options_.directory);
    if (!free) return pass(free.error());
    auto const needed = record + options_.reserve;
    if (free->bytes >= needed) return {};
    return fail(Fault::no_space,
                "the disk of {} is full: {} needed, of which {} stay in reserve, and {} free; make room there",
                options_.directory.string(), to_text(needed), to_text(options_.reserve), to_text(free->bytes));
}

void PackAppender::finish_pack() {
    sync();
    file_.reset();
}

Status PackAppender::begin_pack() {
    auto const next = path().replace_filename(pack_name(number_ + 1));
    auto file = open_file(next, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!file) return pass(file.error());
    if (auto status = write_exactly(file->get(), 0, encode(PackHeader{number_ + 1, store_}), next); !status) {
        (void)remove_tree(next);
        return status;
    }
    sync_directory_or_die(options_.directory);
    file_ = std::move(*file);
    ++number_;
    end_ = PackHeader::size;
    return {};
}

}  // namespace lull::store
