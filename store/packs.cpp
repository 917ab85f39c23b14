#include "store/packs.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "store/compression.hpp"
#include "store/durable_directory.hpp"
#include "store/pack_appender.hpp"
#include "store/pack_format.hpp"

namespace lull::store {

namespace {

constexpr char const* meta_table = "meta";
constexpr std::string_view identity_key = "packs";
constexpr Bytes largest_pack = GiB(2);  // offsets have 32 bits

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

Status load(Environment const& environment, PackIndex& index) {
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
Status cut_tail(PackFiles& files, std::uint32_t pack, std::uint64_t covered) {
    auto const path = files.path_of(pack);
    if (auto checked = files.get(pack)->read({}, {}); !checked) return checked;
    auto const file = open_file(path, O_RDWR);
    if (!file) return pass(file.error());
    struct stat status {};
    if (fstat(file->get(), &status) != 0) return fail_errno("measure", path);
    auto const size = static_cast<std::uint64_t>(status.st_size);
    if (size < covered)
        return damaged_pack(path, fmt::format("it has {} bytes, and the index names {}", size, covered));
    if (size == covered) return {};
    if (ftruncate(file->get(), static_cast<off_t>(covered)) != 0) return fail_errno("cut", path);
    sync_file_or_die(file->get(), path);
    return {};
}

// Deletes a pack that no index entry names: a crash left it, perhaps without its header.
Status remove_leftover(fs::path const& path, std::uint64_t store) {
    auto const file = open_file(path, O_RDONLY);
    if (!file) return pass(file.error());
    auto const header = read_pack_header(file->get(), path);
    if (header && header->store != store) return damaged_pack(path, "it belongs to another database");
    return remove_tree(path);
}

}  // namespace

struct Packs::State {
    State(Options const& options, std::uint64_t store)
        : appender(options, store),
          files(options.directory, store, options.most_open) {}
    PackAppender appender;  // append(), sync()
    PackIndex index;        // everything else
    PackFiles files;
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
    auto const& known = state->index.packs();
    for (auto const& [pack, use] : known) {
        if (!std::ranges::binary_search(*present, pack)) {
            return damaged_pack(state->files.path_of(pack), "it is missing");
        }
    }
    for (auto const pack : *present) {
        auto const use = known.find(pack);
        auto const status = use == known.end() ? remove_leftover(state->files.path_of(pack), *store)
                                               : cut_tail(state->files, pack, use->second.end.count());
        if (!status) return pass(status.error());
    }
    sync_directory_or_die(options.directory);
    if (!known.empty()) {
        auto const& [newest, use] = *known.rbegin();
        if (auto status = state->appender.resume(newest, use.end.count()); !status) return pass(status.error());
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

PackFile Packs::pack(std::uint32_t number) { return state_->files.get(number); }

Result<Buffer> Packs::read_plain(Digest const& object, Bytes most) {
    auto const place = find(object);
    if (!place) return fail(Fault::not_found, "object {} is not here", object.hex());
    auto const path = state_->files.path_of(place->pack);
    Buffer record(object_header_size + place->shape.stored.count());
    auto const begin = place->offset - Bytes(object_header_size);
    if (auto status = pack(place->pack)->read(begin, record); !status) return pass(status.error());
    auto const shape = decode_object_header(View(record).first(object_header_size));
    if (!shape) return damaged_pack(path, shape.error().message);
    if (*shape != place->shape) return damaged_pack(path, fmt::format("at byte {} lies another object", begin.count()));
    auto plain = unpack_object(*shape, View(record).subspan(object_header_size), most);
    if (!plain && shape->plain <= most) return damaged_pack(path, plain.error().message);
    return plain;
}

Change Packs::removal_change(Digest const& object) { return {table, to_buffer(object.view()), std::nullopt}; }

void Packs::forget(Digest const& object) { state_->index.erase(object); }

std::map<std::uint32_t, PackUse> const& Packs::uses() const { return state_->index.packs(); }

std::vector<ObjectPlace> Packs::objects_in(std::uint32_t pack, Bytes from) const {
    return state_->index.objects_in(pack, from);
}

fs::path const& Packs::directory() const { return state_->files.directory(); }
std::uint32_t Packs::newest() const { return state_->index.newest(); }

Result<std::vector<Packs::FinishedPack>> Packs::list_finished(fs::path const& directory, std::uint32_t newest) {
    auto const present = packs_in(directory);
    if (!present) return pass(present.error());
    std::vector<FinishedPack> found;
    for (auto const pack : *present) {
        if (pack >= newest) break;
        std::error_code problem;
        auto const path = directory / pack_name(pack);
        auto const size = fs::file_size(path, problem);
        auto const written = fs::last_write_time(path, problem);
        if (problem) return fail(Fault::failed, "cannot examine pack {}: {}", path.string(), problem.message());
        found.push_back({pack, Bytes(size), written});
    }
    return found;
}

PackFile Packs::remove_pack(std::uint32_t pack) {
    LULL_INVARIANT(pack < newest());
    LULL_INVARIANT(!uses().contains(pack));
    return state_->files.remove(pack);
}

std::size_t Packs::count() const { return state_->index.count(); }
std::size_t Packs::open_now() const { return state_->files.open_now(); }

}  // namespace lull::store
