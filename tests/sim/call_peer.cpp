#include "tests/sim/call_peer.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration longest_silence = 90s;

}  // namespace

void CallPeer::later(Duration delay, std::function<void()> what) {
    world_.after(delay, [this, life = life_, what = std::move(what)] {
        if (life == life_) what();
    });
}

void CallPeer::start() {
    if (std::exchange(up_, true)) return;
    world_.trace("{}: starts", name_);
    begin();
}

void CallPeer::kill() {
    if (!std::exchange(up_, false)) return;
    world_.trace("{}: is killed", name_);
    ++life_;
    open_ = false;
    network_.break_session(connection_);
    connection_ = 0;
    killed();
}

// Asks for a session, and again after a while: a connection, a greeting or its answer may be lost.
void CallPeer::begin() {
    open_ = false;
    heard_ = world_.now();
    auto const connection = connection_ = network_.connect(*this);
    later(10s, [this, connection] {
        if (connection == connection_ && !open_) give_up();
    });
}

void CallPeer::give_up() {
    network_.break_session(connection_);
    connection_ = 0;
    if (std::exchange(open_, false)) lost();
    later(world_.random().between(100ms, 5s), [this] {
        if (connection_ == 0) begin();
    });
}

void CallPeer::connected(ConnectionId connection) {
    if (connection == connection_) send(greeting());
}

void CallPeer::disconnected(ConnectionId connection) {
    if (connection == connection_ && connection != 0) give_up();
}

void CallPeer::heard(ConnectionId connection, Message const& message, Buffer const& payload) {
    if (connection != connection_ || !up_) return;
    heard_ = world_.now();
    later(longest_silence, [this, connection] {
        if (connection == connection_ && world_.now() - heard_ >= longest_silence) give_up();
    });
    if (auto const* ping = std::get_if<Ping>(&message)) return send(Pong{ping->nonce});
    if (auto const* welcome = std::get_if<Welcome>(&message)) {
        if (!std::exchange(open_, true)) welcomed(*welcome);
        return;
    }
    auto const* refused = std::get_if<Refused>(&message);
    if (refused != nullptr && refused->reason == Refusal::no_session) return give_up();
    if (open_) take(message, payload);
}

}  // namespace lull::sim
