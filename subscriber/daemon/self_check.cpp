#include "subscriber/daemon/self_check.hpp"

#include "subscriber/journal/journal.hpp"
#include "subscriber/net/announcements.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration reconnect_wait = std::chrono::seconds(2);

Status read_journal(Layout const& layout) {
    auto const journal = journal::open(layout, journal::Access::look);
    if (!journal) return pass(journal.error());
    auto const state = journal::load(*journal);
    if (!state) return pass(state.error());
    return {};
}

Status hear_broker(JoinBundle const& bundle, Duration wait) {
    EventLoop loop;
    MessagingContext context;
    bool heard = false;
    std::string why = "it accepts this node's key, and announces nothing";
    auto const end = [&] {
        heard = true;
        loop.stop();
    };
    Announcements announcements(context, loop, bundle, reconnect_wait,
                                {[&](Message const&) { end(); }, [&](Error const& error) { why = error.message; },
                                 [&](bool connected, std::string detail) {
                                     if (!connected) why = std::move(detail);
                                 }});
    if (auto connected = announcements.connect(bundle.broker); !connected) return connected;
    loop.after(wait, [&] { loop.stop(); });
    loop.run();
    if (heard) return {};
    return fail(Fault::unreachable, "nothing came from the broker {} within {}: {}", bundle.broker.to_text(),
                lull::to_text(wait), why);
}

}  // namespace

Status check_self(Layout const& layout, JoinBundle const& bundle, Log& log, Duration wait) {
    if (auto read = read_journal(layout); !read) return read;
    if (auto heard = hear_broker(bundle, wait); !heard) return heard;
    log.info("lull-node {} works here: it reads the journal and reaches the broker {}", LULL_VERSION,
             bundle.broker.to_text());
    return {};
}

}  // namespace lull::subscriber
