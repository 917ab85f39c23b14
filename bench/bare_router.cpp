#include <deque>
#include <iostream>
#include <map>

#include "core/command_line.hpp"
#include "core/files.hpp"
#include "core/messaging.hpp"
#include "schema/address.hpp"
#include "schema/wire.hpp"

// A bare ROUTER with CURVE that answers bench_receivers with the frames that lull's broker would send, and does nothing
// else: no roles, no ledger, no packs. Each frame is read with pread(2) from one file. Windows as the broker gives them
// (broker/sender.hpp): 64 sessions in turn, the others wait; 256 KiB until the first acknowledgement, then 4 MiB or a
// share of 64 MiB.

namespace {

using namespace lull;

constexpr Bytes first_window = KiB(256);
constexpr Bytes window = MiB(4);
constexpr Bytes cap = MiB(64);
constexpr std::size_t served_at_once = 64;

struct Peer {
    Frame id;
    Bytes sent;
    Bytes acknowledged;
};

class BareRouter {
public:
    BareRouter(MessagingContext& context, FileDescriptor file, fs::path path, Bytes each, Bytes frame)
        : router_(context, SocketKind::router),
          file_(std::move(file)),
          path_(std::move(path)),
          each_(each),
          frame_(frame) {
        auto const keys = CurveKeyPair::generate();
        router_.native().set(zmq::sockopt::curve_server, true);  // no ZAP handler: whoever comes is admitted
        router_.native().set(zmq::sockopt::curve_secretkey, zmq::buffer(keys.secret_key));
        key_ = PeerKey(keys.public_key);
        data_header_ = wire::encode_header(MessageType::data);
        data_body_ = wire::encode_body(Data{{Digest(), ObjectCodec::raw, each, each}, MiB(1)});
    }

    // Prints the address that receivers need: the exchange is the third of a broker's ports.
    Status open() {
        if (auto status = router_.bind("tcp://127.0.0.1:*"); !status) return status;
        auto const endpoint = router_.last_endpoint();
        auto const port = std::stoul(endpoint.substr(endpoint.rfind(':') + 1));
        std::cout << BrokerAddress{"127.0.0.1", static_cast<std::uint16_t>(port - 2), key_}.to_text() << std::endl;
        return {};
    }

    // Serves until it is ended by a signal.
    Status run() {
        for (;;) {
            zmq::pollitem_t item{router_.native().handle(), 0, ZMQ_POLLIN, 0};
            zmq::poll(&item, 1, std::chrono::milliseconds(-1));
            while (auto received = router_.receive()) take(received->frames);
            if (auto status = send_what_may_go(); !status) return status;
        }
    }

private:
    void take(std::vector<Frame>& frames) {
        if (frames.size() < 3) return;  // PROBE_ROUTER
        auto const type = wire::decode_header(as_view(frames[1]));
        LULL_INVARIANT(type.has_value());
        auto const name = frames[0].to_string();
        if (*type == MessageType::hello) {
            std::vector<Frame> welcome;
            welcome.push_back(std::move(frames[0]));
            welcome.push_back(to_frame(wire::encode_header(MessageType::welcome)));
            welcome.push_back(to_frame(wire::encode_body(Welcome{})));
            LULL_INVARIANT(router_.send(std::move(welcome)) == Socket::Sent::yes);
        } else if (*type == MessageType::fetch) {
            peers_.emplace(name, Peer{std::move(frames[0]), Bytes(), Bytes()});
            (served_.size() < served_at_once ? served_ : waiting_).push_back(&peers_.at(name));
        } else if (*type == MessageType::ack) {
            auto& peer = peers_.at(name);  // a frame a message: what it says need not be read
            auto const acknowledged = std::min(frame_, each_ - peer.acknowledged);
            peer.acknowledged += acknowledged;
            in_flight_ -= acknowledged;
        }
    }

    [[nodiscard]] bool may_go(Peer const& peer) const {
        auto const length = std::min(frame_, each_ - peer.sent);
        Bytes const share(cap.count() / (served_.size() + 1));
        auto const most = std::min(peer.acknowledged.zero() ? first_window : window, std::max(share, frame_));
        return peer.sent - peer.acknowledged + length <= most && in_flight_ + length <= cap;
    }

    Status send_what_may_go() {
        std::size_t fruitless = 0;
        while (!served_.empty() && fruitless < served_.size()) {
            auto* peer = served_.front();
            served_.pop_front();
            if (!may_go(*peer)) {
                ++fruitless;
                served_.push_back(peer);
                continue;
            }
            fruitless = 0;
            if (auto status = send_frame(*peer); !status) return status;
            if (peer->sent < each_) {
                served_.push_back(peer);
            } else if (!waiting_.empty()) {
                served_.push_back(waiting_.front());
                waiting_.pop_front();
            }
        }
        return {};
    }

    Status send_frame(Peer& peer) {
        auto const length = std::min(frame_, each_ - peer.sent);
        Frame payload(length.count());
        auto status = read_exactly(file_.get(), peer.sent.count(), std::span(payload.data<std::byte>(), payload.size()),
                                   path_);
        if (!status) return status;
        std::vector<Frame> frames;
        frames.push_back(Frame(peer.id.data(), peer.id.size()));
        frames.push_back(to_frame(data_header_));
        frames.push_back(to_frame(data_body_));
        frames.push_back(std::move(payload));
        LULL_INVARIANT(router_.send(std::move(frames)) == Socket::Sent::yes);
        peer.sent += length;
        in_flight_ += length;
        return {};
    }

    Socket router_;
    FileDescriptor file_;
    fs::path path_;
    Bytes each_;
    Bytes frame_;
    PeerKey key_;
    Buffer data_header_;
    Buffer data_body_;
    std::map<std::string, Peer> peers_;  // by routing id
    std::deque<Peer*> served_;
    std::deque<Peer*> waiting_;
    Bytes in_flight_;
};

Status serve(Arguments const& arguments) {
    auto const each = parse_bytes(arguments.text("each"));
    auto const frame = parse_bytes(arguments.text("frame"));
    if (!each) return pass(each.error());
    if (!frame) return pass(frame.error());
    fs::path const path = arguments.text("file");
    auto file = open_file(path, O_RDONLY);
    if (!file) return pass(file.error());
    MessagingContext context;
    BareRouter router(context, std::move(*file), path, *each, *frame);
    if (auto status = router.open(); !status) return status;
    return router.run();
}

Command run_command() {
    return {
        .name = "run",
        .summary = "send a file's first bytes to every session that asks",
        .positional = {},
        .options = {{.name = "file", .help = "the file to read from", .placeholder = "PATH", .required = true},
                    {.name = "each", .help = "bytes for each session", .placeholder = "SIZE", .required = true},
                    {.name = "frame", .help = "bytes of one message", .placeholder = "SIZE", .fallback = "256 KiB"}},
        .example = "bench_bare_router run --file large --each 16MiB",
        .run = serve};
}

}  // namespace

int main(int argc, char** argv) {
    lull::CommandLine program("bench_bare_router", "what libzmq alone does with lull's frames and many receivers",
                              {run_command()});
    return program.run(argc, argv);
}
