#include "subscriber/sandbox/syscall_filter.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace lull::subscriber {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t architecture = AUDIT_ARCH_RISCV64;
#elif defined(__arm__)
constexpr std::uint32_t architecture = AUDIT_ARCH_ARM;
#elif defined(__i386__)
constexpr std::uint32_t architecture = AUDIT_ARCH_I386;
#else
constexpr std::uint32_t architecture = 0;
#endif

constexpr std::uint32_t x32_bit = 0x40000000;  // of the numbers of the x32 ABI on x86-64

// EPERM.
constexpr std::uint32_t forbidden[] = {
    // other processes
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    // keyrings, which have no namespace of their own
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    // mounts and namespaces
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_fanotify_init,
    SYS_quotactl,
    SYS_swapon,
    SYS_swapoff,
    // the kernel and the machine
    SYS_bpf,
    SYS_perf_event_open,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
#ifdef SYS_kexec_load
    SYS_kexec_load,
#endif
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
#endif
    SYS_reboot,
    SYS_syslog,
    SYS_acct,
    SYS_vhangup,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_clock_settime,
    SYS_settimeofday,
};

// ENOSYS, as an older kernel says it, so that libraries fall back to something else.
constexpr std::uint32_t unknown[] = {
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    // memory that belongs to no process and lies in no file system of the sandbox
    SYS_memfd_create,
#ifdef SYS_memfd_secret
    SYS_memfd_secret,
#endif
#ifdef SYS_shmget
    SYS_shmget,
#endif
};

constexpr std::uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

// Puts text into the input of a terminal.
constexpr std::uint32_t terminal_requests[] = {TIOCSTI, TIOCLINUX};

constexpr std::uint32_t refuse(int number) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number); }

class Program {
public:
    void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
    void answer(std::uint32_t action) { add(BPF_RET | BPF_K, action); }
    // If what was loaded equals the value.
    void answer_if(std::uint32_t value, std::uint32_t action) {
        jump(BPF_JEQ, value, 0, 1);
        answer(action);
    }
    void answer_unless(std::uint32_t value, std::uint32_t action) {
        jump(BPF_JEQ, value, 1, 0);
        answer(action);
    }
    void answer_from(std::uint32_t least, std::uint32_t action) {
        jump(BPF_JGE, least, 0, 1);
        answer(action);
    }
    // Jumps relative to the next instruction.
    void jump(std::uint16_t kind, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
        code_.push_back({static_cast<std::uint16_t>(BPF_JMP | kind | BPF_K), static_cast<std::uint8_t>(if_true),
                         static_cast<std::uint8_t>(if_false), value});
    }
    [[nodiscard]] Buffer bytes() const {
        Buffer bytes(code_.size() * sizeof(sock_filter));
        std::memcpy(bytes.data(), code_.data(), bytes.size());
        return bytes;
    }

private:
    void add(int kind, std::uint32_t value) { code_.push_back({static_cast<std::uint16_t>(kind), 0, 0, value}); }

    std::vector<sock_filter> code_;
};

// The low half of an argument; the kernel takes these as int or unsigned int.
constexpr std::size_t argument(std::size_t index) {
    constexpr std::size_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
    return offsetof(seccomp_data, args) + 8 * index + low;
}

// Behind the loaded number of the call; leaves the number loaded for the calls that it is not about.
void filter_sockets(Program& program, std::uint32_t number) {
    program.jump(BPF_JEQ, number, 0, std::size(families) + 3);
    program.load(argument(0));
    for (std::size_t i = 0; i < std::size(families); ++i) {
        program.jump(BPF_JEQ, families[i], std::size(families) - i, 0);  // over the refusal
    }
    program.answer(refuse(EAFNOSUPPORT));
    program.answer(SECCOMP_RET_ALLOW);
}

void filter_terminals(Program& program) {
    program.jump(BPF_JEQ, SYS_ioctl, 0, 2 * std::size(terminal_requests) + 2);
    program.load(argument(1));
    for (auto const request : terminal_requests) program.answer_if(request, refuse(EPERM));
    program.answer(SECCOMP_RET_ALLOW);
}

}  // namespace

Buffer syscall_filter() {
    if (architecture == 0) return {};
    Program program;
    program.load(offsetof(seccomp_data, arch));
    program.answer_unless(architecture, refuse(ENOSYS));
    program.load(offsetof(seccomp_data, nr));
    if (architecture == AUDIT_ARCH_X86_64) program.answer_from(x32_bit, refuse(ENOSYS));
    for (auto const number : forbidden) program.answer_if(number, refuse(EPERM));
    for (auto const number : unknown) program.answer_if(number, refuse(ENOSYS));
    filter_sockets(program, SYS_socket);
    filter_sockets(program, SYS_socketpair);
    filter_terminals(program);
    program.answer(SECCOMP_RET_ALLOW);
    return program.bytes();
}

}  // namespace lull::subscriber
