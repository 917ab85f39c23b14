#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "subscriber/model/actions.hpp"
#include "subscriber/model/records.hpp"

namespace lull::subscriber {

struct FetchLimits {
    Bytes window = MiB(32);     // bytes that may be on their way or not yet durable: what bounds this node's memory
    Bytes checkpoint = MiB(4);  // an object is fsynced after each of these, so that a crash costs no more
    std::size_t asked = 512;    // objects asked for at a time
};

// Who wants objects: the installation of a software, or the executor for a release of it.
struct Wanter {
    enum class Purpose { installation, call };
    SoftwareName software;
    Purpose purpose = Purpose::installation;

    // NOLINTNEXTLINE(google-explicit-constructor): nearly all wants are those of installations.
    Wanter(SoftwareName name, Purpose why = Purpose::installation) : software(std::move(name)), purpose(why) {}
    auto operator<=>(Wanter const&) const = default;
};

// Keeps account of objects: what is wanted, asked for, arrived, durable. Decides about each DATA frame, and how
// much credit to give. An object survives lost sessions, restarts, and releases: its bytes count as long as its
// digest is wanted or it is not forgotten.
class Fetcher {
public:
    explicit Fetcher(FetchLimits limits) : limits_(limits) {}

    // Takes what the journal knows.
    void load(std::map<Digest, ObjectRecord> const& objects);

    // Wants an object for a release, after those wanted before. `plain` is its size by manifest or update-info.
    void want(ReleaseId const& release, Digest const& object, Bytes plain,
              Wanter::Purpose purpose = Wanter::Purpose::installation);
    void unwant(Wanter const& wanter);
    [[nodiscard]] bool wants_for(Wanter const& wanter) const { return lacking_.contains(wanter); }

    [[nodiscard]] bool knows(Digest const& object) const { return known_.contains(object); }
    [[nodiscard]] bool complete(Digest const& object) const;
    [[nodiscard]] std::set<Digest> wanted_for(Wanter const& wanter) const;
    // Those that want this object, each once.
    [[nodiscard]] std::vector<Wanter> wanted_by(Digest const& object) const;
    [[nodiscard]] bool anything_missing() const { return missing_ > 0; }  // something wanted is not complete
    [[nodiscard]] bool has_all(Wanter const& wanter) const;               // everything wanted for it is complete
    [[nodiscard]] std::map<Digest, ObjectShape> shapes(Wanter const& wanter) const;  // of its complete objects

    // ---- a session ----

    void session_begins();
    // The FETCH messages that are due; empty while enough is asked for.
    [[nodiscard]] std::vector<Fetch> requests();
    [[nodiscard]] bool waiting_for_data() const { return !asked_.empty(); }

    enum class Verdict { store, ignore, broken };
    struct Decision {
        Verdict verdict = Verdict::ignore;
        StoreFrame::Then then = StoreFrame::Then::nothing;
    };
    // A DATA frame with `payload` bytes: store it, ignore it (late, repeated, no longer wanted), or end the session
    // (against the rules).
    [[nodiscard]] Decision data(Data const& data, Bytes payload);
    [[nodiscard]] Ack ack() const { return {received_}; }
    // The credit to send, if it has grown enough to be worth a message.
    [[nodiscard]] std::optional<Credit> credit_due();

    // ---- the disk ----

    // The record to write after this, if the object is still known.
    [[nodiscard]] std::optional<ObjectRecord> synced(Digest const& object, Bytes upto);
    [[nodiscard]] std::optional<ObjectRecord> finished(Digest const& object);
    // Forgets an object's bytes; it is asked for again if it is wanted. For damage, write errors, MISSING, and garbage.
    void forget(Digest const& object);
    // Objects that are here in part or in full and that no release wants.
    [[nodiscard]] std::vector<Digest> garbage() const;

    [[nodiscard]] Bytes arrived_for(Wanter const& wanter) const;

private:
    struct Known {
        ObjectShape shape;
        Bytes arrived{};     // handed to the disk, in order, without gaps
        Bytes settled{};     // of these, durable
        Bytes checkpoint{};  // arrived at the last sync that was asked for
        bool complete = false;
    };
    struct Want {
        ReleaseId release;
        Digest object;
        Bytes plain{};
        Wanter::Purpose purpose = Wanter::Purpose::installation;

        [[nodiscard]] Wanter wanter() const { return {release.software, purpose}; }
    };

    void settle(Known& known, Bytes upto);
    void abandon_rest(Digest const& object);
    enum class Change { more, fewer };
    void count_missing(Digest const& object, Change change);
    [[nodiscard]] bool plausible(Data const& data, Bytes payload, Want const& want) const;

    FetchLimits limits_;
    std::unordered_map<Digest, Known, DigestHash> known_;
    std::list<Want> wants_;  // in the order of wanting
    std::unordered_map<Digest, std::list<Want>::const_iterator, DigestHash> asked_;
    // Which software wants an object, and how often: a release may hold the same contents several times.
    std::unordered_map<Digest, std::map<Wanter, std::size_t>, DigestHash> wanted_;
    std::map<Wanter, std::size_t> lacking_;  // wants that are not complete, of all that want anything
    std::size_t missing_ = 0;                // the sum of these
    Bytes received_{};                       // payload bytes of this session
    Bytes on_the_way_{};                     // of these, accepted and not yet durable
    Bytes permitted_{};                      // credit sent
};

}  // namespace lull::subscriber
