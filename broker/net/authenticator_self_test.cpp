#include "broker/net/authenticator_self_test.hpp"

namespace lull::broker {

namespace {

constexpr Duration between_checks = std::chrono::milliseconds(50);

}  // namespace

AuthenticatorSelfTest::AuthenticatorSelfTest(MessagingContext& context, EventLoop& loop, CurveKeyPair const& stranger,
                                             Door const& door)
    : loop_(loop),
      door_(door),
      socket_(context, SocketKind::dealer),
      monitor_(context, socket_),
      began_(loop.now()) {
    socket_.secure(CurveClient{stranger, door.key});
}

AuthenticatorSelfTest::~AuthenticatorSelfTest() {
    loop_.unwatch(watch_);
    loop_.cancel(timer_);
}

void AuthenticatorSelfTest::start(WasRefused refused, Done done) {
    refused_ = std::move(refused);
    done_ = std::move(done);
    began_ = loop_.now();
    watch_ = loop_.watch(monitor_.socket(), [this] { watch_link(); });
    if (auto status = socket_.connect(door_.endpoint); !status) return finish(status);
    timer_ = loop_.after(between_checks, [this] { check(); });
}

void AuthenticatorSelfTest::watch_link() {
    while (auto const event = monitor_.next()) {
        if (*event != LinkEvent::handshake_done) continue;
        return finish(fail(Fault::failed,
                           "the port {} admits unknown keys, so this broker does not run; this is a defect of lull or "
                           "of its ZeroMQ library: install Debian's libzmq5 and report it",
                           door_.endpoint));
    }
}

void AuthenticatorSelfTest::check() {
    auto const passed = loop_.now() - began_;
    if (passed >= door_.enough && refused_()) return finish({});
    if (passed >= door_.too_long) {
        return finish(fail(Fault::failed,
                           "cannot test whether the port {} refuses unknown keys: the broker cannot connect to its own "
                           "port; check whether a firewall blocks connections of this machine to itself",
                           door_.endpoint));
    }
    timer_ = loop_.after(between_checks, [this] { check(); });
}

void AuthenticatorSelfTest::finish(Status status) {
    loop_.unwatch(watch_);
    loop_.cancel(timer_);
    if (auto const done = std::exchange(done_, nullptr)) done(std::move(status));
}

}  // namespace lull::broker
