#!/usr/bin/env python3
"""Measures the rooms of the house: house.py [COMMIT]

Prints the largest classes by members and by methods, the largest files, and median and p90 of the lines of files and
functions in core/, schema/, store/, broker/, publisher/ and subscriber/, of the work tree or of a commit.

The figures come from the text, not from a compiler. Comments, strings and preprocessor lines are blanked out first.
Members are non-static data of a class itself. Methods are the functions that a class declares, constructors included;
defaulted and deleted functions do not count. A function's lines run from its declaration to its closing brace; lambdas
belong to the function around them.
"""
import argparse
import io
import os
import re
import statistics
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field

ROOMS = ("core", "schema", "store", "broker", "publisher", "subscriber")
BLANK = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#[^\n]*',
                   re.DOTALL | re.MULTILINE)
NO_MEMBER = re.compile(r"(using|friend|typedef|static_assert|enum|struct|class|static|template|concept)\b")
LABELS = re.compile(r"^\s*(?:(?:public|protected|private)\s*:\s*)+")


@dataclass
class Scope:
    """A pair of braces: what it holds, and where its declaration begins."""
    kind: str  # namespace, class, function, other
    name: str = ""
    begin: int = 0
    members: int = 0
    methods: int = 0


@dataclass
class House:
    files: dict = field(default_factory=dict)      # name: lines
    functions: list = field(default_factory=list)  # (lines, "file:line")
    classes: list = field(default_factory=list)    # (members, methods, "file name")


def blank(match):
    """As many lines as before, without the text; digit separators stay."""
    return re.sub(r"[^\n]", " ", match.group())


def without_arguments(text):
    """A declaration without what stands in angle brackets and attributes."""
    text = re.sub(r"\[\[.*?\]\]", " ", text, flags=re.DOTALL)
    text = re.sub(r"operator\s*(<=>|<<|>>|<|>|\(\))", "operator_", text)
    text = text.replace("->", " ")
    before = None
    while before != text:
        before, text = text, re.sub(r"<[^<>]*>", " ", text)
    return text


def kind_of(declaration, parent):
    """What the brace after this declaration opens, and its name."""
    plain = LABELS.sub("", without_arguments(declaration)).strip()
    if parent.kind in ("function", "other"):
        return "other", ""
    if re.match(r"(inline\s+)?namespace\b|extern\b\s*$", plain):
        return "namespace", ""
    if named := re.match(r"(?:template\s+)?(?:class|struct|union)\s+(?:alignas\s*\(\w+\)\s*)?([\w:]+)(?![^:]*\()",
                         plain):
        return "class", named[1]
    if plain.startswith("enum") or "(" not in plain:
        return "other", ""
    first = plain.index("(")
    if re.search(r"(?<![=!<>])=(?!=)", plain[:first].replace("operator=", "")) or plain.count("(") != plain.count(")"):
        return "other", ""
    if re.search(r"\)[\w\s]*:[^:]", plain) and re.search(r"\w$", plain):
        return "other", ""  # an initializer of a constructor
    return "function", ""


def count(declaration, scope):
    """Counts what a declaration without a body adds to a class."""
    plain = LABELS.sub("", without_arguments(declaration)).strip()
    if not plain or NO_MEMBER.match(plain) and "(" not in plain or re.match(r"(using|friend|static_assert)\b", plain):
        return
    if re.search(r"=\s*(default|delete)\s*$", plain):
        return
    head = re.split(r"(?<![=!<>])=(?!=)|\{", plain.replace("operator=", "operator_"))[0]
    if "(" in head:
        scope.methods += 1
    elif not plain.startswith("static"):
        scope.members += 1


def measure(name, text, house):
    """Walks through the braces of a file."""
    house.files[name] = text.count("\n")
    text = re.sub(r"(?<=\d)'(?=\d)", "_", text)
    text = BLANK.sub(blank, text)
    scopes = [Scope("namespace")]
    begin = depth = 0
    for at, letter in enumerate(text):
        scope = scopes[-1]
        if letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == "{":
            kind, of = kind_of(text[begin:at], scope) if depth == 0 else ("other", "")
            scopes.append(Scope(kind, of, begin))
            if kind != "other":
                begin = at + 1
        elif letter == "}":
            close(text, at, scopes, name, house)
            if scope.kind != "other":
                begin = at + 1
        elif letter == ";" and depth == 0 and scope.kind in ("namespace", "class"):
            if scope.kind == "class":
                count(text[begin:at], scope)
            begin = at + 1


def close(text, at, scopes, name, house):
    """Notes what a closing brace ends."""
    scope = scopes.pop()
    if scope.kind == "function":
        if scopes[-1].kind == "class":
            scopes[-1].methods += 1
        begin = scope.begin + len(text[scope.begin:at]) - len(LABELS.sub("", text[scope.begin:at]).lstrip())
        house.functions.append((text.count("\n", begin, at) + 1, f"{name}:{text.count(chr(10), 0, begin) + 1}"))
    elif scope.kind == "class":
        house.classes.append((scope.members, scope.methods, f"{scope.name} ({name})"))


def sources(commit):
    """Name and text of each source file."""
    command = ["git", "archive", commit, *ROOMS]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode != 0:
        sys.exit(f"house.py: cannot read commit {commit}: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        for entry in files:
            if entry.name.endswith((".cpp", ".hpp")):
                yield entry.name, files.extractfile(entry).read().decode()


def sources_here():
    """The same of the work tree."""
    for room in ROOMS:
        for directory, _, names in os.walk(room):
            for name in names:
                if name.endswith((".cpp", ".hpp")):
                    path = os.path.join(directory, name)
                    with open(path, encoding="utf-8") as file:
                        yield path, file.read()


def spread(values):
    """Median and p90."""
    ordered = sorted(values)
    return f"median {statistics.median(ordered):.0f}, p90 {ordered[len(ordered) * 9 // 10]}, of {len(ordered)}"


def report(house):
    """Prints the figures."""
    for title, rank in (("members", 0), ("methods", 1)):
        print(f"largest classes by {title}:")
        for one in sorted(house.classes, key=lambda one, rank=rank: -one[rank])[:3]:
            print(f"  {one[0]} members, {one[1]} methods: {one[2]}")
    largest = sorted(house.files.items(), key=lambda one: -one[1])[:3]
    print("largest files: " + ", ".join(f"{name} ({lines} lines)" for name, lines in largest))
    longest = sorted(house.functions, reverse=True)[:3]
    print("longest functions: " + ", ".join(f"{name} ({lines} lines)" for lines, name in longest))
    print(f"lines of a .cpp file: {spread(n for name, n in house.files.items() if name.endswith('.cpp'))}")
    print(f"lines of a .hpp file: {spread(n for name, n in house.files.items() if name.endswith('.hpp'))}")
    print(f"lines of a function: {spread(lines for lines, _ in house.functions)}; "
          f"{sum(lines > 40 for lines, _ in house.functions)} have more than 40")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", help="the commit to measure (default: the work tree)")
    commit = parser.parse_args().commit
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    house = House()
    for name, text in sources(commit) if commit else sources_here():
        measure(name, text, house)
    report(house)


if __name__ == "__main__":
    main()
