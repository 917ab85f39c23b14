#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "core/crypto.hpp"
#include "core/files.hpp"
#include "store/environment.hpp"
#include "store/object_place.hpp"
#include "store/pack_files.hpp"
#include "store/pack_index.hpp"

namespace lull::store {

// Append-only files of many objects ("packs"), named pack-00000001 and so on; FORMAT.md draws them. The index is a
// table of an Environment (`Packs::table`): digest -> ObjectPlace. An object counts only once its index entry is
// committed; whatever a crash left behind the last indexed byte is cut off at open. The environment must be open for
// writing, with the table, and for nobody else's packs.
//
// Two halves share nothing but constants: append() and sync() own the newest pack and the place where it is written,
// everything else owns the index in memory. So one thread may append while another one finds and publishes; what is
// passed between them is the ObjectPlace. Handles to packs may be read by any thread.
class Packs {
public:
    static constexpr char const* table = "objects";

    struct Options {
        fs::path directory;
        Bytes roll_at = MiB(256);    // a new pack is begun beyond this
        Bytes reserve = MiB(16);     // free space that stays, so that failures can still be recorded
        std::size_t most_open = 64;  // packs that are open for reading, beside those being read from
    };

    // Opens or makes the directory; loads the index; cuts tails that no index entry covers.
    [[nodiscard]] static Result<Packs> open(Options options, Environment& environment);

    // Stored objects whose index entries are durable.
    [[nodiscard]] std::optional<ObjectPlace> find(Digest const& object) const;

    // Appends stored bytes (verified by the caller) to the newest pack; not durable, not visible yet. Fault::no_space
    // leaves the pack as it was. Only one thread at a time may call append() and sync().
    [[nodiscard]] Result<ObjectPlace> append(ObjectShape const& shape, View stored);

    // fsyncs everything appended so far; after it the changes below may be committed.
    void sync();

    // The index entry to commit, and what to call when it is durable.
    [[nodiscard]] static Change index_change(ObjectPlace const& place);
    void publish(ObjectPlace const& place);

    // What to commit to forget an object, and what to call before that: from then on it is not here.
    [[nodiscard]] static Change removal_change(Digest const& object);
    void forget(Digest const& object);

    // Of each pack in which an object lies: how much. The reference stays valid; what it shows changes.
    [[nodiscard]] std::map<std::uint32_t, PackUse> const& uses() const;
    // The objects of one pack from this offset on, ascending. Examines no other pack's.
    [[nodiscard]] std::vector<ObjectPlace> objects_in(std::uint32_t pack, Bytes from = {}) const;

    [[nodiscard]] fs::path const& directory() const;
    // The highest pack in which an object was ever found. Nothing is appended to those below.
    [[nodiscard]] std::uint32_t newest() const;
    struct FinishedPack {
        std::uint32_t number = 0;
        Bytes size{};
        std::filesystem::file_time_type written;  // last
    };
    // The packs in the directory below `newest`, ascending. Any thread: reads the directory and nothing else.
    [[nodiscard]] static Result<std::vector<FinishedPack>> list_finished(fs::path const& directory,
                                                                         std::uint32_t newest);

    // Removes a finished pack, of which no object is known any more, in memory or durably. The file is deleted when its
    // last handle is gone, of which this is one: a read that is under way goes on.
    [[nodiscard]] PackFile remove_pack(std::uint32_t pack);

    // A handle to read from. Opens nothing: the first read does.
    [[nodiscard]] PackFile pack(std::uint32_t number);
    [[nodiscard]] std::size_t open_now() const;

    // Reads a whole object and checks it. Fault::damaged if its bytes are not what the digest says.
    [[nodiscard]] Result<Buffer> read_plain(Digest const& object, Bytes most);

    [[nodiscard]] std::size_t count() const;

    ~Packs();
    Packs(Packs&&) noexcept;
    Packs& operator=(Packs&&) noexcept;

private:
    struct State;
    explicit Packs(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace lull::store
