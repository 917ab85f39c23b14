#include "publisher/tree/scratch_guard.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace lull::publisher {

namespace {

constexpr int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

// What the signal handler knows: the socket to the child, or -1.
std::atomic<int>& socket_of_guard() {
    static std::atomic<int> socket = -1;
    return socket;
}

// The thread that makes files waits here, so nothing appears in the directory meanwhile. Only calls that are allowed in
// a handler.
void remove_and_end(int signal_number) {
    int const guard = socket_of_guard().load();
    char byte = 'r';
    if (guard >= 0 && write(guard, &byte, 1) == 1) {
        while (read(guard, &byte, 1) < 0 && errno == EINTR) continue;
    }
    ::signal(signal_number, SIG_DFL);
    raise(signal_number);  // takes effect when the handler returns
}

void handle(void (*from)(int), void (*to)(int)) {
    for (int const number : ending_signals) {
        struct sigaction now {};
        if (sigaction(number, nullptr, &now) != 0 || now.sa_handler != from) continue;
        struct sigaction next {};
        next.sa_handler = to;
        next.sa_flags = SA_RESTART;
        for (int const other : ending_signals) sigaddset(&next.sa_mask, other);
        static_cast<void>(sigaction(number, &next, nullptr));
    }
}

// The child, until its parent ends or a signal asks for the removal. It keeps nothing of the parent open: a pipe of the
// parent's output must end with the parent.
[[noreturn]] void guard(int socket, fs::path const& directory) {
    for (int const number : ending_signals) ::signal(number, SIG_IGN);
    setsid();  // Ctrl-C is for the parent
    dup2(socket, 0);
    close_range(1, ~0U, 0);
    char byte = 'k';
    ssize_t got = write(0, &byte, 1);
    while ((got = read(0, &byte, 1)) < 0 && errno == EINTR) continue;
    if (got == 1) static_cast<void>(remove_tree(directory));  // a rest is removed as a leftover
    _exit(0);
}

}  // namespace

ScratchGuard::ScratchGuard(fs::path const& directory) {
    int pair[2] = {-1, -1};
    if (socket_of_guard() >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return;
    to_child_.reset(pair[0]);
    FileDescriptor at_child;
    at_child.reset(pair[1]);
    child_ = fork();
    if (child_ == 0) guard(pair[1], directory);
    if (child_ < 0) return;
    at_child.reset();
    char ready = 0;  // from then on the child has no copy of the parent's locks
    while (read(pair[0], &ready, 1) < 0 && errno == EINTR) continue;
    socket_of_guard() = pair[0];
    handle(SIG_DFL, remove_and_end);
}

ScratchGuard::~ScratchGuard() {
    if (child_ < 0) return;
    handle(remove_and_end, SIG_DFL);
    socket_of_guard() = -1;
    to_child_.reset();
    int status = 0;
    while (waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
}

}  // namespace lull::publisher
