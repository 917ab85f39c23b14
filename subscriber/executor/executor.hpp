#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>

#include "subscriber/executor/call_flow.hpp"
#include "subscriber/executor/tree_cache.hpp"
#include "subscriber/model/actions.hpp"

namespace lull::subscriber {

struct ExecutorSettings {
    ArchitectureName architecture;
    TrustedKeys trusted;
    std::set<SoftwareName> allowed{};  // by the owner of this machine
    std::uint64_t slots = 4;           // calls that are prepared or run at once
    Bytes cache = GiB(2);              // for trees, on the disk
    std::chrono::seconds most_time = std::chrono::hours(1);
    Bytes most_output = GiB(16);
};

// What the executor needs of the node around it.
class ExecutorPorts {
public:
    virtual ~ExecutorPorts() = default;
    virtual void send(Message message) = 0;
    virtual void perform(CallAction action) = 0;
    virtual void log(LogLevel level, std::string text) = 0;
    // Objects of releases for calls. That one has arrived, or does not, comes by Executor::object_arrived() and
    // object_lost().
    virtual void want(ReleaseId const& release, Segment const& object) = 0;
    virtual void unwant(SoftwareName const& software) = 0;
    [[nodiscard]] virtual bool has_all(SoftwareName const& software) const = 0;
    [[nodiscard]] virtual std::map<Digest, ObjectShape> shapes(SoftwareName const& software) const = 0;
};

// Runs programs of releases for other nodes: decision code. A call is offered, its tree is prepared, and it begins when
// the broker says so: once at most for each id. Everything of a session ends with it.
class Executor {
public:
    Executor(ExecutorSettings settings, ExecutorPorts& ports)
        : settings_(std::move(settings)),
          ports_(ports),
          cache_(settings_.cache) {}

    // A tree that an earlier process has left.
    void found_tree(ReleaseId const& release, Bytes size) { cache_.found(release, size); }

    void session_began();
    // No call of it has a caller any more.
    void session_ended();

    void on(CallOffer const& offer);
    void on(CallGo const& message);
    void on(CallData const& message, Bytes payload);
    void on(CallCredit const& message);
    void on(CallCancel const& message);
    void on(CallEvent const& event);
    void object_arrived(SoftwareName const& software);
    void object_lost(SoftwareName const& software, Error const& error);

    [[nodiscard]] bool has_calls() const { return !calls_.empty(); }
    [[nodiscard]] bool acquiring() const { return getting_.has_value(); }
    [[nodiscard]] TreeCache const& cache() const { return cache_; }

private:
    struct Call {
        enum class State { preparing, reserved, running, stopping };
        CallOffer offer;
        ReleaseId release;
        Digest manifest;
        Bytes manifest_size{};
        Bytes size{};  // of the release's files
        unsigned slot = 0;
        State state = State::preparing;
        bool told = false;                    // nothing more is to be sent about it
        std::optional<CallReason> stopped{};  // why
        IncomingFlow input{};
        OutgoingFlow output{};
        OutgoingFlow errors{};

        [[nodiscard]] OutgoingFlow& flow(CallStream stream) { return stream == CallStream::out ? output : errors; }
    };
    using Calls = std::map<CallId, Call>;
    // The one tree that is being prepared.
    struct Getting {
        enum class Step { manifest, plan, objects, room, staging, verifying };
        ReleaseId release;
        Digest manifest;
        Bytes manifest_size{};
        Step step = Step::manifest;
        std::optional<Plan> plan{};
        std::optional<ReleaseId> base{};
        unsigned restaged = 0;
    };

    [[nodiscard]] Result<Call> accept(CallOffer const& offer) const;
    [[nodiscard]] std::optional<unsigned> free_slot() const;
    void refuse(CallId const& id, CallReason reason, std::string text);
    void reserve(Call& call);
    void stop(Call& call, CallReason reason);
    void end(Calls::iterator call);
    void allow(CallId const& id, CallStream stream, OutgoingFlow const& flow);
    void end_sending(Call& call);

    void event(CallTreePlanned const& event);
    void event(CallTreeReady const& event);
    void event(CallTreeRemoved const& event);
    void event(CallBegan const& event);
    void event(CallWrote const& event);
    void event(CallRead const& event);
    void event(CallRunEnded const& event);

    // ---- trees ----
    void get_next();
    void drop_unneeded();
    void get(Call const& call);
    void go_on();
    [[nodiscard]] Materials materials() const;
    void got();
    void plan_without_base();
    void cannot_get(Error const& error);
    void end_getting();

    ExecutorSettings settings_;
    ExecutorPorts& ports_;
    TreeCache cache_;
    bool in_session_ = false;
    Calls calls_;
    std::optional<Getting> getting_;
    std::set<CallId> begun_;  // ids that were told to begin: no second time
    std::deque<CallId> begun_in_order_;
};

}  // namespace lull::subscriber
