#include "subscriber/daemon/call_shell.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/install/leftovers.hpp"
#include "subscriber/programs/release_program.hpp"
#include "subscriber/tree/tree_check.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes block = KiB(4);  // of the disk, for each path

// Users of the sandbox pass through it to a tree, and cannot list it.
Status make_directory_of_trees(Layout const& layout) {
    if (auto made = make_directories(layout.root(), 0711); !made) return made;
    if (chmod(layout.root().c_str(), 0711) != 0) return fail_errno("set the mode of", layout.root());
    return {};
}

Status remove_release(Layout const& layout, ReleaseId const& release) {
    if (auto removed = remove_tree(layout.tree(release)); !removed) return removed;
    for (auto const& path : {layout.manifest(release), layout.marks(release), layout.lock(release)}) {
        if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", path);
    }
    return {};
}

// As for an installation: signed by a trusted key, the manifest that the release names, and every byte as it says.
Status verify(Layout const& layout, ReleaseId const& release, Digest const& wanted, TrustedKeys const& trusted) {
    auto const object = load_manifest_object(layout, release);
    if (!object) return pass(object.error());
    if (sha256(*object) != wanted)
        return fail(Fault::damaged, "the manifest of {} is another one", layout.tree(release).string());
    auto const manifest = load_manifest(layout, release, trusted);
    if (!manifest) return pass(manifest.error());
    auto const differences = verify_tree(layout, release, *manifest);
    if (!differences) return pass(differences.error());
    if (differences->empty()) return {};
    return fail(Fault::damaged, "{}: {}", layout.tree(release).string(), to_text(differences->front()));
}

std::string text_of(Buffer const& bytes) { return std::string(as_text(bytes)); }

SandboxRun::Stream outlet_of(CallStream stream) {
    return stream == CallStream::err ? SandboxRun::Stream::errors : SandboxRun::Stream::output;
}

CallRunEnded::How how_of(SandboxEnd::Kind kind) {
    switch (kind) {
        case SandboxEnd::Kind::exited: return CallRunEnded::How::exited;
        case SandboxEnd::Kind::not_started: return CallRunEnded::How::not_started;
        case SandboxEnd::Kind::timed_out: return CallRunEnded::How::timed_out;
        case SandboxEnd::Kind::too_much_output: return CallRunEnded::How::too_much_output;
        case SandboxEnd::Kind::stopped: return CallRunEnded::How::stopped;
        case SandboxEnd::Kind::killed: break;
    }
    return CallRunEnded::How::killed;
}

}  // namespace

Result<std::unique_ptr<CallShell>> CallShell::open(EventLoop& loop, Layout const& layout, InstallerSettings installer,
                                                   CallShellSettings settings, Log& log, Handlers handlers) {
    auto const calls = layout.for_calls();
    if (auto made = make_directory_of_trees(calls); !made) return pass(made.error());
    std::signal(SIGPIPE, SIG_IGN);  // a program may close its input
    auto sandbox = Sandbox::open(settings.sandbox, calls.root(), log);
    if (!sandbox) return pass(sandbox.error());
    return std::unique_ptr<CallShell>(new CallShell(loop, calls, std::move(installer), std::move(settings),
                                                    *std::move(sandbox), log, std::move(handlers)));
}

CallShell::CallShell(EventLoop& loop, Layout layout, InstallerSettings installer, CallShellSettings settings,
                     Sandbox sandbox, Log& log, Handlers handlers)
    : loop_(loop),
      log_(log),
      layout_(std::move(layout)),
      trusted_(installer.trusted),
      settings_(std::move(settings)),
      sandbox_(std::move(sandbox)),
      handlers_(std::move(handlers)),
      installer_(loop, layout_, std::move(installer), trees_, [this](Event event) { installed(std::move(event)); }),
      workers_(loop, 1, Workers::Priority::low) {}

CallShell::~CallShell() { installer_.stop(); }

Result<std::vector<CallShell::FoundTree>> CallShell::find_trees() {
    std::vector<FoundTree> found;
    auto const software = layout_.known_software();
    if (!software) return pass(software.error());
    for (auto const& name : *software) {
        if (auto cleared = clear_leftovers(layout_, name); !cleared) return pass(cleared.error());
        auto const releases = layout_.installed(name);
        if (!releases) return pass(releases.error());
        for (auto const& release : *releases) {
            if (auto const manifest = load_manifest(layout_, release)) {
                found.push_back({release, manifest->content_size() + Bytes(block.count() * manifest->entries.size())});
            } else if (auto removed = remove_release(layout_, release); !removed) {
                return pass(removed.error());
            }
        }
    }
    return found;
}

void CallShell::perform(CallAction const& action, Frame const& payload) {
    std::visit([&](auto const& concrete) { perform(concrete, payload); }, action);
}

// ---- trees ----

void CallShell::installed(Event event) {
    if (auto* const planned = std::get_if<PlanMade>(&event)) {
        raise(CallTreePlanned{planned->release, std::move(planned->plan)});
    } else if (auto* const staged = std::get_if<StageEnded>(&event)) {
        raise(CallTreeReady{staged->release, std::move(staged->status), std::move(staged->refetch)});
    }
}

void CallShell::perform(PlanCallTree const& action, Frame const&) {
    installer_.plan({action.materials, {}, Urgency::normal, Bytes()});
}

void CallShell::perform(StageCallTree const& action, Frame const&) {
    installer_.stage({action.materials, Urgency::normal, Bytes()});
}

void CallShell::perform(VerifyCallTree const& action, Frame const&) {
    workers_.submit([this, action] { return verify(layout_, action.release, action.manifest, trusted_); },
                    [this, action](Status status) {
                        raise(CallTreeReady{action.release, std::move(status)});
                    });
}

void CallShell::perform(RemoveCallTree const& action, Frame const&) {
    workers_.submit([this, action] { return remove_release(layout_, action.release); },
                    [this, action](Status status) {
                        raise(CallTreeRemoved{action.release, std::move(status)});
                    });
}

// ---- programs ----

void CallShell::perform(StartCall const& action, Frame const&) {
    SandboxRequest request{
        layout_.tree(action.release),
        action.program,
        {},
        environment_of(action.release, sandbox_tree),
        settings_.network.contains(action.release.software) ? NetworkAccess::host : NetworkAccess::none,
        action.slot,
        settings_.limits};
    for (auto const& argument : action.arguments) request.arguments.push_back(text_of(argument));
    request.limits.time = action.time;
    request.limits.output = action.output;
    auto const id = action.id;
    auto run = SandboxRun::start(
        loop_, sandbox_, request,
        {[this, id](SandboxRun::Stream stream, Buffer bytes) {
             written_ = std::move(bytes);
             raise(CallWrote{id, stream == SandboxRun::Stream::errors ? CallStream::err : CallStream::out,
                             Bytes(written_.size())});
         },
         [this, id](Bytes size) {
             raise(CallRead{id, size});
         },
         [this, id](SandboxEnd const& end) {
             auto const ended = runs_.extract(id);
             raise(CallRunEnded{id, how_of(end.kind), static_cast<std::uint64_t>(end.status), end.took,
                                end.processor_time});
         }});
    if (run) runs_.emplace(id, *std::move(run));
    raise(CallBegan{id, run ? Status() : pass(run.error())});
}

void CallShell::perform(FeedCall const& action, Frame const& payload) {
    auto const found = runs_.find(action.id);
    if (found == runs_.end()) return;
    if (payload.size() > 0) found->second->write(to_buffer(as_view(payload)));
    if (action.then == FeedCall::Then::end) found->second->end_input();
}

void CallShell::perform(AllowOutput const& action, Frame const&) {
    if (auto const found = runs_.find(action.id); found != runs_.end())
        found->second->allow(outlet_of(action.stream), action.most);
}

void CallShell::perform(SendOutput const& action, Frame const&) { handlers_.send(action.message, written_); }

void CallShell::perform(StopCall const& action, Frame const&) {
    if (auto const found = runs_.find(action.id); found != runs_.end()) found->second->stop();
}

}  // namespace lull::subscriber
