#include "subscriber/cli/call_command.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>

#include "subscriber/caller/local_call.hpp"
#include "subscriber/cli/hold_commands.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t block = std::size_t{64} << 10;

Result<FileDescriptor> connect_to(fs::path const& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto const text = path.string();
    if (text.size() >= sizeof address.sun_path) return fail(Fault::usage, "the path {} is too long for a socket", text);
    text.copy(address.sun_path, text.size());
    FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return fail_errno("make a socket for", path);
    if (connect(socket.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0) return socket;
    if (errno == EACCES || errno == EPERM) {
        return fail(Fault::refused,
                    "this user may not call: {} belongs to root and to the group that 'lull-node daemon --call-group' "
                    "names",
                    text);
    }
    return fail(Fault::unreachable, "no daemon of this node listens at {}; start 'lull-node daemon'", text);
}

bool write_all(int descriptor, View bytes) {
    while (!bytes.empty()) {
        auto const written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) {  // whoever made the pipe wanted it so
            pollfd writable{descriptor, POLLOUT, 0};
            (void)poll(&writable, 1, -1);
            continue;
        }
        if (written < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

// Between the streams of this process and the daemon. The daemon takes input as the program does, so neither direction
// may wait for the other.
class Conversation {
public:
    explicit Conversation(FileDescriptor socket) : socket_(std::move(socket)) {}

    Result<LocalEnd> hold(LocalRequest const& request) {
        out_ = local_frame(LocalFrame::request, encode(request));
        while (true) {
            std::array<pollfd, 2> wanted = {pollfd{socket_.get(), POLLIN, 0},
                                            pollfd{input_open_ && out_.empty() ? STDIN_FILENO : -1, POLLIN, 0}};
            if (!out_.empty()) wanted[0].events |= POLLOUT;
            if (poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR)
                return fail(Fault::failed, "cannot wait for the daemon");
            if ((wanted[0].revents & POLLOUT) != 0) write_out();
            if (wanted[1].revents != 0) {
                if (auto status = read_input(); !status) return pass(status.error());
            }
            if ((wanted[0].revents & ~POLLOUT) == 0) continue;
            auto end = read_answer();
            if (!end) return pass(end.error());
            if (*end) return **std::move(end);
        }
    }

private:
    // A program that took cut input for all of it would give a wrong result.
    Status read_input() {
        Buffer bytes(block);
        auto const got = read(STDIN_FILENO, bytes.data(), bytes.size());
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
        if (got < 0) {
            return fail(Fault::failed, "cannot read the input: {}; the call is cancelled",
                        std::generic_category().message(errno));
        }
        input_open_ = got > 0;
        bytes.resize(input_open_ ? static_cast<std::size_t>(got) : 0);
        out_ = local_frame(input_open_ ? LocalFrame::input : LocalFrame::input_end, bytes);
        return {};
    }

    // What the daemon does not take any more is of no use; it says why.
    void write_out() {
        auto const written = send(socket_.get(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
        input_open_ = input_open_ && written > 0;
        auto const gone = written < 0 ? out_.size() : static_cast<std::size_t>(written);
        out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(gone));
    }

    Result<std::optional<LocalEnd>> read_answer() {
        Buffer bytes(block);
        auto const got = recv(socket_.get(), bytes.data(), bytes.size(), 0);
        if (got < 0 && errno == EINTR) return std::nullopt;
        if (got <= 0) {
            return fail(Fault::failed,
                        "unknown, not repeated: the daemon of this node has ended; the program may have run, wholly or "
                        "in part");
        }
        frames_.add(View(bytes).first(static_cast<std::size_t>(got)));
        while (true) {
            auto const frame = frames_.next();
            if (!frame) return pass(frame.error());
            if (!*frame) return std::nullopt;
            auto const& [type, payload] = **frame;
            if (type == LocalFrame::end) {
                auto end = decode<LocalEnd>(payload, Bytes(most_local_payload));
                if (!end) return pass(end.error());
                return *std::move(end);
            }
            if (!show(type, payload)) return fail(Fault::failed, "cannot write the output; the call is cancelled");
        }
    }

    static bool show(LocalFrame type, Buffer const& payload) {
        if (type == LocalFrame::output) return write_all(STDOUT_FILENO, payload);
        if (type == LocalFrame::errors) return write_all(STDERR_FILENO, payload);
        if (type == LocalFrame::progress && isatty(STDERR_FILENO) == 1)
            fmt::print(stderr, "lull-node: {}\n", as_text(payload));
        return true;
    }

    FileDescriptor socket_;
    LocalFrames frames_;
    Buffer out_;
    bool input_open_ = true;
};

Result<LocalRequest> request_of(Arguments const& arguments) {
    auto const software = SoftwareName::parse(arguments.positional().front());
    if (!software) return pass(software.error());
    LocalRequest request{*software, arguments.text("program"), {}, {}};
    for (auto const& word : arguments.rest()) request.arguments.push_back(to_buffer(as_view(word)));
    if (arguments.has("time")) {
        auto const seconds = arguments.number("time");
        if (!seconds) return fail(Fault::usage, "--time: {}", seconds.error().message);
        request.limits.time = *seconds;
    }
    if (arguments.has("output")) {
        auto const size = parse_bytes(arguments.text("output"));
        if (!size) return fail(Fault::usage, "--output: {}", size.error().message);
        request.limits.output = *size;
    }
    if (auto valid = validate_call(request.program, request.arguments, request.limits); !valid)
        return fail(Fault::usage, "{}", valid.error().message);
    return request;
}

// The default action of SIGINT and the like ends this process: the daemon sees that, and cancels the call.
Status call(Arguments const& arguments) {
    auto const request = request_of(arguments);
    if (!request) return pass(request.error());
    auto socket = connect_to(Layout(arguments.text("root")).call_socket());
    if (!socket) return pass(socket.error());
    auto const end = Conversation(*std::move(socket)).hold(*request);
    if (!end) return pass(end.error());
    std::fflush(stdout);
    if (!end->message.empty()) fmt::print(stderr, "lull-node: {}\n", end->message);
    std::fflush(stderr);
    _exit(static_cast<int>(end->status));
}

}  // namespace

Command call_command() {
    return {.name = "call",
            .summary = "have an executor run a program of an installed software, in the version that is active here",
            .positional = {"NAME"},
            .options = {root_option(),
                        {.name = "program",
                         .help = "callable program of the release (default: the only one)",
                         .placeholder = "PATH"},
                        {.name = "time", .help = "stop the program after so many seconds", .placeholder = "SECONDS"},
                        {.name = "output", .help = "stop the program after so much output", .placeholder = "SIZE"}},
            .example = "lull-node call solver --program bin/solve -- --exact < problem > solution",
            .run = call,
            .rest = "ARGUMENTS"};
}

}  // namespace lull::subscriber
