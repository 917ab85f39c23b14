#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <iostream>

#include "core/command_line.hpp"
#include "core/files.hpp"
#include "core/json.hpp"
#include "core/messaging.hpp"

// What libzmq alone does with lull's frames: ROUTER -> DEALER over loopback with CURVE, one process each, a window of
// unacknowledged bytes, and a receiver that throws everything away. The measure that bench/transfer.py holds lull
// against.

namespace {

using namespace lull;

// Where the sender's frames come from.
enum class Source {
    copy,       // one buffer, copied into each frame
    zero_copy,  // one buffer, to which each frame refers
    file,       // a file, read into each frame with pread(2)
};

struct Job {
    Source source = Source::copy;
    fs::path file;
    Bytes size{};
    Bytes frame{};
    Bytes window{};
};

// What the receiving process must know to connect.
struct Door {
    CurveKey server{};
    std::array<char, 128> endpoint{};
};

// A cumulative count on the wire, eight bytes in the machine's order: both ends are on this machine.
Frame count_frame(Bytes bytes) {
    auto const count = bytes.count();
    return Frame(&count, sizeof count);
}

Bytes count_of(Frame const& frame) {
    std::uint64_t count = 0;
    LULL_INVARIANT(frame.size() == sizeof count);
    std::memcpy(&count, frame.data(), sizeof count);
    return Bytes(count);
}

Frame receive_frame(zmq::socket_t& socket) {
    Frame frame;
    LULL_INVARIANT(socket.recv(frame).has_value());
    return frame;
}

// ---- the receiving process ----

void receive_all(Door const& door, Bytes size) {
    MessagingContext context;
    Socket socket(context, SocketKind::dealer);
    socket.secure(CurveClient{CurveKeyPair::generate(), door.server});
    LULL_INVARIANT(socket.connect(door.endpoint.data()).has_value());
    socket.set_linger(std::chrono::seconds(10));
    Bytes received;
    socket.native().send(count_frame(received), zmq::send_flags::none);
    while (received < size) {
        received += Bytes(receive_frame(socket.native()).size());
        socket.native().send(count_frame(received), zmq::send_flags::none);
    }
}

// The child reads the door from the pipe, receives, and ends.
pid_t start_receiver(int door_pipe, Bytes size) {
    pid_t const child = fork();
    LULL_INVARIANT(child >= 0);
    if (child > 0) return child;
    Door door;
    if (::read(door_pipe, &door, sizeof door) != static_cast<ssize_t>(sizeof door)) _exit(1);
    receive_all(door, size);
    _exit(0);
}

// ---- the sending process ----

// Makes the frames of one source.
class FrameSource {
public:
    explicit FrameSource(Job const& job) : source_(job.source), path_(job.file), buffer_(job.frame.count()) {
        std::uint64_t state = 1;
        for (auto& byte : buffer_) byte = static_cast<std::byte>((state = state * 6364136223846793005U + 1) >> 56);
    }

    [[nodiscard]] Status open() {
        if (source_ != Source::file) return {};
        auto file = open_file(path_, O_RDONLY);
        if (!file) return pass(file.error());
        file_ = std::move(*file);
        return {};
    }

    [[nodiscard]] Result<Frame> next(Bytes offset, Bytes length) {
        if (source_ == Source::copy) return Frame(buffer_.data(), length.count());
        if (source_ == Source::zero_copy) return Frame(buffer_.data(), length.count(), [](void*, void*) {});
        Frame frame(length.count());
        auto status = read_exactly(file_.get(), offset.count(), std::span(frame.data<std::byte>(), frame.size()),
                                   path_);
        if (!status) return pass(status.error());
        return frame;
    }

private:
    Source source_;
    fs::path path_;
    Buffer buffer_;
    FileDescriptor file_;
};

// Sends everything within the window; returns when the last byte is acknowledged.
Status send_all(zmq::socket_t& router, Frame const& peer, Job const& job, FrameSource& source) {
    Bytes sent;
    Bytes acknowledged;
    while (acknowledged < job.size) {
        auto const length = std::min(job.frame, job.size - sent);
        if (!length.zero() && sent + length - acknowledged <= job.window) {
            auto frame = source.next(sent, length);
            if (!frame) return pass(frame.error());
            router.send(Frame(peer.data(), peer.size()), zmq::send_flags::sndmore);
            router.send(std::move(*frame), zmq::send_flags::none);
            sent += length;
            continue;
        }
        (void)receive_frame(router);  // routing id
        acknowledged = count_of(receive_frame(router));
    }
    return {};
}

double seconds(timeval const& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

Json usage_json(int who) {
    rusage usage{};
    getrusage(who, &usage);
    return {{"cpu_seconds", seconds(usage.ru_utime) + seconds(usage.ru_stime)},
            {"peak_kib", usage.ru_maxrss},
            {"context_switches", usage.ru_nvcsw + usage.ru_nivcsw}};
}

Result<Socket> open_router(MessagingContext& context, CurveKeyPair const& keys) {
    Socket router(context, SocketKind::router);
    router.native().set(zmq::sockopt::curve_server, true);  // no ZAP handler: whoever comes is admitted
    router.native().set(zmq::sockopt::curve_secretkey, zmq::buffer(keys.secret_key));
    if (auto status = router.bind("tcp://127.0.0.1:*"); !status) return pass(status.error());
    return router;
}

Status tell_receiver(int pipe, Socket const& router, CurveKeyPair const& keys) {
    Door door;
    door.server = keys.public_key;
    auto const endpoint = router.last_endpoint();
    LULL_INVARIANT(endpoint.size() < door.endpoint.size());
    std::copy(endpoint.begin(), endpoint.end(), door.endpoint.begin());
    if (::write(pipe, &door, sizeof door) == static_cast<ssize_t>(sizeof door)) return {};
    return fail_errno("write to", "the receiving process");
}

Status transfer(Job const& job) {
    std::array<int, 2> pipe_ends{};
    if (pipe(pipe_ends.data()) != 0) return fail_errno("make", "a pipe");
    pid_t const receiver = start_receiver(pipe_ends[0],
                                          job.size);  // before there is a context: those do not survive a fork

    FrameSource source(job);
    if (auto opened = source.open(); !opened) return opened;
    MessagingContext context;
    auto const keys = CurveKeyPair::generate();
    auto router = open_router(context, keys);
    if (!router) return pass(router.error());
    if (auto told = tell_receiver(pipe_ends[1], *router, keys); !told) return told;

    auto& native = router->native();
    (void)receive_frame(native);  // PROBE_ROUTER: routing id and an empty frame
    (void)receive_frame(native);
    Frame const peer = receive_frame(native);  // ready
    (void)receive_frame(native);
    auto const begun = std::chrono::steady_clock::now();
    if (auto sent = send_all(native, peer, job, source); !sent) return sent;
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begun;

    LULL_INVARIANT(waitpid(receiver, nullptr, 0) == receiver);
    Json const result = {{"bytes", job.size.count()},
                         {"seconds", took.count()},
                         {"bytes_per_second", static_cast<double>(job.size.count()) / took.count()},
                         {"sender", usage_json(RUSAGE_SELF)},
                         {"receiver", usage_json(RUSAGE_CHILDREN)}};
    std::cout << result.dump() << std::endl;
    return {};
}

Result<Job> job_of(Arguments const& arguments) {
    Job job;
    for (auto const& [name, target] : {std::pair{"size", &job.size}, {"frame", &job.frame}, {"window", &job.window}}) {
        auto const bytes = parse_bytes(arguments.text(name));
        if (!bytes) return pass(bytes.error());
        *target = *bytes;
    }
    if (job.frame.zero() || job.window < job.frame)
        return fail(Fault::usage, "the window must hold at least one frame");
    auto const source = arguments.text("source");
    job.file = arguments.text("file");
    if (source == "zero-copy") {
        job.source = Source::zero_copy;
    } else if (source == "file") {
        job.source = Source::file;
        if (job.file.empty()) return fail(Fault::usage, "which file? Give --file PATH with at least --size bytes");
    } else if (source != "copy") {
        return fail(Fault::usage, "'{}' is no source; use copy, zero-copy or file", source);
    }
    return job;
}

Command run_command() {
    return {
        .name = "run",
        .summary = "send bytes from one process to another and print how long it took",
        .positional = {},
        .options =
            {{.name = "size", .help = "how much", .placeholder = "SIZE", .fallback = "1 GiB"},
             {.name = "frame", .help = "bytes of one message", .placeholder = "SIZE", .fallback = "256 KiB"},
             {.name = "window", .help = "sent and not yet acknowledged", .placeholder = "SIZE", .fallback = "4 MiB"},
             {.name = "source", .help = "copy, zero-copy or file", .placeholder = "WORD", .fallback = "copy"},
             {.name = "file", .help = "the file to read from", .placeholder = "PATH"}},
        .example = "bench_bare_zmq run --size 1GiB --source zero-copy",
        .run = [](Arguments const& arguments) -> Status {
            auto const job = job_of(arguments);
            return job ? transfer(*job) : Status(pass(job.error()));
        }};
}

}  // namespace

int main(int argc, char** argv) {
    lull::CommandLine program("bench_bare_zmq", "what libzmq alone does with lull's frames", {run_command()});
    return program.run(argc, argv);
}
