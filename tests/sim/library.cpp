#include "tests/sim/library.hpp"

namespace lull::sim {

namespace {

constexpr std::size_t segments_per_release = 8;
constexpr std::size_t largest_segment = 24 * 1024;

// Fixed, so that runs can be repeated: the private key is 32 zero bytes.
SigningKey test_key() {
    auto key = SigningKey::from_pem(
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
        "-----END PRIVATE KEY-----\n",
        "");
    LULL_INVARIANT(key.has_value());
    return std::move(*key);
}

ArchitectureName any() { return *ArchitectureName::parse("any"); }

}  // namespace

Library::Library(Random& random) : random_(random), key_(test_key()) {}

Digest Library::keep(Buffer bytes) {
    auto const digest = sha256(bytes);
    objects_.emplace(digest, std::move(bytes));
    return digest;
}

Buffer Library::random_bytes(std::size_t size) {
    Buffer bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random_.below(256));
    return bytes;
}

MadeRelease Library::make(SoftwareName const& software, std::size_t number, WallTime now) {
    auto const version = *VersionName::parse(fmt::format("1.{}", number));
    auto& segments = newest_[software];
    segments.resize(segments_per_release);
    for (auto& segment : segments) {
        if (segment.unset() || random_.chance(0.4)) segment = keep(random_bytes(1 + random_.below(largest_segment)));
    }
    Manifest manifest{software, version, any(), {}, {}, {}};
    for (std::size_t i = 0; i < segments.size(); ++i) {
        Bytes const size(objects_.at(segments[i]).size());
        manifest.segments.push_back({segments[i], size});
        manifest.entries.push_back({.path = fmt::format("file-{}", i),
                                    .size = size,
                                    .digest = segments[i],
                                    .segment = static_cast<std::uint32_t>(i),
                                    .offset = Bytes(),
                                    .target = std::nullopt});
    }
    LULL_INVARIANT(validate(manifest).has_value());
    auto const content = manifest.content_size();
    auto const digest = keep(encode(seal(encode(manifest), domain::manifest, key_)));
    manifests_.emplace(digest, std::move(manifest));
    UpdateInfo info{
        software, version, now, {{any(), digest, Bytes(objects_.at(digest).size()), content, segments.size()}}, {}};
    return publish(std::move(info), digest);
}

std::optional<MadeRelease> Library::make_back(SoftwareName const& software, VersionName const& older, Seq from,
                                              WallTime now) {
    auto const version = *version_back_to(older, from.value);
    if (by_version_.contains({software, version})) return std::nullopt;
    auto const digest = digest_of(software, older);
    return publish({software, version, now, infos_.at({software, older}).builds, {}}, digest);
}

MadeRelease Library::publish(UpdateInfo info, Digest const& manifest) {
    auto& segments = newest_[info.software];
    segments.clear();
    for (auto const& segment : manifests_.at(manifest).segments) segments.push_back(segment.digest);
    if (broken_share_) make_activation(info);
    if (!callable_.empty()) info.callable = std::vector<std::string>{callable_};
    if (staged_) make_rollout(info);
    if (staged_) make_hooks(info);
    LULL_INVARIANT(!info.rollout || validate(*info.rollout).has_value());
    by_version_[{info.software, info.version}] = manifest;
    infos_[{info.software, info.version}] = info;
    auto update = seal(encode(info), domain::update_info, key_);
    return {std::move(info), std::move(update), manifest, segments};
}

void Library::make_rollout(UpdateInfo& info) {
    if (random_.chance(0.5)) return;
    constexpr std::uint64_t percent = all_nodes / 100;
    Rollout rollout;
    for (auto share = 1 + random_.below(40); share < 100; share += 20 + random_.below(60))
        rollout.stages.push_back(share * percent);
    rollout.stages.push_back(all_nodes);
    rollout.pause = random_.below(60);
    if (random_.chance(0.7)) rollout.halt_on = random_.below(40) * percent;
    info.rollout = std::move(rollout);
}

void Library::make_hooks(UpdateInfo& info) {
    if (random_.chance(0.6)) return;
    std::vector<Hook> hooks(1 + random_.below(3));
    for (std::size_t i = 0; i < hooks.size(); ++i) {
        auto const fate = random_.below(20);
        hooks[i].time = random_.chance(0.5) ? HookTime::before : HookTime::after;
        hooks[i].program = fmt::format("hooks/{}-{}", i, fate == 0 ? "fails" : fate == 1 ? "kills" : "works");
    }
    if (!info.activation) info.activation.emplace();
    info.activation->hooks = std::move(hooks);
}

HookFate Library::fate_of(Hook const& hook) {
    if (hook.program.ends_with("-fails")) return HookFate::fails;
    return hook.program.ends_with("-kills") ? HookFate::kills : HookFate::works;
}

void Library::make_activation(UpdateInfo& info) {
    auto const chance = random_.below(100);
    info.policy = chance < 60 ? Policy::wait : chance < 85 ? Policy::restart : Policy::now;
    if (random_.chance(0.2)) return;
    Activation how;
    how.grace = random_.below(20);
    if (random_.chance(0.3)) how.deadline = 30 + random_.below(600);
    if (random_.chance(0.6)) how.health = HealthCheck{"bin/check", {}};
    if (random_.chance(0.3)) how.units = {"kiosk.service"};
    if (how.health && random_.chance(*broken_share_)) broken_.insert({info.software, info.version});
    info.activation = std::move(how);
}

broker::MadePatch const& Library::make_patch(broker::PatchId const& id, broker::Effort effort) {
    if (auto const known = patches_.find({id, effort}); known != patches_.end()) return known->second;
    std::set<Digest> old;
    for (auto const& segment : manifests_.at(id.from).segments) old.insert(segment.digest);
    Patch patch{id.from, id.to, random_bytes(20), {}};
    broker::MadePatch made;
    auto const& segments = manifests_.at(id.to).segments;
    for (std::uint32_t i = 0; i < segments.size(); ++i) {
        if (old.contains(segments[i].digest)) continue;
        Step step;
        step.segment = i;
        step.object = segments[i].digest;
        step.size = segments[i].size;
        if (random_.chance(0.8)) {
            step.object = keep(random_bytes(1 + segments[i].size.count() / 4));
            step.size = Bytes(objects_.at(*step.object).size());
            if (!random_.chance(lies_)) deltas_.insert({*step.object, segments[i].digest});
            made.deltas.push_back(*step.object);
            made.stored += step.size;
        }
        made.to_fetch += step.size;
        patch.steps.push_back(std::move(step));
    }
    made.object = keep(encode(patch));
    made.size = Bytes(objects_.at(made.object).size());
    made.stored += made.size;
    return patches_.emplace(std::pair(id, effort), std::move(made)).first->second;
}

bool Library::gives(Digest const& delta, Digest const& segment) const { return deltas_.contains({delta, segment}); }

Manifest const* Library::manifest(Digest const& digest) const {
    auto const found = manifests_.find(digest);
    return found == manifests_.end() ? nullptr : &found->second;
}

Bytes Library::tight_room() const {
    std::map<SoftwareName, Bytes> largest;
    Bytes most{};
    for (auto const& [digest, manifest] : manifests_) {
        auto& size = largest[manifest.software];
        size = std::max(size, manifest.content_size());
        most = std::max(most, size);
    }
    Bytes room = most + most + Bytes(most.count() / 2) + KiB(8);
    for (auto const& [software, size] : largest) room += size;
    return room;
}

Manifest const& Library::manifest_of(SoftwareName const& software, VersionName const& version) const {
    return manifests_.at(by_version_.at({software, version}));
}

}  // namespace lull::sim
