#include "tests/fuzz/targets.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/text.hpp"
#include "schema/identity.hpp"
#include "schema/patch.hpp"
#include "schema/wire.hpp"
#include "store/address_delta.hpp"
#include "store/compression.hpp"
#include "store/delta.hpp"
#include "tests/fuzz/seeds.hpp"
#include "tests/unit/schema/samples.hpp"
#include "tests/unit/store/program.hpp"

namespace lull::fuzz {

namespace {

template <class T>
void check_error(Result<T> const& result) {
    if (!result) LULL_INVARIANT(!result.error().message.empty() && !has_controls(result.error().message));
}

// Lexically inside of a directory, and not that directory's parent.
bool stays_inside(fs::path const& path) {
    auto const normal = path.lexically_normal();
    return !path.is_absolute() && (normal.empty() || *normal.begin() != "..");
}

void check_place(Entry const& entry, std::vector<std::string> const& allowed_links = {}) {
    fs::path const path(entry.path);
    LULL_INVARIANT(stays_inside(path) && path.lexically_normal() == path && entry.path.find('\0') == std::string::npos);
    if (entry.target && std::ranges::find(allowed_links, *entry.target) != allowed_links.end()) return;
    if (entry.target) LULL_INVARIANT(stays_inside(path.parent_path() / *entry.target));
}

// A file in memory that only we can open.
class MemoryFile {
public:
    MemoryFile() : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
        LULL_INVARIANT(file_.valid() && fchmod(file_.get(), 0600) == 0);
        path_ = fmt::format("/proc/self/fd/{}", file_.get());
    }
    fs::path const& holding(View bytes) {
        LULL_INVARIANT(ftruncate(file_.get(), 0) == 0 && write_exactly(file_.get(), 0, bytes, path_).has_value());
        return path_;
    }

private:
    FileDescriptor file_;
    fs::path path_;
};

std::vector<MessageType> message_types() {
    std::vector<MessageType> types;
    for (auto const& message : test::messages()) types.push_back(type_of(message));
    return types;
}

}  // namespace

void message(View bytes) {
    static auto const types = message_types();
    auto const announced = wire::decode_announcement(bytes);
    check_error(announced);
    if (announced) LULL_INVARIANT(wire::decode_announcement(wire::encode_announcement(*announced)) == *announced);
    check_error(wire::decode_header(bytes.first(std::min(bytes.size(), wire::header_size))));
    if (bytes.empty()) return;
    auto const type = types[std::to_integer<std::size_t>(bytes[0]) % types.size()];
    auto const decoded = wire::decode_body(type, bytes.subspan(1));
    check_error(decoded);
    if (decoded) LULL_INVARIANT(wire::decode_body(type, wire::encode_body(*decoded)) == *decoded);
}

void manifest(View bytes) {
    auto const decoded = decode<Manifest>(bytes, limits::manifest_payload);
    check_error(decoded);
    if (!decoded) return;
    LULL_INVARIANT(decode<Manifest>(encode(*decoded), limits::manifest_payload) == *decoded);
    auto const status = validate(*decoded);
    check_error(status);
    if (!status) return;
    auto const allowed = decoded->allowed_links.value_or(std::vector<std::string>());
    for (auto const& entry : decoded->entries) check_place(entry, allowed);
}

void patch(View bytes) {
    static auto const old = test::manifest();
    auto const decoded = decode_patch(bytes);
    check_error(decoded);
    if (!decoded) return;
    LULL_INVARIANT(decode_patch(encode(*decoded)) == *decoded);
    for (auto const& step : decoded->steps) {
        auto const length = length_of(step.base, old);
        check_error(length);
        if (length) LULL_INVARIANT(*length <= limits::delta_base);
    }
}

namespace {

// The same bytes as what stands packed in an address delta: changes to the frame hardly ever get behind zstd's own
// checks.
void side_information(View bytes) {
    static test::AddressDeltaParts const parts(address_delta());
    static auto const base = delta_base();
    auto changed = parts;
    changed.side = to_buffer(bytes);
    Buffer result(parts.plain);
    check_error(store::apply_address_delta(base, changed.frame(), result));
}

}  // namespace

void delta(View bytes) {
    static auto const plain = delta_result();
    static Segment const segment{sha256(plain), Bytes(plain.size())};
    auto const applied = store::apply_delta(segment, delta_base(), bytes);
    check_error(applied);
    if (applied) LULL_INVARIANT(*applied == plain);
    (void)store::plain_size(bytes);
    side_information(bytes);
}

void path(View bytes) {
    auto const text = as_text(bytes);
    auto const line = text.find('\n');
    Entry entry;
    entry.path = text.substr(0, line);
    auto const good_path = validate_path(entry.path);
    check_error(good_path);
    if (!good_path) return;
    if (line != std::string_view::npos) {
        auto const target = text.substr(line + 1);
        auto const good_link = validate_link(entry.path, target);
        check_error(good_link);
        if (good_link) entry.target = target;
    }
    check_place(entry);
}

void envelope(View bytes) {
    TrustedKeys const trusted({test::counted<32>(3)});  // the key of the samples, whose secret half nobody has
    auto const opened = decode<Envelope>(bytes, limits::envelope);
    check_error(opened);
    if (opened) {
        LULL_INVARIANT(!check_signature(*opened, domain::manifest, trusted).has_value());
        LULL_INVARIANT(!open_update_info(*opened, trusted).has_value());
        check_error(decode_update_info(opened->payload));
    }
    check_error(decode_update_info(bytes));
    LULL_INVARIANT(!open_manifest(bytes, sha256(bytes), trusted).has_value());
}

void identity(View bytes) {
    static MemoryFile file;
    auto const text = as_text(bytes);
    auto const address = BrokerAddress::parse(text);
    check_error(address);
    if (address) LULL_INVARIANT(BrokerAddress::parse(address->to_text()) == *address);
    check_error(SoftwareName::parse(text));
    check_error(PeerKey::parse(text));
    LULL_INVARIANT(is_utf8(quoted(text)) && !has_controls(quoted(text)));
    check_error(PublicIdentity::load(file.holding(bytes)));
    check_error(JoinBundle::load(file.holding(bytes)));
}

namespace {

void order_set(View bytes) {
    auto const decoded = decode<OrderSet>(bytes, limits::control_message);
    check_error(decoded);
    if (!decoded) return;
    LULL_INVARIANT(decode<OrderSet>(encode(*decoded), limits::control_message) == *decoded);
    OrderSet set;
    for (auto const& order : decoded->orders) {
        check_error(validate(order));
        set.put(order);
        LULL_INVARIANT(*set.find(order.kind, order.software) == order);
    }
    for (auto const& order : decoded->orders) {
        if (set.remove(order.kind, order.software)) LULL_INVARIANT(set.find(order.kind, order.software) == nullptr);
    }
    LULL_INVARIANT(set.orders.empty());
}

void rollout(View bytes) {
    auto const decoded = decode<Rollout>(bytes, limits::control_message);
    check_error(decoded);
    if (decoded && validate(*decoded))
        LULL_INVARIANT(std::ranges::is_sorted(decoded->stages) && decoded->stages.back() == all_nodes);
}

}  // namespace

void orders(View bytes) {
    order_set(bytes);
    rollout(bytes);
    auto const text = as_text(bytes);
    auto const stages = parse_stages(text);
    check_error(stages);
    if (stages) LULL_INVARIANT(validate(Rollout{*stages}).has_value());
    auto const share = parse_share(text);
    check_error(share);
    if (share) LULL_INVARIANT(parse_share(share_text(*share)) == *share);
    check_error(parse_halt(text));
    auto const version = VersionName::parse(text);
    check_error(version);
    if (!version) return;
    LULL_INVARIANT(VersionName::parse(contents_of(*version).text()).has_value());
    auto const back = version_back_to(*version, 8);
    check_error(back);
    if (back) LULL_INVARIANT(contents_of(*back) == contents_of(*version));
}

std::vector<Target> const& targets() {
    static std::vector<Target> const all = {
        {"fuzz_message", message, message_seeds},
        {"fuzz_manifest", manifest, manifest_seeds},
        {"fuzz_patch", patch, patch_seeds},
        {"fuzz_delta", delta, delta_seeds},
        {"fuzz_path", path, path_seeds},
        {"fuzz_envelope", envelope, envelope_seeds},
        {"fuzz_identity", identity, identity_seeds},
        {"fuzz_orders", orders, order_seeds},
    };
    return all;
}

Target const& target(std::string_view name) {
    auto const found = std::find_if(targets().begin(), targets().end(),
                                    [name](Target const& t) { return t.name == name; });
    LULL_INVARIANT(found != targets().end());
    return *found;
}

}  // namespace lull::fuzz
