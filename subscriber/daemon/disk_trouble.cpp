#include "subscriber/daemon/disk_trouble.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "subscriber/daemon/machine_identity.hpp"
#include "subscriber/net/exchange.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration between_probes = std::chrono::seconds(5);
constexpr Duration first_backoff = std::chrono::seconds(2);
constexpr Duration longest_backoff = std::chrono::minutes(1);
constexpr Duration answer = std::chrono::seconds(15);
constexpr std::size_t probed_bytes = 64 * 1024;

// The session that says what is wrong.
class TroubledSession {
public:
    TroubledSession(TroubledNode const& node, std::string why, EventLoop& loop, Log& log)
        : node_(node),
          why_(std::move(why)),
          loop_(loop),
          log_(log),
          exchange_(context_, loop, node_.bundle,
                    {[this] { greet(); }, [this](std::string const&) { lost(); },
                     [this](Message const& message, Frame const&, TimePoint) { heard(message); }}) {
        open();
    }
    ~TroubledSession() { close(); }
    TroubledSession(TroubledSession const&) = delete;
    TroubledSession& operator=(TroubledSession const&) = delete;

    // What is left of the connection is done with the next turn of the loop.
    void close() {
        if (timer_) loop_.cancel(*timer_);
        timer_.reset();
        exchange_.close();
    }

    void say(std::string why) {
        if (why == why_) return;
        why_ = std::move(why);
        log_.error("{}", why_);
        if (greeted_) lost();
    }

private:
    void open() {
        exchange_.open();
        arm(answer, [this] { lost(); });
    }

    void greet() {
        Hello hello{node_.bundle.node, node_.architecture, "lull-node " LULL_VERSION, boot_id(), Epoch{}, Seq{}};
        hello.machine = machine_of(node_.layout.root());
        hello.time = SystemClock().wall();
        hello.trouble = why_;
        exchange_.send(hello);
        greeted_ = true;
    }

    void heard(Message const& message) {
        if (auto const* ping = std::get_if<Ping>(&message)) return exchange_.send(Pong{ping->nonce, {}});
        if (std::holds_alternative<Welcome>(message)) {
            backoff_ = first_backoff;
            if (timer_) loop_.cancel(*timer_);
            timer_.reset();
        }
        if (std::holds_alternative<Busy>(message) || std::holds_alternative<Refused>(message)) lost();
    }

    void lost() {
        exchange_.close();
        greeted_ = false;
        arm(backoff_, [this] { open(); });
        backoff_ = std::min(2 * backoff_, longest_backoff);
    }

    void arm(Duration delay, std::function<void()> then) {
        if (timer_) loop_.cancel(*timer_);
        timer_ = loop_.after(delay, [this, then = std::move(then)] {
            timer_.reset();
            then();
        });
    }

    TroubledNode const& node_;
    std::string why_;
    EventLoop& loop_;
    Log& log_;
    MessagingContext context_;
    Exchange exchange_;
    std::optional<EventLoop::TimerId> timer_;
    Duration backoff_ = first_backoff;
    bool greeted_ = false;
};

constexpr char const* probe_name = "probe.tmp";

// Known when the last act runs, on whatever thread.
std::string& watched_file() {
    static std::string file;
    return file;
}

// execve(2) ends all other threads and gives up all locks.
void start_anew() {
    int const file = ::open(watched_file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0 || errno != EROFS) return;
    auto const line = read_file("/proc/self/cmdline", MiB(1));
    if (!line) return;
    std::string words(as_text(*line));
    std::vector<char*> arguments;
    for (std::size_t at = 0; at < words.size(); at += std::strlen(&words[at]) + 1) arguments.push_back(&words[at]);
    arguments.push_back(nullptr);
    (void)execv("/proc/self/exe", arguments.data());
}

Status write_some(fs::path const& file) {
    auto const opened = open_file(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!opened) return pass(opened.error());
    Buffer const bytes(probed_bytes);
    if (auto written = write_exactly(opened->get(), 0, bytes, file); !written) return written;
    if (fsync(opened->get()) != 0) return fail_errno("make durable", file);
    return {};
}

}  // namespace

void start_anew_when_read_only(Layout const& layout) {
    watched_file() = (layout.journal() / probe_name).string();
    set_last_act(start_anew);
}

Status probe_disk(Layout const& layout) {
    auto const file = layout.journal() / probe_name;
    auto written = write_some(file);
    (void)::unlink(file.c_str());  // a next one takes its place
    if (written) return {};
    return fail(
        written.error().fault,
        "this node's disk cannot be written ({}): it installs nothing; check the disk and make it writable, with "
        "some room",
        written.error().message);
}

TroubleEnd wait_for_disk(TroubledNode const& node, std::string why, EventLoop& loop, Log& log) {
    TroubledSession session(node, std::move(why), loop, log);
    bool writable = false;
    std::optional<EventLoop::TimerId> timer;
    std::function<void()> const look = [&] {
        auto const probed = probe_disk(node.layout);
        if (probed) {
            writable = true;
            return loop.stop();
        }
        session.say(probed.error().message);
        timer = loop.after(between_probes, look);
    };
    timer = loop.after(between_probes, look);
    loop.run();
    if (!writable && timer) loop.cancel(*timer);
    session.close();
    loop.post([&loop] { loop.stop(); });  // behind what the session has left to be done
    loop.run();
    return writable ? TroubleEnd::writable : TroubleEnd::stopped;
}

}  // namespace lull::subscriber
