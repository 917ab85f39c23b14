#include "schema/rollout.hpp"

#include <charconv>

#include "core/crypto.hpp"
#include "core/text.hpp"
#include "schema/limits.hpp"

namespace lull {

namespace {

constexpr std::uint64_t percent = all_nodes / 100;

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

// Digits of a whole number below 1000, or of two decimals.
std::optional<std::uint64_t> digits(std::string_view text, std::size_t most) {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool const whole = error == std::errc() && end == text.data() + text.size() && !text.empty() && text.size() <= most;
    return whole ? std::optional(value) : std::nullopt;
}

}  // namespace

Status validate(Rollout const& rollout) {
    if (rollout.stages.empty() || rollout.stages.size() > limits::rollout_stages) {
        return fail(Fault::refused, "a rollout has {} stages instead of 1 to {}", rollout.stages.size(),
                    limits::rollout_stages);
    }
    std::uint64_t before = 0;
    for (auto const share : rollout.stages) {
        if (share <= before)
            return fail(Fault::refused, "the stages of a rollout have to rise; {} does not", share_text(share));
        before = share;
    }
    if (before != all_nodes)
        return fail(Fault::refused, "the last stage of a rollout is {}, and has to be 100 %", share_text(before));
    if (rollout.pause > limits::deadline_seconds) {
        return fail(Fault::refused, "a stage of a rollout lasts {} seconds, and may last {}", rollout.pause,
                    limits::deadline_seconds);
    }
    if (rollout.halt_on && *rollout.halt_on > all_nodes)
        return fail(Fault::refused, "no more than 100 % of the nodes can fail");
    return {};
}

std::uint64_t place_in_rollout(SoftwareName const& software, VersionName const& version, NodeName const& node) {
    auto const digest = sha256(as_view(fmt::format("{} {} {}", software.text(), version.text(), node.text())));
    std::uint64_t place = 0;
    for (auto const byte : digest.view().first(sizeof(place)))
        place = place << 8U | std::to_integer<std::uint64_t>(byte);
    return place;
}

Result<std::uint64_t> parse_share(std::string_view text) {
    auto rest = trimmed(text);
    bool const has_sign = rest.ends_with('%');
    if (has_sign) rest = trimmed(rest.substr(0, rest.size() - 1));
    auto const point = rest.find('.');
    auto const whole = digits(rest.substr(0, point), 3);
    std::optional<std::uint64_t> hundredths = 0;
    if (point != std::string_view::npos) {
        auto const decimals = rest.substr(point + 1);
        hundredths = digits(decimals, 2);
        if (hundredths && decimals.size() == 1) *hundredths *= 10;
    }
    auto const share = whole && hundredths ? *whole * percent + *hundredths : 0;
    if (has_sign && share > 0 && share <= all_nodes) return share;
    return fail(Fault::usage, "{} is no share of the nodes; say it like 1%, 0.5% or 100%", quoted(text));
}

Result<std::vector<std::uint64_t>> parse_stages(std::string_view text) {
    Rollout rollout;
    for (std::size_t begin = 0; begin <= text.size();) {
        auto const end = std::min(text.find(',', begin), text.size());
        auto const share = parse_share(text.substr(begin, end - begin));
        if (!share) return pass(share.error());
        rollout.stages.push_back(*share);
        begin = end + 1;
    }
    if (rollout.stages.back() < all_nodes) rollout.stages.push_back(all_nodes);
    if (auto const valid = validate(rollout); !valid)
        return fail(Fault::usage, "{}; say it like 1%,10%,100%", valid.error().message);
    return std::move(rollout.stages);
}

Result<std::uint64_t> parse_halt(std::string_view text) {
    constexpr std::string_view failed = "failed";
    auto rest = trimmed(text);
    if (rest.starts_with(failed)) {
        rest = trimmed(rest.substr(failed.size()));
        if (rest.starts_with('>')) {
            rest = trimmed(rest.substr(1));
            if (rest == "0%" || rest == "0 %") return std::uint64_t{0};
            if (auto const share = parse_share(rest)) return share;
        }
    }
    return fail(Fault::usage, "{} is nothing that a rollout can halt on; say it like 'failed>2%'", quoted(text));
}

std::string share_text(std::uint64_t share) {
    auto const hundredths = share % percent;
    if (hundredths == 0) return fmt::format("{} %", share / percent);
    if (hundredths % 10 == 0) return fmt::format("{}.{} %", share / percent, hundredths / 10);
    return fmt::format("{}.{:02} %", share / percent, hundredths);
}

}  // namespace lull
