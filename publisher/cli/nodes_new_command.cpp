#include <unistd.h>

#include "publisher/cli/commands.hpp"
#include "publisher/cli/key_settings.hpp"
#include "publisher/client/query.hpp"
#include "schema/limits.hpp"

namespace lull::publisher {

namespace {

// A new bundle file; the destructor deletes it unless keep() was called.
class BundleFile {
public:
    static Result<BundleFile> claim(fs::path const& path) {
        auto const made = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (made) return BundleFile(path);
        if (errno != EEXIST) return pass(made.error());
        return fail(Fault::refused, "cannot write {}: the file exists; delete it, or name another file with --out",
                    path.string());
    }
    ~BundleFile() {
        if (!path_.empty()) unlink(path_.c_str());
    }
    BundleFile(BundleFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    BundleFile& operator=(BundleFile&&) = delete;

    [[nodiscard]] fs::path const& path() const { return path_; }
    void keep() { path_.clear(); }

private:
    explicit BundleFile(fs::path path) : path_(std::move(path)) {}
    fs::path path_;
};

// The operator's own signing key and those of the files that --trust names.
Result<std::vector<Ed25519Public>> trusted_keys(Identity const& identity, std::vector<fs::path> const& files) {
    std::vector<Ed25519Public> keys{identity.open.signing};
    for (auto const& file : files) {
        auto const other = PublicIdentity::load(file);
        if (!other) return pass(other.error());
        if (std::find(keys.begin(), keys.end(), other->signing) == keys.end()) keys.push_back(other->signing);
    }
    if (keys.size() <= limits::signatures) return keys;
    return fail(Fault::usage, "a node trusts at most {} signing keys; --trust and your own key make {}",
                limits::signatures, keys.size());
}

// The file is complete before the broker enrols the node: a node whose key is lost would be enrolled for nothing.
Status nodes_new(Arguments const& arguments) {
    auto const settings = new_node_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const broker = broker_of(settings->connection);
    if (!broker) return pass(broker.error());
    auto const identity = load_identity(settings->connection);
    if (!identity) return pass(identity.error());
    auto trusted = trusted_keys(*identity, settings->trust);
    if (!trusted) return pass(trusted.error());

    auto const pair = CurveKeyPair::generate();
    JoinBundle const bundle{settings->name, *broker, pair.secret_key, std::move(*trusted)};
    auto file = BundleFile::claim(settings->out);
    if (!file) return pass(file.error());
    if (auto status = bundle.save(file->path()); !status) return status;

    Admin question;
    question.verb = AdminVerb::nodes_new;
    question.node = settings->name;
    question.key = PeerKey(pair.public_key);
    if (auto const answer = request(client_options(*broker, *identity), question); !answer) return pass(answer.error());
    auto const path = file->path().string();
    file->keep();
    return print(
        fmt::format("wrote {} (secret: it holds the node's key)\n"
                    "copy it to the node and run there: lull-node join {}\n",
                    path, fs::path(path).filename().string()));
}

}  // namespace

Command nodes_new_command() {
    return {.name = "nodes new",
            .summary = "enrol a node and write its join bundle",
            .positional = {"NAME"},
            .options = {{.name = "out", .help = "file for the join bundle (default: NAME.join)", .placeholder = "FILE"},
                        {.name = "trust",
                         .help = "public key of another publisher whose releases the node accepts",
                         .placeholder = "PUBLIC.KEY",
                         .many = true}},
            .example = "lull nodes new till-17 --trust bob/public.key",
            .run = nodes_new};
}

}  // namespace lull::publisher
