#include "broker/stranger_test.hpp"

namespace lull::broker {

namespace {

constexpr Duration between_looks = std::chrono::milliseconds(50);

}  // namespace

StrangerTest::StrangerTest(MessagingContext& context, EventLoop& loop, CurveKeyPair const& stranger, Door const& door)
    : loop_(loop), door_(door), socket_(context, SocketKind::dealer), monitor_(context, socket_), began_(loop.now()) {
    socket_.secure(CurveClient{stranger, door.key});
}

StrangerTest::~StrangerTest() {
    loop_.unwatch(watch_);
    loop_.cancel(timer_);
}

void StrangerTest::start(Turned turned, Done done) {
    turned_ = std::move(turned);
    done_ = std::move(done);
    began_ = loop_.now();
    watch_ = loop_.watch(monitor_.socket(), [this] { watch_link(); });
    if (auto status = socket_.connect(door_.endpoint); !status) return finish(status);
    timer_ = loop_.after(between_looks, [this] { look(); });
}

void StrangerTest::watch_link() {
    while (auto const event = monitor_.next()) {
        if (*event != LinkEvent::handshake_done) continue;
        return finish(fail(Fault::failed, "the port {} lets unknown keys in, so this broker does not run; this is a defect of lull or "
                           "of its ZeroMQ library: install Debian's libzmq5 and report it", door_.endpoint));
    }
}

void StrangerTest::look() {
    auto const passed = loop_.now() - began_;
    if (passed >= door_.enough && turned_()) return finish({});
    if (passed >= door_.too_long) {
        return finish(fail(Fault::failed, "cannot find out whether the port {} keeps unknown keys out: nobody answers there; is a "
                           "firewall in the way of this machine's own connections?", door_.endpoint));
    }
    timer_ = loop_.after(between_looks, [this] { look(); });
}

void StrangerTest::finish(Status status) {
    loop_.unwatch(watch_);
    loop_.cancel(timer_);
    if (auto const done = std::exchange(done_, nullptr)) done(std::move(status));
}

}  // namespace lull::broker
