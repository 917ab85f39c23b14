#include "subscriber/daemon/call_desk.hpp"

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "schema/call_id.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_clients = 64;
constexpr int most_waiting = 64;  // connections that were not accepted yet
constexpr Duration least_pause = std::chrono::milliseconds(5);
constexpr std::size_t most_groups = 1024;

Result<sockaddr_un> address_of(fs::path const& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto const text = path.string();
    if (text.size() >= sizeof address.sun_path) {
        return fail(Fault::usage, "the path {} is too long for a socket (108 bytes); give the node a shorter --root",
                    text);
    }
    text.copy(address.sun_path, text.size());
    return address;
}

Result<gid_t> find_group(std::string const& name) {
    auto const* const entry = getgrnam(name.c_str());
    if (entry != nullptr) return entry->gr_gid;
    return fail(Fault::not_found, "--call-group: there is no group '{}'", name);
}

// The daemon holds the journal, so a socket that lies there is that of a daemon that has ended.
Result<FileDescriptor> listen_at(fs::path const& path, std::optional<gid_t> group) {
    auto const address = address_of(path);
    if (!address) return pass(address.error());
    auto const directory = path.parent_path();
    if (auto made = make_directories(directory, 0755); !made) return pass(made.error());
    FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return fail_errno("make a socket at", path);
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", path);
    auto const before = umask(0177);
    int const bound = bind(socket.get(), reinterpret_cast<sockaddr const*>(&*address), sizeof *address);
    int const number = errno;
    umask(before);
    errno = number;
    if (bound != 0) return fail_errno("listen at", path);
    if (group && chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
        return fail_errno("give to the group of --call-group", path);
    if (chmod(path.c_str(), group ? 0660 : 0600) != 0) return fail_errno("set the mode of", path);
    if (listen(socket.get(), most_waiting) != 0) return fail_errno("listen at", path);
    return socket;
}

// By the kernel's word, and not by the mode of the socket alone.
bool may_call(int connection, std::optional<gid_t> group) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    if (peer.uid == 0 || peer.uid == geteuid()) return true;
    if (!group) return false;
    if (peer.gid == *group) return true;
    std::array<gid_t, most_groups> groups;
    size = sizeof groups;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
    auto const end = groups.begin() + static_cast<std::ptrdiff_t>(size / sizeof(gid_t));
    return std::find(groups.begin(), end, *group) != end;
}

}  // namespace

// One command that waits.
struct CallDesk::Client {
    struct Outgoing {
        Buffer bytes;
        std::optional<CallStream> stream{};
        Bytes size{};  // of the payload
    };
    FileDescriptor socket;
    LocalFrames frames{};
    bool asked = false;
    bool input_ended = false;
    bool ending = false;  // when all is written the connection ends
    Buffer input{};       // read, and beyond the credit
    std::deque<Outgoing> out{};
    std::size_t written = 0;  // of the first one
    std::optional<EventLoop::WatchId> watch{};
    short watched = 0;
};

class CallDesk::Ports final : public CallerPorts {
public:
    explicit Ports(CallDesk& desk) : desk_(desk) {}
    void open_session() override { desk_.exchange_.open(); }
    void close_session() override { desk_.exchange_.close(); }
    void send(Message const& message, View payload) override { desk_.exchange_.send(message, payload); }
    void output(ClientId client, CallStream stream, View bytes) override {
        push(client, {local_frame(stream == CallStream::err ? LocalFrame::errors : LocalFrame::output, bytes), stream,
                      Bytes(bytes.size())});
    }
    // Not within the caller's own work.
    void more_input(ClientId client) override {
        desk_.loop_.post([&desk = desk_, client] { desk.feed(client); });
    }
    void progress(ClientId client, std::string text) override {
        push(client, {local_frame(LocalFrame::progress, as_view(text.substr(0, 4096)))});
    }
    void end(ClientId client, LocalEnd end) override {
        push(client, {local_frame(LocalFrame::end, encode(end))});
        if (auto const found = desk_.clients_.find(client); found != desk_.clients_.end()) found->second->ending = true;
    }

private:
    void push(ClientId client, Client::Outgoing outgoing) {
        auto const found = desk_.clients_.find(client);
        if (found == desk_.clients_.end()) return;
        found->second->out.push_back(std::move(outgoing));
        desk_.loop_.post([&desk = desk_, client] { desk.flush(client); });
    }
    CallDesk& desk_;
};

Result<std::unique_ptr<CallDesk>> CallDesk::open(MessagingContext& context, EventLoop& loop, Layout const& layout,
                                                 JoinBundle const& bundle, std::optional<std::string> const& group,
                                                 Log& log) {
    std::optional<gid_t> id;
    if (group) {
        auto const found = find_group(*group);
        if (!found) return pass(found.error());
        id = *found;
    }
    auto listener = listen_at(layout.call_socket(), id);
    if (!listener) return pass(listener.error());
    std::signal(SIGPIPE, SIG_IGN);
    return std::unique_ptr<CallDesk>(new CallDesk(context, loop, layout, bundle, *std::move(listener), id, log));
}

CallDesk::CallDesk(MessagingContext& context, EventLoop& loop, Layout const& layout, JoinBundle const& bundle,
                   FileDescriptor listener, std::optional<gid_t> group, Log& log)
    : loop_(loop),
      log_(log),
      layout_(layout),
      listener_(std::move(listener)),
      group_(group),
      exchange_(context, loop, bundle,
                {[this] {
                     caller_.session_ready(clock_.moment());
                     arm();
                 },
                 [this](std::string why) {
                     caller_.session_lost(why, clock_.moment());
                     arm();
                 },
                 [this](Message message, Frame payload, TimePoint) {
                     caller_.heard(message, as_view(payload), clock_.moment());
                     arm();
                 }}),
      ports_(std::make_unique<Ports>(*this)),
      caller_("lull-node " LULL_VERSION, *ports_) {
    listener_watch_ = loop_.watch(listener_.get(), POLLIN, [this] { accept(); });
}

CallDesk::~CallDesk() {
    loop_.unwatch(listener_watch_);
    for (auto& [id, client] : clients_) {
        if (client->watch) loop_.unwatch(*client->watch);
    }
    if (timer_) loop_.cancel(*timer_);
    unlink(layout_.call_socket().c_str());
}

void CallDesk::accept() {
    FileDescriptor connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) return;
    auto const id = next_++;
    auto const client = clients_.emplace(id, std::make_unique<Client>(Client{std::move(connection)})).first;
    auto const refuse = [&](Fault fault, std::string text) {
        ports_->end(id, {static_cast<std::uint64_t>(exit_status(fault)), std::move(text)});
    };
    if (!may_call(client->second->socket.get(), group_)) {
        refuse(Fault::refused, "this user may not call; the daemon's --call-group names those who may");
    } else if (clients_.size() > most_clients) {
        refuse(Fault::refused, fmt::format("busy: {} calls of this node are under way, the most", most_clients));
    }
    watch(id);
}

// Input is read as credit allows, so that it waits at the command and not here. A hang-up is seen all the same.
void CallDesk::watch(ClientId id) {
    auto& client = *clients_.at(id);
    bool const reads = !client.ending && client.input.empty() && !client.input_ended &&
                       (!client.asked || !caller_.input_left(id).zero());
    short const wanted = static_cast<short>((reads ? POLLIN : 0) | (client.out.empty() ? 0 : POLLOUT));
    if (client.watch && client.watched == wanted) return;
    if (client.watch) loop_.unwatch(*client.watch);
    client.watched = wanted;
    client.watch = loop_.watch(client.socket.get(), wanted, [this, id] { ready(id); });
}

void CallDesk::ready(ClientId id) {
    auto const found = clients_.find(id);
    if (found == clients_.end()) return;
    auto& client = *found->second;
    pollfd now{client.socket.get(), static_cast<short>(client.watched | POLLRDHUP), 0};
    if (poll(&now, 1, 0) < 0) return;
    if ((now.revents & (POLLHUP | POLLERR)) != 0) return drop(id);
    if ((now.revents & POLLOUT) != 0) flush(id);
    if (!clients_.contains(id) || (now.revents & POLLIN) == 0) return;
    if (auto const status = read(id, client); !status) {
        log_.debug("a command that calls: {}", status.error().message);
        return drop(id);
    }
    if (clients_.contains(id)) watch(id);
    arm();
}

Status CallDesk::read(ClientId id, Client& client) {
    Buffer bytes(limits::call_frame.count() + local_header);
    auto const got = ::recv(client.socket.get(), bytes.data(), bytes.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (got <= 0) return fail(Fault::cancelled, "it ended");
    client.frames.add(View(bytes).first(static_cast<std::size_t>(got)));
    while (true) {
        auto frame = client.frames.next();
        if (!frame) return pass(frame.error());
        if (!*frame) return {};
        if (auto taken = take(id, client, std::move(**frame)); !taken) return taken;
    }
}

Status CallDesk::take(ClientId id, Client& client, LocalFrames::Frame frame) {
    if (client.ending) return {};
    switch (frame.type) {
        case LocalFrame::request:
            if (std::exchange(client.asked, true)) return fail(Fault::damaged, "a second request");
            return request(id, frame.payload);
        case LocalFrame::input:
            if (!client.asked || client.input_ended) return fail(Fault::damaged, "input that does not belong here");
            client.input.insert(client.input.end(), frame.payload.begin(), frame.payload.end());
            feed(id);
            return {};
        case LocalFrame::input_end:
            client.input_ended = true;
            feed(id);
            return {};
        default: return fail(Fault::damaged, "a frame that is none of a command");
    }
}

Status CallDesk::request(ClientId id, View payload) {
    auto wanted = decode<LocalRequest>(payload, Bytes(most_local_payload));
    if (!wanted) return pass(wanted.error());
    auto const refuse = [&](Fault fault, std::string text) {
        ports_->end(id, {static_cast<std::uint64_t>(exit_status(fault)), std::move(text)});
        return Status();
    };
    auto const active = layout_.current(wanted->software);
    if (!active) return refuse(active.error().fault, active.error().message);
    if (!*active) {
        return refuse(Fault::not_found, fmt::format("{} is not installed on this node, so there is no version to call",
                                                    wanted->software.text()));
    }
    caller_.asked(id, new_call_id(clock_.wall()), *std::move(wanted), (*active)->seq, clock_.moment());
    return {};
}

// Hands on what the credit allows.
void CallDesk::feed(ClientId id) {
    auto const found = clients_.find(id);
    if (found == clients_.end()) return;
    auto& client = *found->second;
    std::size_t sent = 0;
    while (sent < client.input.size()) {
        auto const left = std::min({caller_.input_left(id).count(), limits::call_frame.count(),
                                    static_cast<std::uint64_t>(client.input.size() - sent)});
        if (left == 0) break;
        caller_.wrote_input(id, View(client.input).subspan(sent, left));
        sent += left;
    }
    client.input.erase(client.input.begin(), client.input.begin() + static_cast<std::ptrdiff_t>(sent));
    if (client.input_ended && client.input.empty()) caller_.ended_input(id);
    watch(id);
}

void CallDesk::flush(ClientId id) {
    auto const found = clients_.find(id);
    if (found == clients_.end()) return;
    auto& client = *found->second;
    while (!client.out.empty()) {
        auto const& first = client.out.front();
        auto const wrote = ::send(client.socket.get(), first.bytes.data() + client.written,
                                  first.bytes.size() - client.written, MSG_NOSIGNAL);
        if (wrote < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (wrote < 0) return drop(id);
        client.written += static_cast<std::size_t>(wrote);
        if (client.written < first.bytes.size()) continue;
        auto const done = std::move(client.out.front());
        client.out.pop_front();
        client.written = 0;
        if (done.stream) caller_.took(id, *done.stream, done.size);
    }
    if (client.ending && client.out.empty()) return drop(id);
    watch(id);
}

// Its call, if it has one that has not ended, is cancelled.
void CallDesk::drop(ClientId id) {
    auto const found = clients_.find(id);
    if (found == clients_.end()) return;
    if (found->second->watch) loop_.unwatch(*found->second->watch);
    clients_.erase(found);
    caller_.gone(id, clock_.moment());
    arm();
}

void CallDesk::arm() {
    if (timer_) loop_.cancel(*timer_);
    timer_.reset();
    auto const wake = caller_.wake();
    if (!wake) return;
    timer_ = loop_.at(std::max(*wake, loop_.now() + least_pause), [this] {
        timer_.reset();
        caller_.on_time(clock_.moment());
        arm();
    });
}

}  // namespace lull::subscriber
