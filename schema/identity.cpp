#include "schema/identity.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include "core/json.hpp"
#include "schema/limits.hpp"

namespace lull {

namespace {

constexpr Bytes most_file = KiB(64);
constexpr mode_t secret_file = 0600;
constexpr mode_t open_file_mode = 0644;
constexpr mode_t secret_directory = 0700;
constexpr std::string_view public_kind = "lull public key 1";
constexpr std::string_view bundle_kind = "lull join bundle 1";
constexpr std::string_view get_public = "ask its owner for the file public.key again ('lull keygen' made it)";
constexpr std::string_view get_bundle = "make a new one with: lull nodes new NAME";

// For a file that cannot be read. Where only the rights are missing, a new file is not what helps.
tl::unexpected<Error> unreadable(Error const& error, std::string_view advice) {
    return fail(error.fault, "{}; {}", error.message,
                error.fault == Fault::refused ? "run this as the user to whom it belongs" : advice);
}

// A JSON object from a file of ours; every error names the file and says where to get a good one.
class Record {
public:
    static Result<Record> load(fs::path const& path, std::string_view kind, std::string_view advice) {
        auto const bytes = read_file(path, most_file);
        if (!bytes) return unreadable(bytes.error(), advice);
        auto const text = as_text(*bytes);
        Record record{path, advice, Json::parse(text.begin(), text.end(), nullptr, false)};
        if (!record.json_.is_object()) return record.bad("it is no JSON object");
        auto const found = record.text("kind");
        if (!found || *found != kind) return record.bad(fmt::format("its kind is not \"{}\"", kind));
        return record;
    }

    tl::unexpected<Error> bad(std::string_view why) const {
        return fail(Fault::damaged, "cannot use {}: {}; {}", path_.string(), why, advice_);
    }

    Result<std::string> text(char const* key) const {
        auto const found = json_.find(key);
        if (found == json_.end() || !found->is_string()) return bad(fmt::format("\"{}\" is missing or no text", key));
        return found->get<std::string>();
    }

    Result<std::vector<std::string>> texts(char const* key) const {
        auto const found = json_.find(key);
        if (found == json_.end() || !found->is_array()) return bad(fmt::format("\"{}\" is missing or no list", key));
        std::vector<std::string> all;
        for (auto const& element : *found) {
            if (!element.is_string()) return bad(fmt::format("\"{}\" holds something that is no text", key));
            all.push_back(element.get<std::string>());
        }
        return all;
    }

    Result<PeerKey> key(char const* key) const {
        auto const hex = text(key);
        if (!hex) return pass(hex.error());
        return parse_key(key, *hex);
    }

    Result<PeerKey> parse_key(char const* key, std::string const& hex) const {
        auto const parsed = PeerKey::parse(hex);
        if (!parsed) return bad(fmt::format("\"{}\" is not 64 hexadecimal digits", key));
        return *parsed;
    }

private:
    Record(fs::path path, std::string_view advice, Json json)
        : path_(std::move(path)),
          advice_(advice),
          json_(std::move(json)) {}

    fs::path path_;
    std::string_view advice_;
    Json json_;
};

Status check_name(std::string_view name) {
    auto const checked = detail::parse_name(name, "name of a key", "._-@", 64, "ci@build-3");
    if (!checked) return pass(checked.error());
    return {};
}

Status save_json(fs::path const& path, Json const& json, mode_t mode) {
    return write_file_durably(path, as_view(json.dump(2) + "\n"), mode);
}

std::string advise_keygen(fs::path const& directory) {
    return fmt::format("run: lull keygen --keys {}", directory.string());
}

// A secret from a file that must be closed to others.
Result<std::string> read_secret(fs::path const& path, fs::path const& directory) {
    auto const bytes = read_file(path, most_file);
    if (!bytes) {
        return unreadable(bytes.error(), fmt::format("restore it from a copy of {0}; without one, move {0} away, {1}, "
                                                     "and have the new public.key enrolled",
                                                     directory.string(), advise_keygen(directory)));
    }
    if (auto const status = require_private(path); !status) return pass(status.error());
    return std::string(as_text(*bytes));
}

Result<PeerKey> read_curve_secret(fs::path const& directory) {
    auto const path = directory / "curve.secret";
    auto text = read_secret(path, directory);
    if (!text) return pass(std::move(text.error()));
    while (text->ends_with('\n')) text->pop_back();
    auto const key = PeerKey::parse(*text);
    if (!key) {
        return fail(Fault::damaged,
                    "cannot use {}: it is not 64 hexadecimal digits; restore it from a copy, or move {} away and {}",
                    path.string(), directory.string(), advise_keygen(directory));
    }
    return *key;
}

Result<SigningKey> read_signing_key(fs::path const& directory, std::string_view passphrase) {
    auto const path = directory / "signing.pem";
    auto const text = read_secret(path, directory);
    if (!text) return pass(text.error());
    auto key = SigningKey::from_pem(*text, passphrase);
    if (!key) return fail(key.error().fault, "cannot use {}: {}", path.string(), key.error().message);
    return key;
}

constexpr std::array key_files{"curve.secret", "signing.pem", "public.key"};

Status refuse_existing(fs::path const& directory) {
    for (auto const* const name : key_files) {
        std::error_code ignored;
        if (fs::symlink_status(directory / name, ignored).type() == fs::file_type::not_found) continue;
        return fail(Fault::refused,
                    "cannot write keys to {}: {} is there already, and whoever trusts it would be lost; "
                    "choose another directory, or move that file away first",
                    directory.string(), name);
    }
    return {};
}

}  // namespace

Result<PublicIdentity> PublicIdentity::load(fs::path const& path) {
    auto const record = Record::load(path, public_kind, get_public);
    if (!record) return pass(record.error());
    auto name = record->text("name");
    if (!name) return pass(std::move(name.error()));
    if (auto const status = check_name(*name); !status) return record->bad(status.error().message);
    auto const curve = record->key("curve");
    if (!curve) return pass(curve.error());
    auto const signing = record->key("signing");
    if (!signing) return pass(signing.error());
    return PublicIdentity{std::move(*name), *curve, signing->bytes()};
}

Status PublicIdentity::save(fs::path const& path) const {
    if (auto status = check_name(name); !status) return status;
    Json const json = {{"kind", public_kind}, {"name", name}, {"curve", curve.hex()}, {"signing", to_hex(signing)}};
    return save_json(path, json, open_file_mode);
}

Result<Identity> SecretIdentity::load(fs::path const& directory, std::string_view passphrase) {
    std::error_code ignored;
    if (!fs::is_directory(directory, ignored)) {
        return fail(Fault::not_found, "cannot load keys: there is no directory {}; {}", directory.string(),
                    advise_keygen(directory));
    }
    if (auto const status = require_private(directory); !status) return pass(status.error());
    auto const curve = read_curve_secret(directory);
    if (!curve) return pass(curve.error());
    auto signing = read_signing_key(directory, passphrase);
    if (!signing) return pass(std::move(signing.error()));
    auto open = PublicIdentity::load(directory / "public.key");
    if (!open) return pass(std::move(open.error()));
    if (open->signing != signing->public_key()) {
        return fail(Fault::damaged,
                    "the files public.key and signing.pem in {} do not belong together; restore both from one copy",
                    directory.string());
    }
    auto name = open->name;
    return Identity{std::move(*open), SecretIdentity{std::move(name), curve->bytes(), std::move(*signing)}};
}

Status SecretIdentity::save(fs::path const& directory, std::string_view passphrase, PublicIdentity const& open) const {
    LULL_INVARIANT(open.signing == signing.public_key() && open.name == name);
    if (auto status = check_name(name); !status) return status;
    if (auto status = make_directories(directory, secret_directory); !status) return status;
    if (auto status = require_private(directory); !status) return status;
    if (auto status = refuse_existing(directory); !status) return status;
    auto const hex = to_hex(curve_secret) + "\n";
    auto const pem = signing.to_pem(passphrase);
    auto status = write_file_durably(directory / "curve.secret", as_view(hex), secret_file);
    if (status) status = write_file_durably(directory / "signing.pem", as_view(pem), secret_file);
    if (status) status = open.save(directory / "public.key");
    if (status) return status;
    // Nobody knows these keys yet, and what is left of them would stand in the way of the next try.
    std::error_code ignored;
    for (auto const* const file : key_files) fs::remove(directory / file, ignored);
    return status;
}

Result<JoinBundle> JoinBundle::load(fs::path const& path) {
    auto const record = Record::load(path, bundle_kind, get_bundle);
    if (!record) return pass(record.error());
    if (auto const status = require_private(path); !status) return pass(status.error());
    auto const node = record->text("node").and_then(NodeName::parse);
    if (!node) return record->bad(node.error().message);
    auto const broker = record->text("broker").and_then(BrokerAddress::parse);
    if (!broker) return record->bad(broker.error().message);
    auto const secret = record->key("curve_secret");
    if (!secret) return pass(secret.error());
    auto const trusted = record->texts("trusted");
    if (!trusted) return pass(trusted.error());
    if (trusted->empty() || trusted->size() > limits::signatures) {
        return record->bad(
            fmt::format("\"trusted\" holds {} keys instead of 1 to {}", trusted->size(), limits::signatures));
    }
    JoinBundle bundle{*node, *broker, secret->bytes(), {}};
    for (auto const& hex : *trusted) {
        auto const key = record->parse_key("trusted", hex);
        if (!key) return pass(key.error());
        bundle.trusted.push_back(key->bytes());
    }
    return bundle;
}

Status JoinBundle::save(fs::path const& path) const {
    LULL_INVARIANT(!node.unset() && !trusted.empty() && trusted.size() <= limits::signatures);
    Json json = {{"kind", bundle_kind},
                 {"node", node.text()},
                 {"broker", broker.to_text()},
                 {"curve_secret", to_hex(curve_secret)}};
    json["trusted"] = Json::array();
    for (auto const& key : trusted) json["trusted"].push_back(to_hex(key));
    return save_json(path, json, secret_file);
}

}  // namespace lull
