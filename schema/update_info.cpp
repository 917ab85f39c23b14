#include "schema/update_info.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "core/text.hpp"

namespace lull {

namespace {

constexpr std::array<std::string_view, 4> urgencies = {"background", "normal", "urgent", "immediate"};
constexpr std::array<std::string_view, 3> policies = {"wait", "restart", "now"};

template <class Enum>
Result<Enum> parse_word(std::string_view text, std::span<std::string_view const> words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (text == words[i]) return static_cast<Enum>(i);
    }
    return fail(Fault::usage, "{} has to be one of: {}", quoted(text), fmt::join(words, ", "));
}

Status validate_build(Build const& build, std::string_view release) {
    bool const manifest_fits = !build.manifest.unset() && !build.manifest_size.zero() &&
                               build.manifest_size <= limits::envelope;
    if (!manifest_fits || build.architecture.unset()) {
        return fail(Fault::refused, "{}: a build lacks its architecture or a manifest of 1 to {} bytes", release,
                    limits::envelope.count());
    }
    if (build.files > limits::files_per_manifest) {
        return fail(Fault::refused, "{}: {} files are more than {}", release, build.files, limits::files_per_manifest);
    }
    return {};
}

Status validate(UpdateInfo const& info) {
    auto const release = fmt::format("{} {}", info.software.text(), info.version.text());
    if (info.builds.empty() || info.builds.size() > limits::builds_per_release) {
        return fail(Fault::refused, "{} has {} builds instead of 1 to {}", release, info.builds.size(),
                    limits::builds_per_release);
    }
    for (auto build = info.builds.begin(); build != info.builds.end(); ++build) {
        if (auto status = validate_build(*build, release); !status) return status;
        auto const same = [&](Build const& other) { return other.architecture == build->architecture; };
        if (std::any_of(info.builds.begin(), build, same)) {
            return fail(Fault::refused, "{} has two builds for {}", release, build->architecture.text());
        }
    }
    auto const activation = info.activation ? validate(*info.activation) : Status();
    if (!activation) return fail(Fault::refused, "{}: {}", release, activation.error().message);
    auto const rollout = info.rollout ? validate(*info.rollout) : Status();
    if (!rollout) return fail(Fault::refused, "{}: {}", release, rollout.error().message);
    auto const callable = info.callable ? validate_callable(*info.callable) : Status();
    if (!callable) return fail(Fault::refused, "{}: {}", release, callable.error().message);
    return {};
}

}  // namespace

std::string_view to_text(Urgency urgency) { return urgencies.at(static_cast<std::size_t>(urgency)); }
std::string_view to_text(Policy policy) { return policies.at(static_cast<std::size_t>(policy)); }

Result<Urgency> parse_urgency(std::string_view text) { return parse_word<Urgency>(text, urgencies); }

Result<Policy> parse_policy(std::string_view text) { return parse_word<Policy>(text, policies); }

bool same_contents(std::vector<Build> const& a, std::vector<Build> const& b) {
    auto const same = [](Build const& one, Build const& other) {
        return one == other ||
               (one.architecture == other.architecture && one.contents && one.contents == other.contents);
    };
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same);
}

Build const* UpdateInfo::build_for(ArchitectureName const& architecture) const {
    auto const find = [this](std::string_view wanted) -> Build const* {
        auto const found = std::find_if(builds.begin(), builds.end(),
                                        [&](Build const& b) { return b.architecture.text() == wanted; });
        return found == builds.end() ? nullptr : &*found;
    };
    auto const* const exact = find(architecture.text());
    return exact != nullptr ? exact : find("any");
}

Result<UpdateInfo> open_update_info(Envelope const& envelope, TrustedKeys const& trusted) {
    if (envelope.payload.size() > limits::update_info.count()) {
        return fail(Fault::damaged, "update-info of {} bytes is larger than {}", envelope.payload.size(),
                    limits::update_info.count());
    }
    if (auto const status = check_signature(envelope, domain::update_info, trusted); !status) {
        return pass(status.error());
    }
    return decode_update_info(envelope.payload);
}

Result<UpdateInfo> decode_update_info(View payload) {
    auto info = decode<UpdateInfo>(payload, limits::update_info);
    if (!info) return info;
    if (auto const status = validate(*info); !status) return pass(status.error());
    return info;
}

}  // namespace lull
