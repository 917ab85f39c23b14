#pragma once

#include "core/bytes.hpp"

namespace lull::subscriber {

// The system calls that a program in the sandbox does not get, as a classic BPF program for seccomp(2): those that
// trace other processes, mount, make namespaces, load code into the kernel, use keyrings, or take memory that no other
// limit covers; and sockets but those of Unix, IPv4, IPv6 and netlink (AF_VSOCK reaches the host in spite of a network
// namespace of its own). Empty on an architecture whose number is unknown here.
[[nodiscard]] Buffer syscall_filter();

}  // namespace lull::subscriber
