#include <unistd.h>

#include "publisher/commands.hpp"
#include "publisher/settings.hpp"
#include "publisher/views.hpp"
#include "schema/limits.hpp"

namespace lull::publisher {

namespace {

Status nodes(Arguments const& arguments) {
    auto const options = connection_of(arguments);
    if (!options) return pass(options.error());
    Admin question;
    question.verb = AdminVerb::nodes;
    auto const answer = request(*options, question);
    if (!answer) return pass(answer.error());
    return arguments.flag("json") ? print_json(nodes_json(*answer)) : print(nodes_text(*answer, painting_for_output()));
}

// A bundle file that is ours from the beginning and disappears again unless it is kept.
class BundleFile {
public:
    static Result<BundleFile> claim(fs::path const& path) {
        auto const made = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (made) return BundleFile(path);
        if (errno != EEXIST) return pass(made.error());
        return fail(Fault::refused, "{} exists and is not overwritten; name another file with --out", path.string());
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

// Our own signing key and those of the files that --trust names.
Result<std::vector<Ed25519Public>> trusted_keys(Identity const& identity, std::vector<std::string> const& files) {
    std::vector<Ed25519Public> keys{identity.open.signing};
    for (auto const& file : files) {
        auto const other = PublicIdentity::load(file);
        if (!other) return pass(other.error());
        if (std::find(keys.begin(), keys.end(), other->signing) == keys.end()) keys.push_back(other->signing);
    }
    if (keys.size() <= limits::signatures) return keys;
    return fail(Fault::usage, "a node trusts at most {} signing keys, and these are {}", limits::signatures,
                keys.size());
}

// The file is complete before the broker hears of the node: an enrolled node whose key is lost would be of no use.
Status nodes_new(Arguments const& arguments) {
    auto const name = NodeName::parse(arguments.positional().front());
    if (!name) return pass(name.error());
    auto const broker = broker_of(arguments);
    if (!broker) return pass(broker.error());
    auto const identity = load_identity(arguments);
    if (!identity) return pass(identity.error());
    auto trusted = trusted_keys(*identity, arguments.all("trust"));
    if (!trusted) return pass(trusted.error());

    auto const pair = CurveKeyPair::generate();
    JoinBundle const bundle{*name, *broker, pair.secret_key, std::move(*trusted)};
    auto file = BundleFile::claim(arguments.has("out") ? arguments.text("out") : name->text() + ".join");
    if (!file) return pass(file.error());
    if (auto status = bundle.save(file->path()); !status) return status;

    Admin question;
    question.verb = AdminVerb::nodes_new;
    question.node = *name;
    question.key = PeerKey(pair.public_key);
    if (auto const answer = request(client_options(*broker, *identity), question); !answer) return pass(answer.error());
    auto const path = file->path().string();
    file->keep();
    return print(
        fmt::format("wrote {} (secret: it holds the node's key)\n"
                    "bring it to the node and run there: lull-node join {}\n",
                    path, fs::path(path).filename().string()));
}

}  // namespace

Command nodes_command() {
    return {.name = "nodes",
            .summary = "show the nodes that the broker knows",
            .positional = {},
            .options = {{.name = "json", .help = "print JSON"}},
            .example = "lull nodes",
            .run = nodes};
}

Command nodes_new_command() {
    return {.name = "nodes new",
            .summary = "enrol a node, and write the file that it joins with",
            .positional = {"NAME"},
            .options = {{.name = "out", .help = "file to write (default: NAME.join)", .placeholder = "FILE"},
                        {.name = "trust",
                         .help = "public.key of somebody else whose releases the node takes",
                         .placeholder = "PUBLIC.KEY",
                         .many = true}},
            .example = "lull nodes new till-17 --trust bob/public.key",
            .run = nodes_new};
}

}  // namespace lull::publisher
