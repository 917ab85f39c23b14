#include "store/pack_index.hpp"

#include <algorithm>

#include "schema/limits.hpp"

namespace lull::store {

PackIndex::CompactPlace::CompactPlace(ObjectPlace const& place)
    : pack(place.pack),
      offset(static_cast<std::uint32_t>(place.offset.count())),
      stored_and_codec(static_cast<std::uint32_t>(place.shape.stored.count() << 2) |
                       static_cast<std::uint32_t>(place.shape.codec)),
      plain(static_cast<std::uint32_t>(place.shape.plain.count())) {
    static_assert(limits::stored_object < GiB(1) && static_cast<int>(enum_last(ObjectCodec{})) < 4);
}

ObjectPlace PackIndex::CompactPlace::expand(Digest const& object) const {
    return {pack, Bytes(offset),
            ObjectShape{object, static_cast<ObjectCodec>(stored_and_codec & 3), Bytes(stored_and_codec >> 2),
                        Bytes(plain)}};
}

void PackIndex::Contents::add(std::uint32_t offset, Digest const* object) {
    sorted_ = sorted_ && (entries_.empty() || entries_.back().offset < offset);
    entries_.push_back({offset, object});
}

std::vector<PackIndex::Contents::Entry> const& PackIndex::Contents::entries() const {
    if (!std::exchange(sorted_, true)) std::ranges::sort(entries_, {}, &Entry::offset);
    return entries_;
}

std::vector<PackIndex::Contents::Entry>::const_iterator PackIndex::Contents::from(std::uint32_t offset) const {
    return std::ranges::lower_bound(entries(), offset, {}, &Entry::offset);
}

// Of a damaged index several objects may have one offset.
void PackIndex::Contents::remove(std::uint32_t offset, Digest const* object) {
    auto const place = std::find(from(offset), entries_.cend(), Entry{offset, object});
    LULL_INVARIANT(place != entries_.cend());
    entries_[static_cast<std::size_t>(place - entries_.begin())].object = nullptr;
    ++holes_;
    for (; !entries_.empty() && entries_.back().object == nullptr; --holes_) entries_.pop_back();
    if (holes_ * 2 <= entries_.size()) return;
    std::erase_if(entries_, [](Entry const& entry) { return entry.object == nullptr; });
    holes_ = 0;
}

void PackIndex::insert(ObjectPlace const& place) {
    CompactPlace const compact(place);
    auto const [known, fresh] = places_.try_emplace(place.shape.object, compact);
    if (!fresh) leave(known->first, std::exchange(known->second, compact));
    contents_[place.pack].add(compact.offset, &known->first);
    auto& use = uses_[place.pack];
    ++use.objects;
    use.used += place.shape.stored;
    use.end = std::max(use.end, place.offset + place.shape.stored);
    newest_ = std::max(newest_, place.pack);
}

void PackIndex::erase(Digest const& object) {
    auto const known = places_.find(object);
    if (known == places_.end()) return;
    leave(known->first, known->second);
    places_.erase(known);
}

// The object does not lie there any more.
void PackIndex::leave(Digest const& object, CompactPlace const& place) {
    auto& contents = contents_.at(place.pack);
    contents.remove(place.offset, &object);
    auto& use = uses_.at(place.pack);
    if (--use.objects == 0) {
        contents_.erase(place.pack);
        uses_.erase(place.pack);
        return;
    }
    use.used -= place.expand(object).shape.stored;
    auto const& last = *contents.entries().back().object;
    auto const end = places_.at(last).expand(last);
    use.end = end.offset + end.shape.stored;
}

std::optional<ObjectPlace> PackIndex::find(Digest const& object) const {
    auto const found = places_.find(object);
    if (found == places_.end()) return std::nullopt;
    return found->second.expand(object);
}

std::vector<ObjectPlace> PackIndex::objects_in(std::uint32_t pack, Bytes from) const {
    std::vector<ObjectPlace> objects;
    auto const contents = contents_.find(pack);
    if (contents == contents_.end()) return objects;
    auto entry = contents->second.from(static_cast<std::uint32_t>(std::min(from, Bytes(UINT32_MAX)).count()));
    for (; entry != contents->second.entries().end(); ++entry) {
        if (entry->object != nullptr) objects.push_back(places_.at(*entry->object).expand(*entry->object));
    }
    return objects;
}

}  // namespace lull::store
