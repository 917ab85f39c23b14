#include "broker/data/backup.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "store/pack_format.hpp"

namespace lull::broker {

namespace {

constexpr int most_tries = 3;  // the broker may remove a pack meanwhile that the copied index still names

// A name that only backups use. A process that makes one holds a lock (flock(2)) on the directory: what has the name
// and no lock was left by a crash.
constexpr std::string_view partial_prefix = ".lull-backup-";

fs::path partial_of(fs::path const& to) {
    return to.parent_path() / (std::string(partial_prefix) + to.filename().string());
}

// The locked directory; nothing if another process makes a backup there.
std::optional<FileDescriptor> lock_directory(fs::path const& directory) {
    auto handle = open_file(directory, O_RDONLY | O_DIRECTORY);
    if (!handle || flock(handle->get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
    return std::move(*handle);
}

// Removes what crashes of earlier backups to this place left, whatever their names.
Status remove_leftovers(fs::path const& parent) {
    std::error_code problem;
    for (fs::directory_iterator entry(parent, problem), end; !problem && entry != end; entry.increment(problem)) {
        if (!entry->path().filename().string().starts_with(partial_prefix)) continue;
        if (auto const abandoned = lock_directory(entry->path())) {
            if (auto status = remove_tree(entry->path()); !status) return status;
        }
    }
    if (!problem) return {};
    return fail(Fault::failed, "cannot list {}: {}", parent.string(), problem.message());
}

// `to` as an absolute path without a slash at its end, if a backup may be made there.
Result<fs::path> check_target(DataDirectory const& from, fs::path const& to) {
    std::error_code problem;
    auto const target = (fs::weakly_canonical(fs::absolute(to, problem), problem) / "").parent_path();
    auto const source = fs::canonical(from.root(), problem);
    if (problem) return fail(Fault::not_found, "cannot use {}: {}", from.root().string(), problem.message());
    if (fs::exists(target, problem)) {
        return fail(Fault::refused, "{} exists already; choose a new name for each backup", target.string());
    }
    if (!fs::is_directory(target.parent_path(), problem)) {
        return fail(Fault::not_found, "cannot make {}: there is no directory {}", target.string(),
                    target.parent_path().string());
    }
    auto const part = std::mismatch(source.begin(), source.end(), target.begin(), target.end()).first;
    if (part == source.end()) {
        return fail(Fault::refused,
                    "{} lies within the broker's own directory; choose a place outside, best on another disk",
                    target.string());
    }
    return target;
}

Result<Bytes> copy_durably(fs::path const& from, fs::path const& to, std::stop_token const& stop) {
    auto const source = open_file(from, O_RDONLY);
    if (!source) return pass(source.error());
    struct stat status {};
    if (fstat(source->get(), &status) != 0) return fail_errno("measure", from);
    auto const copy = open_file(to, O_RDWR | O_CREAT | O_EXCL, status.st_mode & 0777);
    if (!copy) return pass(copy.error());
    if (auto done = clone_or_copy(source->get(), copy->get(), to, stop); !done) return pass(done.error());
    sync_file_or_die(copy->get(), to);
    return Bytes(static_cast<std::uint64_t>(status.st_size));
}

Status copy_database(DataDirectory const& from, DataDirectory const& to) {
    auto const source = store::Environment::open({.directory = from.database(), .tables = {}, .read_only = true});
    return source ? source->copy_to(to.database()) : Status(pass(source.error()));
}

// The packs that the copied index names. What was appended to them since is cut off when the copy is opened.
Result<Bytes> copy_packs(DataDirectory const& from, DataDirectory const& to, store::Environment const& database,
                         std::stop_token const& stop) {
    std::set<std::uint32_t> packs;
    auto status = database.scan(store::Packs::table, {}, [&](View key, View value) {
        if (auto const place = store::decode_place(key, value)) packs.insert(place->pack);
        return true;  // Packs::open() complains about the others
    });
    if (status) status = make_directories(to.packs(), private_directory);
    if (!status) return pass(status.error());
    Bytes bytes{};
    for (auto const pack : packs) {
        auto const name = store::pack_name(pack);
        auto const copied = copy_durably(from.packs() / name, to.packs() / name, stop);
        if (!copied) return copied;
        bytes += *copied;
    }
    sync_directory_or_die(to.packs());
    return bytes;
}

Status copy_small_files(DataDirectory const& from, DataDirectory const& to) {
    if (auto status = make_directories(to.keys(), private_directory); !status) return status;
    auto const key = copy_durably(from.curve_secret(), to.curve_secret(), {});
    if (!key) return pass(key.error());
    sync_directory_or_die(to.keys());
    for (auto const& [source, copy] :
         {std::pair(from.config(), to.config()), std::pair(from.address(), to.address())}) {
        auto const copied = copy_durably(source, copy, {});
        if (!copied && copied.error().fault != Fault::not_found) return pass(copied.error());
    }
    return {};
}

// Marks the copy, and opens all that a broker would.
Result<BackupOutcome> finish(DataDirectory const& copy, store::Environment& database, Bytes bytes) {
    auto const state = load_state(database, copy);
    if (!state) return pass(state.error());
    auto identity = state->release_log.identity();
    identity.copied = true;
    if (auto status = database.apply(changes_to(identity)); !status) return pass(status.error());
    auto const packs = store::Packs::open({.directory = copy.packs()}, database);
    if (!packs) return pass(packs.error());
    return BackupOutcome{state->release_log.head(), state->release_log.log().size(), packs->count(), bytes};
}

Result<BackupOutcome> copy_all(DataDirectory const& from, DataDirectory const& to, std::stop_token const& stop) {
    if (auto status = copy_small_files(from, to); !status) return pass(status.error());
    if (auto status = copy_database(from, to); !status) return pass(status.error());
    auto database = to.open_database();
    if (!database) return pass(database.error());
    if (stop.stop_requested()) return fail(Fault::cancelled, "the backup to {} was stopped", to.root().string());
    auto const bytes = copy_packs(from, to, *database, stop);
    if (!bytes) return pass(bytes.error());
    return finish(to, *database, *bytes);
}

}  // namespace

Result<BackupOutcome> back_up(DataDirectory const& from, fs::path const& to, std::stop_token const& stop) {
    if (auto const keys = from.load_keys(); !keys) return pass(keys.error());
    auto const target = check_target(from, to);
    if (!target) return pass(target.error());
    auto const partial = partial_of(*target);
    Result<BackupOutcome> outcome = fail(Fault::failed, "not tried");
    std::optional<FileDescriptor> lock;  // until the copy has its name, or is gone
    for (int tries = 0; tries < most_tries; ++tries) {
        lock.reset();
        if (auto status = remove_leftovers(target->parent_path()); !status) return pass(status.error());
        if (auto status = make_directories(partial, private_directory); !status) return pass(status.error());
        lock = lock_directory(partial);
        if (!lock) {
            return fail(Fault::refused,
                        "another process makes a backup to {}: wait for its end, or choose another name",
                        target->string());
        }
        outcome = copy_all(from, DataDirectory(partial), stop);
        if (outcome || outcome.error().fault != Fault::not_found) break;
    }
    if (!outcome) {
        (void)remove_tree(partial);  // what is left goes with the next backup to this place
        return outcome;
    }
    sync_directory_or_die(partial);
    if (rename(partial.c_str(), target->c_str()) != 0) return fail_errno("rename", partial);
    sync_directory_or_die(target->parent_path());
    return outcome;
}

}  // namespace lull::broker
