#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/fleet/complaints.hpp"
#include "broker/fleet/presence_sweep.hpp"
#include "broker/model/session_observer.hpp"

namespace lull::broker {

// The live sessions of the exchange: who may begin one, which of them are silent, and one way in which all of them end.
class Sessions {
public:
    struct Parts {
        Peers const& peers;
        LastSeen& last_seen;
        PresenceSweep& presence;
        Complaints& complaints;
    };
    Sessions(Parts parts, Effects& effects, Duration silence) : parts_(parts), effects_(effects), silence_(silence) {}

    // Makes room for the sessions of so many nodes at once.
    void reserve(std::size_t nodes) { nodes_.reserve(nodes); }

    // Is told when any session ends. The observer outlives the sessions.
    void observe(SessionObserver& observer) { observers_.push_back(&observer); }

    // Whether this key is enrolled, its role may send this message (an ADMIN: with this verb), and the session was
    // begun properly. If not, the peer has been answered, and a session that had not begun has been ended.
    [[nodiscard]] bool admit(MessageArrived const& event, Moment now);
    void malformed(MalformedMessage const& event, Moment now);
    // The session of a node begins with HELLO; an older one of the same node ends.
    void begin_node(SessionId session, PeerKey const& node, Moment now);
    // The only way in which a session ends, for whatever reason: all that any heart keeps for it is forgotten.
    void end(SessionId session, Moment now);
    // Ends a session because of what its peer did, and logs that.
    void end(SessionId session, std::string_view why, Moment now);

    // Ends all sessions of a peer, after this refusal.
    void end_all_of(PeerKey const& peer, std::string_view why, Moment now);

    // Pings sessions that are quiet, and ends those that stay silent. Looks at a fifteenth of them.
    void look_after(Moment now);
    // Pings this session if it has been quiet for so long.
    void ping_if_quiet(SessionId session, Duration quiet, TimePoint now);

    // Writes down when peers were heard last: every minute, a bounded number at a time.
    void save_last_seen(TimePoint now);

    [[nodiscard]] bool contains(SessionId session) const { return sessions_.contains(session); }
    [[nodiscard]] bool connected(PeerKey const& node) const { return nodes_.contains(node); }
    [[nodiscard]] std::optional<SessionId> session_of(PeerKey const& node) const;
    // Entries that this and all observers keep for sessions.
    [[nodiscard]] std::size_t kept() const;

private:
    struct Session {
        PeerKey peer;
        TimePoint heard;
        TimePoint pinged;
    };
    [[nodiscard]] bool answered(SessionId session, Moment now);
    void ping_if_quiet(SessionId id, Session& session, Duration quiet, TimePoint now);

    Parts parts_;
    Effects& effects_;
    Duration silence_;
    std::vector<SessionObserver*> observers_;
    std::map<SessionId, Session> sessions_;
    std::unordered_map<PeerKey, SessionId, PeerKeyHash> nodes_;
    SessionId looked_at_ = 0;  // the last one that look_after() has looked at
    TimePoint next_save_{};
    bool saving_ = false;  // what has changed since the last minute
};

}  // namespace lull::broker
