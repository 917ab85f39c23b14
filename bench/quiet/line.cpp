#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <random>

#include "bench/quiet/quantities.hpp"
#include "core/command_line.hpp"
#include "core/files.hpp"

// The parts of the laboratory's line that tc does not have: `relay` hands frames from one interface to another after a
// delay, `count` prints interface counters. Both run with a real-time priority, so that what the machine does meanwhile
// is not taken for the network.

namespace {

using namespace lull;
using namespace lull::quiet;

constexpr std::size_t batch = 64;
constexpr std::size_t frame_size = 2048;       // an Ethernet frame without offloads is at most 1514
constexpr std::size_t most_waiting = 200'000;  // frames in one direction, then they are dropped
constexpr int priority = 50;

Status become_real_time() {
    sched_param parameters{};
    parameters.sched_priority = priority;
    if (sched_setscheduler(0, SCHED_FIFO, &parameters) != 0)
        return fail_errno("get real-time priority on", "this machine");
    (void)mlockall(MCL_CURRENT | MCL_FUTURE);
    return {};
}

// ---- relay ----

struct Frame {
    TimePoint due;
    std::uint32_t size;
    std::array<std::byte, frame_size> bytes;
};

// A packet socket on one interface.
Result<FileDescriptor> open_interface(std::string const& name) {
    auto const index = if_nametoindex(name.c_str());
    if (index == 0) return fail_errno("find interface", name);
    FileDescriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    if (!socket.valid()) return fail_errno("open a packet socket on", name);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(index);
    if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return fail_errno("bind to", name);
    int const on = 1;
    int const buffer = 16 << 20;
    (void)setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    (void)setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    (void)setsockopt(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    (void)setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    (void)setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    return socket;
}

// The moment at which the kernel took the frame, on the monotonic clock; now if it did not say.
TimePoint arrival(msghdr& message, TimePoint now, Duration wall_minus_monotonic) {
    for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_TIMESTAMPNS) continue;
        timespec stamp{};
        std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
        auto const wall = std::chrono::seconds(stamp.tv_sec) + std::chrono::nanoseconds(stamp.tv_nsec);
        auto const when = TimePoint(wall - wall_minus_monotonic);
        return when < now ? when : now;
    }
    return now;
}

Duration wall_minus_monotonic() {
    return std::chrono::system_clock::now().time_since_epoch() - std::chrono::steady_clock::now().time_since_epoch();
}

// One direction: frames from one interface leave through the other after the delay, in their order.
class Direction {
public:
    Direction(int from, int to, Duration delay, Duration jitter, std::uint64_t seed)
        : from_(from),
          to_(to),
          delay_(delay),
          jitter_(jitter),
          random_(seed) {
        for (std::size_t i = 0; i < batch; ++i) {
            parts_[i] = {received_[i].bytes.data(), frame_size};
            headers_[i].msg_hdr.msg_iov = &parts_[i];
            headers_[i].msg_hdr.msg_iovlen = 1;
        }
    }

    // Takes what has come.
    void take(TimePoint now, Duration offset) {
        for (;;) {
            for (std::size_t i = 0; i < batch; ++i) {
                headers_[i].msg_hdr.msg_control = controls_[i].data();
                headers_[i].msg_hdr.msg_controllen = controls_[i].size();
            }
            int const count = recvmmsg(from_, headers_.data(), batch, MSG_DONTWAIT, nullptr);
            if (count <= 0) return;
            for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
                if (waiting_.size() >= most_waiting || (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
                    ++dropped_;
                    continue;
                }
                last_ = std::max(last_, arrival(headers_[i].msg_hdr, now, offset) + delay_ + more());
                waiting_.emplace_back(received_[i]);
                waiting_.back().due = last_;
                waiting_.back().size = headers_[i].msg_len;
            }
            if (count < static_cast<int>(batch)) return;
        }
    }

    // Sends what is due.
    void give(TimePoint now) {
        while (!waiting_.empty() && waiting_.front().due <= now) {
            auto const& frame = waiting_.front();
            if (send(to_, frame.bytes.data(), frame.size, MSG_DONTWAIT) < 0) ++dropped_;
            waiting_.pop_front();
        }
    }

    [[nodiscard]] TimePoint next() const { return waiting_.empty() ? TimePoint::max() : waiting_.front().due; }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

private:
    Duration more() {
        if (jitter_ == Duration::zero()) return jitter_;
        return Duration(std::uniform_int_distribution<std::int64_t>(0, jitter_.count())(random_));
    }

    int from_;
    int to_;
    Duration delay_;
    Duration jitter_;
    std::mt19937_64 random_;
    TimePoint last_{};
    std::deque<Frame> waiting_;
    std::uint64_t dropped_ = 0;
    std::array<Frame, batch> received_{};
    std::array<iovec, batch> parts_{};
    std::array<mmsghdr, batch> headers_{};
    std::array<std::array<char, 128>, batch> controls_{};
};

Status relay(Arguments const& arguments) {
    auto const down_delay = parse_duration(arguments.text("down"));
    if (!down_delay) return pass(down_delay.error());
    auto const up_delay = parse_duration(arguments.text("up"));
    if (!up_delay) return pass(up_delay.error());
    auto const jitter = parse_duration(arguments.text("jitter"));
    if (!jitter) return pass(jitter.error());
    auto const seed = arguments.number("seed");
    if (!seed) return pass(seed.error());
    auto const near = open_interface(arguments.text("near"));
    if (!near) return pass(near.error());
    auto const far = open_interface(arguments.text("far"));
    if (!far) return pass(far.error());
    auto const down = std::make_unique<Direction>(near->get(), far->get(), *down_delay, *jitter, *seed);
    auto const up = std::make_unique<Direction>(far->get(), near->get(), *up_delay, Duration::zero(), *seed);
    if (auto status = become_real_time(); !status) return status;
    std::puts("ready");
    std::fflush(stdout);
    std::uint64_t reported = 0;
    for (;;) {
        auto const next = std::min(down->next(), up->next());
        auto const begun = std::chrono::steady_clock::now();
        timespec wait{};
        if (next > begun) {
            auto const left = std::min<Duration>(next - begun, std::chrono::seconds(1));
            wait = {left.count() / 1'000'000'000, left.count() % 1'000'000'000};
        }
        std::array<pollfd, 2> polled{pollfd{near->get(), POLLIN, 0}, pollfd{far->get(), POLLIN, 0}};
        (void)ppoll(polled.data(), polled.size(), &wait, nullptr);
        auto const now = std::chrono::steady_clock::now();
        auto const offset = wall_minus_monotonic();
        down->take(now, offset);
        up->take(now, offset);
        down->give(now);
        up->give(now);
        if (auto const dropped = down->dropped() + up->dropped(); dropped != reported) {
            std::fprintf(stderr, "dropped %llu frames\n", static_cast<unsigned long long>(dropped));
            reported = dropped;
        }
    }
}

// ---- count ----

// The value of a field of /proc/net/dev for each of the interfaces, which are told apart by name; 0 if it is not there.
std::uint64_t counter(std::string_view text, std::string const& name, int field) {
    auto const found = text.find(" " + name + ":");
    auto const start = found == std::string_view::npos ? text.find("\n" + name + ":") : found;
    if (start == std::string_view::npos) return 0;
    char const* at = text.data() + start + name.size() + 2;
    std::uint64_t value = 0;
    for (int i = 0; i <= field; ++i) {
        char* end = nullptr;
        value = std::strtoull(at, &end, 10);
        at = end;
    }
    return value;
}

Status count(Arguments const& arguments) {
    constexpr int sent_field = 8;
    auto const every = parse_duration(arguments.text("every"));
    if (!every) return pass(every.error());
    if (*every <= Duration::zero())
        return fail(Fault::usage, "--every is '{}', and has to be longer", arguments.text("every"));
    auto const file = open_file("/proc/self/net/dev", O_RDONLY);
    if (!file) return pass(file.error());
    auto const& names = arguments.positional();
    if (auto status = become_real_time(); !status) return status;
    std::string text(65536, '\0');
    for (auto next = std::chrono::steady_clock::now();; next += *every) {
        timespec const wake{next.time_since_epoch().count() / 1'000'000'000,
                            next.time_since_epoch().count() % 1'000'000'000};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr) != 0) {}
        auto const now = std::chrono::steady_clock::now();
        auto const size = pread(file->get(), text.data(), text.size() - 1, 0);
        if (size <= 0) return fail_errno("read", "/proc/self/net/dev");
        text[static_cast<std::size_t>(size)] = '\0';
        std::printf("%lld", static_cast<long long>(now.time_since_epoch().count()));
        for (auto const& name : names) {
            auto const value = counter(std::string_view(text.data(), static_cast<std::size_t>(size)), name, sent_field);
            std::printf(",%llu", static_cast<unsigned long long>(value));
        }
        std::putchar('\n');
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    CommandLine program(
        "bench_quiet_line", "the laboratory's line: delay and counters",
        {{.name = "relay",
          .summary = "hand all frames from one interface to another, later, until SIGTERM",
          .positional = {},
          .options =
              {{.name = "near", .help = "interface on the senders' side", .placeholder = "NAME", .required = true},
               {.name = "far", .help = "interface on the receivers' side", .placeholder = "NAME", .required = true},
               {.name = "down", .help = "delay from near to far", .placeholder = "TIME", .fallback = "10ms"},
               {.name = "up", .help = "delay from far to near", .placeholder = "TIME", .fallback = "10ms"},
               {.name = "jitter",
                .help = "from near to far up to so much more, anew for each frame; none overtakes another",
                .placeholder = "TIME",
                .fallback = "0s"},
               {.name = "seed", .help = "of the jitter", .placeholder = "N", .fallback = "1"}},
          .example = "bench_quiet_line relay --near in --far out --down 10ms --up 10ms",
          .run = relay},
         {.name = "count",
          .summary = "print the monotonic clock in ns and the bytes that interfaces have sent, until SIGTERM",
          .positional = {"INTERFACE..."},
          .options = {{.name = "every", .help = "how often", .placeholder = "TIME", .fallback = "20ms"}},
          .example = "bench_quiet_line count --every 20ms eth0",
          .run = count}});
    return program.run(argc, argv);
}
