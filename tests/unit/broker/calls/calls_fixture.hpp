#pragma once

#include "schema/call_credit.hpp"
#include "tests/unit/broker/broker_fixture.hpp"

// Executors and callers of a broker.

namespace lull::broker::test {

inline CallId call_id(unsigned number) {
    CallId id{};
    id[7] = static_cast<std::byte>(number);  // they rise, as those of a node do
    id[6] = static_cast<std::byte>(number >> 8);
    return id;
}

// A broker with a release `solver 1` (log entry 1) that lists bin/solve, and nodes that have said HELLO.
class CallWorld : public World {
public:
    static constexpr std::uint64_t life = 4711;

    explicit CallWorld(CallSettings calls = {}, std::size_t nodes = 6) : World(with(std::move(calls)), nodes) {
        auto release = make_release("solver", "1", {{"bin/solve", 100}});
        release.info.callable = std::vector<std::string>{"bin/solve"};
        publish(release);
        for (std::size_t i = 0; i < nodes; ++i) hello(i);
    }

    Actions serve(std::size_t node, std::uint64_t slots = 2) {
        return from_node(node, Serve{{software("solver")}, slots});
    }
    static Call request(unsigned id) {
        Call call;
        call.id = call_id(id);
        call.life = life;
        call.software = software("solver");
        call.seq = Seq{1};
        return call;
    }
    Actions call(std::size_t node, unsigned id) { return from_node(node, request(id)); }
    Actions ready(std::size_t node, unsigned id) { return from_node(node, CallReady{call_id(id)}); }
    Actions says(std::size_t node, unsigned id, CallPhase phase, std::optional<CallReason> reason = {}) {
        CallState state{call_id(id), phase};
        if (phase == CallPhase::ended) state.result = CallResult{0, {}, 5, 7};
        state.reason = reason;
        return from_node(node, state);
    }
    // An executor has the call, was told to begin, and has begun.
    void run(std::size_t caller, std::size_t executor, unsigned id) {
        call(caller, id);
        ready(executor, id);
        says(executor, id, CallPhase::running);
    }
    // Time passes, in which all nodes give a sign of life.
    Actions wait(Duration time) {
        pass(time);
        for (std::size_t i = 0; i < broker.state().peers.nodes().size(); ++i) from_node(i, Ping{});
        return on(Tick{});
    }
    Actions gone(std::size_t node) { return on(SessionGone{at_node(node)}); }
    Actions data(std::size_t node, unsigned id, CallStream stream, std::uint64_t offset, std::size_t size,
                 bool last = false) {
        return from_node_with(node, CallData{call_id(id), stream, Bytes(offset), last}, bytes_of(size));
    }
    Actions from_node_with(std::size_t node, Message message, Buffer payload) {
        return from(at_node(node), node_key(node), std::move(message), std::move(payload));
    }

private:
    static BrokerSettings with(CallSettings calls) {
        BrokerSettings settings;
        settings.calls = std::move(calls);
        settings.calls.life = life;
        return settings;
    }
};

// What a node is told about its call.
inline CallState told(Actions const& actions, std::size_t node) {
    return only<CallState>(actions, World::at_node(node));
}

}  // namespace lull::broker::test
