#include "store/packs.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>

#include "schema/limits.hpp"
#include "store/compression.hpp"
#include "store/durable_directory.hpp"
#include "store/pack_format.hpp"

namespace lull::store {

namespace {

constexpr char const* meta_table = "meta";
constexpr std::string_view identity_key = "packs";
constexpr std::size_t most_open_packs = 128;
constexpr Bytes largest_pack = GiB(2);  // offsets have 32 bits
constexpr char const* another_database = "it belongs to another database";
constexpr char const* what_to_do =
    "restore it from a backup, or move database and packs away together and publish anew";

tl::unexpected<Error> damaged(fs::path const& pack, std::string_view why) {
    return fail(Fault::damaged, "pack {} is damaged ({}): {}", pack.string(), why, what_to_do);
}

// ObjectPlace without the digest, in 16 bytes: there may be hundreds of thousands.
struct CompactPlace {
    explicit CompactPlace(ObjectPlace const& place)
        : pack(place.pack),
          offset(static_cast<std::uint32_t>(place.offset.count())),
          stored_and_codec(static_cast<std::uint32_t>(place.shape.stored.count() << 2) |
                           static_cast<std::uint32_t>(place.shape.codec)),
          plain(static_cast<std::uint32_t>(place.shape.plain.count())) {
        static_assert(limits::stored_object < GiB(1) && static_cast<int>(enum_last(ObjectCodec{})) < 4);
    }
    [[nodiscard]] ObjectPlace expand(Digest const& object) const {
        return {pack, Bytes(offset),
                ObjectShape{object, static_cast<ObjectCodec>(stored_and_codec & 3), Bytes(stored_and_codec >> 2),
                            Bytes(plain)}};
    }

    std::uint32_t pack;
    std::uint32_t offset;
    std::uint32_t stored_and_codec;
    std::uint32_t plain;
};

Result<PackHeader> read_header(int pack, fs::path const& path) {
    std::array<std::byte, PackHeader::size> bytes{};
    auto const status = read_exactly(pack, 0, bytes, path);
    if (!status && status.error().fault != Fault::damaged) return pass(status.error());
    auto const header = decode_pack_header(status ? View(bytes) : View());
    if (!header) return damaged(path, header.error().message);
    return header;
}

// The half that writes: the newest pack and where its next object goes.
class Appender {
public:
    Appender(Packs::Options options, std::uint64_t store) : options_(std::move(options)), store_(store) {}

    // Goes on in the pack of this number, which ends at `end`, or after it, if it is large enough.
    Status resume(std::uint32_t pack, std::uint64_t end) {
        number_ = pack;
        if (end >= options_.roll_at.count()) return {};
        auto file = open_file(path(), O_RDWR);
        if (!file) return pass(file.error());
        file_ = std::move(*file);
        end_ = end;
        return {};
    }

    Result<ObjectPlace> append(ObjectShape const& shape, View stored) {
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

    void sync() {
        if (std::exchange(unsynced_, false)) sync_file_or_die(file_.get(), path());
    }

private:
    [[nodiscard]] fs::path path() const { return options_.directory / pack_name(number_); }

    [[nodiscard]] Status check_space(Bytes record) const {
        auto const free = free_space(options_.directory);
        if (!free) return pass(free.error());
        auto const needed = record + options_.reserve;
        if (free->bytes >= needed) return {};
        return fail(Fault::no_space,
                    "the disk of {} is full: {} needed, of which {} stay in reserve, and {} free; make room there",
                    options_.directory.string(), to_text(needed), to_text(options_.reserve), to_text(free->bytes));
    }

    void finish_pack() {
        sync();
        file_.reset();
    }

    [[nodiscard]] Status begin_pack() {
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

    Packs::Options options_;
    std::uint64_t store_;
    std::uint32_t number_ = 0;  // of the newest pack
    std::uint64_t end_ = 0;     // where the next object goes
    bool unsynced_ = false;
    FileDescriptor file_;       // none: the next object begins a new pack
};

// The half that reads: where each object lies, and the packs that are open.
class Index {
public:
    Index(fs::path directory, std::uint64_t store) : directory_(std::move(directory)), store_(store) {}

    void insert(ObjectPlace const& place) {
        places_.insert_or_assign(place.shape.object, CompactPlace(place));
        newest_ = std::max(newest_, place.pack);
    }

    void erase(Digest const& object) { places_.erase(object); }

    [[nodiscard]] std::vector<ObjectPlace> where(std::function<bool(ObjectPlace const&)> const& condition) const {
        std::vector<ObjectPlace> found;
        for (auto const& [object, compact] : places_) {
            if (auto const place = compact.expand(object); condition(place)) found.push_back(place);
        }
        return found;
    }

    // The highest pack that an object was ever found in. The one that is appended to is this one or a later one.
    [[nodiscard]] std::uint32_t newest() const { return newest_; }

    void close(std::uint32_t pack) { open_.erase(pack); }

    [[nodiscard]] std::optional<ObjectPlace> find(Digest const& object) const {
        auto const found = places_.find(object);
        if (found == places_.end()) return std::nullopt;
        return found->second.expand(object);
    }

    // The last covered byte of each pack, plus one.
    [[nodiscard]] std::map<std::uint32_t, std::uint64_t> ends() const {
        std::map<std::uint32_t, std::uint64_t> ends;
        for (auto const& [object, compact] : places_) {
            auto const place = compact.expand(object);
            auto& end = ends[place.pack];
            end = std::max(end, (place.offset + place.shape.stored).count());
        }
        return ends;
    }

    [[nodiscard]] fs::path path_of(std::uint32_t pack) const { return directory_ / pack_name(pack); }

    [[nodiscard]] Result<PackFile> open_pack(std::uint32_t pack) {
        if (auto const known = open_.find(pack); known != open_.end()) return known->second;
        auto const path = path_of(pack);
        auto file = open_file(path, O_RDONLY);
        if (!file && file.error().fault == Fault::not_found) return damaged(path, "it is missing");
        if (!file) return pass(file.error());
        auto const header = read_header(file->get(), path);
        if (!header) return pass(header.error());
        if (header->store != store_) return damaged(path, another_database);
        if (header->number != pack) return damaged(path, fmt::format("it is number {} by its header", header->number));
        if (open_.size() >= most_open_packs) open_.clear();  // whoever reads from one keeps it open
        return open_.emplace(pack, std::make_shared<FileDescriptor const>(std::move(*file))).first->second;
    }

    // Deletes a pack that no index entry names: a crash left it, perhaps without its header.
    [[nodiscard]] Status remove_leftover(std::uint32_t pack) {
        auto const path = path_of(pack);
        auto const file = open_file(path, O_RDONLY);
        if (!file) return pass(file.error());
        auto const header = read_header(file->get(), path);
        if (header && header->store != store_) return damaged(path, another_database);
        return remove_tree(path);
    }

    [[nodiscard]] std::size_t count() const { return places_.size(); }

private:
    fs::path directory_;
    std::uint64_t store_;
    std::unordered_map<Digest, CompactPlace, DigestHash> places_;
    std::map<std::uint32_t, PackFile> open_;
    std::uint32_t newest_ = 0;
};

// The numbers of the packs in a directory.
Result<std::vector<std::uint32_t>> packs_in(fs::path const& directory) {
    std::vector<std::uint32_t> packs;
    std::error_code problem;
    for (fs::directory_iterator entry(directory, problem), end; !problem && entry != end; entry.increment(problem)) {
        if (auto const number = pack_number(entry->path().filename().string()); number != 0) packs.push_back(number);
    }
    if (problem) return fail(Fault::failed, "cannot list the packs in {}: {}", directory.string(), problem.message());
    std::ranges::sort(packs);
    return packs;
}

// The random number that ties packs to their database, so that packs of another one are never taken for leftovers and
// cut.
Result<std::uint64_t> identity(Environment& environment, fs::path const& directory, bool packs_exist) {
    auto const known = environment.get(meta_table, as_view(identity_key));
    if (!known) return pass(known.error());
    if (*known) return number_of(**known);
    if (packs_exist) {
        return fail(Fault::damaged,
                    "the packs in {} belong to a database that is not there any more: restore it from a backup, "
                    "or move the packs away and publish anew",
                    directory.string());
    }
    auto const fresh = random_u64();
    Change const change{meta_table, to_buffer(as_view(identity_key)), key_of(fresh)};
    if (auto status = environment.apply(Batch{change}); !status) return pass(status.error());
    return fresh;
}

Status load(Environment const& environment, Index& index) {
    Status outcome;
    auto const scanned = environment.scan(Packs::table, {}, [&](View key, View value) {
        auto const place = decode_place(key, value);
        if (!place) outcome = pass(place.error());
        if (place) index.insert(*place);
        return place.has_value();
    });
    return scanned ? outcome : scanned;
}

// Cuts what no index entry covers off a pack.
Status cut_tail(Index& index, std::uint32_t pack, std::uint64_t covered) {
    auto const path = index.path_of(pack);
    if (auto opened = index.open_pack(pack); !opened) return pass(opened.error());
    auto const file = open_file(path, O_RDWR);
    if (!file) return pass(file.error());
    struct stat status {};
    if (fstat(file->get(), &status) != 0) return fail_errno("measure", path);
    auto const size = static_cast<std::uint64_t>(status.st_size);
    if (size < covered) return damaged(path, fmt::format("it has {} bytes, and the index names {}", size, covered));
    if (size == covered) return {};
    if (ftruncate(file->get(), static_cast<off_t>(covered)) != 0) return fail_errno("cut", path);
    sync_file_or_die(file->get(), path);
    return {};
}

}  // namespace

struct Packs::State {
    State(Options const& options, std::uint64_t store) : appender(options, store), index(options.directory, store) {}
    Appender appender;  // append(), sync()
    Index index;        // everything else
};

Packs::Packs(std::unique_ptr<State> state) : state_(std::move(state)) {}
Packs::~Packs() = default;
Packs::Packs(Packs&&) noexcept = default;
Packs& Packs::operator=(Packs&&) noexcept = default;

Result<Packs> Packs::open(Options options, Environment& environment) {
    LULL_INVARIANT(options.roll_at <= largest_pack);
    if (auto status = make_durable_directory(options.directory); !status) return pass(status.error());
    auto const present = packs_in(options.directory);
    if (!present) return pass(present.error());
    auto const store = identity(environment, options.directory, !present->empty());
    if (!store) return pass(store.error());

    auto state = std::make_unique<State>(options, *store);
    if (auto status = load(environment, state->index); !status) return pass(status.error());
    auto const ends = state->index.ends();
    for (auto const& [pack, end] : ends) {
        if (!std::ranges::binary_search(*present, pack)) return damaged(state->index.path_of(pack), "it is missing");
    }
    for (auto const pack : *present) {
        auto const covered = ends.find(pack);
        auto const status = covered == ends.end() ? state->index.remove_leftover(pack)
                                                  : cut_tail(state->index, pack, covered->second);
        if (!status) return pass(status.error());
    }
    sync_directory_or_die(options.directory);
    if (!ends.empty()) {
        auto const [newest, end] = *ends.rbegin();
        if (auto status = state->appender.resume(newest, end); !status) return pass(status.error());
    }
    return Packs(std::move(state));
}

std::optional<ObjectPlace> Packs::find(Digest const& object) const { return state_->index.find(object); }

Result<ObjectPlace> Packs::append(ObjectShape const& shape, View stored) {
    return state_->appender.append(shape, stored);
}

void Packs::sync() { state_->appender.sync(); }

Change Packs::index_change(ObjectPlace const& place) {
    return {table, to_buffer(place.shape.object.view()), encode_place(place)};
}

void Packs::publish(ObjectPlace const& place) { state_->index.insert(place); }

Result<PackFile> Packs::open_pack(std::uint32_t pack) { return state_->index.open_pack(pack); }

Result<Buffer> Packs::read_plain(Digest const& object, Bytes most) {
    auto const place = find(object);
    if (!place) return fail(Fault::not_found, "object {} is not in the store", object.hex());
    auto const file = open_pack(place->pack);
    if (!file) return pass(file.error());
    auto const path = state_->index.path_of(place->pack);
    Buffer record(object_header_size + place->shape.stored.count());
    auto const begin = place->offset.count() - object_header_size;
    if (auto status = read_exactly((*file)->get(), begin, record, path); !status) return pass(status.error());
    auto const shape = decode_object_header(View(record).first(object_header_size));
    if (!shape) return damaged(path, shape.error().message);
    if (*shape != place->shape) return damaged(path, fmt::format("at byte {} lies another object", begin));
    auto plain = unpack_object(*shape, View(record).subspan(object_header_size), most);
    if (!plain && shape->plain <= most) return damaged(path, plain.error().message);
    return plain;
}

Change Packs::removal_change(Digest const& object) { return {table, to_buffer(object.view()), std::nullopt}; }

void Packs::forget(Digest const& object) { state_->index.erase(object); }

std::vector<ObjectPlace> Packs::objects_where(std::function<bool(ObjectPlace const&)> const& condition) const {
    return state_->index.where(condition);
}

Result<std::vector<Packs::FinishedPack>> Packs::finished() const {
    auto const& index = state_->index;
    auto const present = packs_in(index.path_of(0).parent_path());
    if (!present) return pass(present.error());
    std::vector<FinishedPack> found;
    for (auto const pack : *present) {
        if (pack >= index.newest()) break;
        std::error_code problem;
        auto const size = fs::file_size(index.path_of(pack), problem);
        auto const written = fs::last_write_time(index.path_of(pack), problem);
        if (problem) return fail(Fault::failed, "cannot look at {}: {}", index.path_of(pack).string(), problem.message());
        found.push_back({pack, Bytes(size), written});
    }
    return found;
}

Status Packs::remove_pack(std::uint32_t pack) {
    auto& index = state_->index;
    LULL_INVARIANT(pack < index.newest());
    LULL_INVARIANT(index.where([pack](ObjectPlace const& place) { return place.pack == pack; }).empty());
    index.close(pack);
    return remove_tree(index.path_of(pack));
}

std::size_t Packs::count() const { return state_->index.count(); }

}  // namespace lull::store
