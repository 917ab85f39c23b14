#pragma once

#include "core/text.hpp"
#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/model/events.hpp"

namespace lull::subscriber::test {

// A release whose programs are these scripts, a directory in which they may write, and what is told of them.
struct ScriptedRelease {
    explicit ScriptedRelease(Tree const& scripts) {
        Tree tree;
        for (auto const& [name, text] : scripts)
            tree[name] = "x:#!/bin/sh\ncd " + notes.path().string() + "\n" + text + "\n";
        id = node.install(1, "1.0", tree);
        fs::permissions(node.directory.path(), fs::perms(0755));  // programs run as somebody else
        fs::permissions(notes.path(), fs::perms(0777));
    }

    // To be given to what runs them: keeps what is told, and stops the loop when there is so much of it.
    [[nodiscard]] std::function<void(Event)> keep() {
        return [this](Event event) {
            told.push_back(std::move(event));
            if (told.size() == wanted) loop.stop();
        };
    }
    void wait_told(std::size_t count) {
        wanted = count;
        run_bounded(loop);
        REQUIRE(told.size() == count);
    }
    // A line for each call of a script that says so.
    [[nodiscard]] std::string note(std::string const& name) const {
        return fs::exists(notes / name) ? contents_of(notes / name) : "";
    }

    Node node;
    lull::test::TemporaryDirectory notes;
    ReleaseId id;
    EventLoop loop;
    std::vector<Event> told;
    std::size_t wanted = 1;
};

}  // namespace lull::subscriber::test
