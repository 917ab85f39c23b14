"""Trees of files to publish, and what is in a tree."""

import hashlib
import os
import random
import shutil
import stat


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def snapshot(tree):
    """What a release carries of each path, but for times: type, mode, contents."""
    found = {}
    for directory, directories, files in os.walk(tree):
        for name in directories + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                entry = ("link", os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                entry = ("directory", oct(status.st_mode & 0o777))
            elif stat.S_ISREG(status.st_mode):
                entry = ("file", oct(status.st_mode & 0o777), digest(path))
            else:
                entry = ("other", oct(status.st_mode))
            found[os.path.relpath(path, tree)] = entry
    return found


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, contents, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(contents)
    os.chmod(path, mode)


def make(tree, version, seed=1, files=40, large=0, check=None):
    """A small piece of software that changes in part from version to version: bin/app waits for the end of its input.
    `large` is the size of one more file, which cannot be compressed and differs in each version; `check` is a script
    for bin/check."""
    if os.path.exists(tree):
        shutil.rmtree(tree)
    same = random.Random(seed)
    other = random.Random(f"{seed}/{version}")
    for i in range(files):
        source = other if i % 4 == 0 else same
        contents = source.randbytes(
            source.randrange(30_000)) if i % 2 else b"%d " % source.randrange(10) * source.randrange(9_000)
        write(f"{tree}/lib/{i % 5}/file-{i}", contents)
    write(f"{tree}/version", f"{version}\n".encode())
    write(f"{tree}/empty", b"")
    shutil.copyfile("/bin/cat", f"{tree}/app.bin")
    os.chmod(f"{tree}/app.bin", 0o755)
    os.makedirs(f"{tree}/bin")
    os.symlink("../app.bin", f"{tree}/bin/app")
    os.makedirs(f"{tree}/var/empty directory")
    write(f"{tree}/share/ünï code/a name with spaces", b"contents\n")
    if check:
        write(f"{tree}/bin/check", check.encode(), 0o755)
    if large:
        write(f"{tree}/large", other.randbytes(large))
    return tree
