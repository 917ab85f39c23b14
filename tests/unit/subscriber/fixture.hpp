#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "store/compression.hpp"
#include "subscriber/install/stager.hpp"
#include "tests/support/temporary_directory.hpp"

namespace lull::subscriber::test {

inline SoftwareName software(std::string_view text) { return SoftwareName::parse(text).value(); }
inline ReleaseId release(std::uint64_t seq, std::string_view version, std::string_view name = "app") {
    return {software(name), Seq{seq}, VersionName::parse(version).value()};
}

// What a test's release holds: a path that ends in '/' is a directory, "x:" before contents makes a program, "->" a
// link.
using Tree = std::map<std::string, std::string>;

inline std::string contents_of(fs::path const& path) {
    auto const bytes = read_file(path, MiB(256));  // a program with a sanitizer is large
    REQUIRE(bytes);
    return std::string(as_text(*bytes));
}

inline void write_text(fs::path const& path, std::string_view text) {
    auto const file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    REQUIRE(file);
    REQUIRE(write_exactly(file->get(), 0, as_view(text), path));
}

// Builds manifests and objects as a publisher would: contents laid end to end and cut every `cut` bytes.
class Publisher {
public:
    struct Release {
        Manifest manifest;
        Buffer envelope;
        std::map<Digest, store::StoredObject> objects;
    };

    explicit Publisher(std::size_t cut = 1000) : cut_(cut) {}

    [[nodiscard]] Release publish(ReleaseId const& id, Tree const& tree) const {
        Release made;
        made.manifest.software = id.software;
        made.manifest.version = id.version;
        made.manifest.architecture = ArchitectureName::parse("any").value();
        std::string stream;
        for (auto const& [path, text] : tree) made.manifest.entries.push_back(entry(path, text, stream));
        for (std::size_t at = 0; at < stream.size(); at += cut_) {
            auto object = store::pack_object(as_view(std::string_view(stream).substr(at, cut_)), store::quick_level);
            made.manifest.segments.push_back({object.shape.object, object.shape.plain});
            made.objects.insert_or_assign(object.shape.object, std::move(object));
        }
        seal_again(made);
        return made;
    }

    void seal_again(Release& made) const {
        made.envelope = encode(seal(encode(made.manifest), domain_of(made.manifest), key_));
    }

    // Turns it into a manifest of format 2, and then what `change` says.
    void make_second(Release& made, std::function<void(Manifest&)> const& change) const {
        made.manifest.format = 2;
        for (auto& entry : made.manifest.entries) {
            if (entry.type != EntryType::symlink) entry.mode = mode_of(entry);
            if (entry.type == EntryType::file) entry.modified = 1'700'000'000;
        }
        change(made.manifest);
        seal_again(made);
    }

    [[nodiscard]] TrustedKeys trusted() const { return TrustedKeys({key_.public_key()}); }

private:
    Entry entry(std::string path, std::string_view text, std::string& stream) const {
        Entry made;
        if (path.ends_with('/')) {
            path.pop_back();
            made.type = EntryType::directory;
        } else if (text.starts_with("->")) {
            made.type = EntryType::symlink;
            made.target = std::string(text.substr(2));
        } else {
            made.executable = text.starts_with("x:");
            if (made.executable) text.remove_prefix(2);
            made.size = Bytes(text.size());
            made.digest = sha256(as_view(text));
            if (!text.empty()) {
                made.segment = static_cast<std::uint32_t>(stream.size() / cut_);
                made.offset = Bytes(stream.size() % cut_);
            }
            stream += text;
        }
        made.path = std::move(path);
        return made;
    }

    std::size_t cut_;
    SigningKey key_ = SigningKey::generate();
};

// A node's disk in a temporary directory.
struct Node {
    explicit Node(std::size_t cut = 1000) : layout(directory.path()), objects(layout.incoming()), publisher(cut) {
        REQUIRE(layout.prepare());
    }

    // What the node would do once everything has been fetched.
    StageJob job(ReleaseId const& id, Tree const& tree) { return job(id, publisher.publish(id, tree)); }
    StageJob job(ReleaseId const& id, Publisher::Release made) {
        StageJob result{id, std::move(made.manifest), std::move(made.envelope), {}};
        for (auto const& [digest, object] : made.objects) {
            REQUIRE(objects.write(digest, Bytes(0), object.bytes));
            result.objects.emplace(digest, object.shape);
        }
        return result;
    }

    // An installed release, opened for the next one.
    InstalledBase const& base(ReleaseId const& id) {
        auto opened = InstalledBase::open(layout, id);
        if (!opened) FAIL(opened.error().message);
        return bases.emplace_back(std::move(*opened));
    }

    ReleaseId install(std::uint64_t seq, std::string_view version, Tree const& tree) {
        auto const id = release(seq, version);
        auto const staged = stage(job(id, tree), layout, objects, Bytes(0));
        if (!staged) FAIL(staged.error().error.message);
        return id;
    }

    lull::test::TemporaryDirectory directory;
    Layout layout;
    ObjectFiles objects;
    Publisher publisher;
    std::list<InstalledBase> bases;
};

// The test program as the contents of an executable file.
inline std::string program_contents() { return "x:" + contents_of(TEST_PROGRAM); }

// A process that a test has started, with its standard input and output. Ends when the object does.
class Child {
public:
    explicit Child(std::vector<std::string> words, fs::path const& directory = {}) {
        int input[2];
        int output[2];
        REQUIRE(pipe2(input, O_CLOEXEC) == 0);
        REQUIRE(pipe2(output, O_CLOEXEC) == 0);
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            dup2(input[0], STDIN_FILENO);
            dup2(output[1], STDOUT_FILENO);
            if (!directory.empty() && chdir(directory.c_str()) != 0) _exit(126);
            execv(arguments[0], arguments.data());
            _exit(127);
        }
        close(input[0]);
        close(output[1]);
        input_.reset(input[1]);
        output_.reset(output[0]);
    }
    ~Child() {
        input_.reset();
        if (!reaped_) waitpid(pid_, nullptr, 0);
    }
    Child(Child const&) = delete;
    Child& operator=(Child const&) = delete;

    [[nodiscard]] std::uint64_t pid() const { return static_cast<std::uint64_t>(pid_); }

    // Waits until it says that it holds what it should.
    void wait_ready() const {
        char letter = 0;
        REQUIRE(read(output_.get(), &letter, 1) == 1);
        REQUIRE(letter == 'r');
    }
    // Everything that it writes until it ends.
    [[nodiscard]] std::string output() const {
        std::string text;
        char letter = 0;
        while (read(output_.get(), &letter, 1) == 1) text += letter;
        return text;
    }
    [[nodiscard]] int output_descriptor() const { return output_.get(); }
    void end_input() { input_.reset(); }
    // Ends it, unless it ends by itself, and gives its exit status.
    int finish() {
        end_input();
        int status = 0;
        REQUIRE(waitpid(pid_, &status, 0) == pid_);
        reaped_ = true;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    pid_t pid_ = -1;
    FileDescriptor input_;
    FileDescriptor output_;
    bool reaped_ = false;
};

}  // namespace lull::subscriber::test
