"""Small ext4 file systems in files, whose power can fail and which can be filled."""

import os
import shutil
import subprocess

from campaign import Skip

MIB = 1 << 20
BLOCK = 4096


def run(*command):
    done = subprocess.run(list(map(str, command)),
                          stdin=subprocess.DEVNULL,
                          capture_output=True,
                          text=True,
                          check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr.strip()}"


class Disk:
    def __init__(self, fleet, name, size=64 * MIB):
        if os.getuid() != 0:
            raise Skip("mounting needs root")
        self.place = f"{fleet.directory}/{name}"
        self.image = f"{fleet.directory}/{name}.image-1"
        self.lives = 1
        with open(self.image, "wb") as file:
            file.truncate(size)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal" if size < 8 * MIB else "has_journal", self.image)
        os.mkdir(self.place)
        self.mount()
        fleet.at_end.append(self.close)

    def mount(self):
        try:
            run("mount", "-o", "loop", self.image, self.place)
        except AssertionError as problem:
            raise Skip(f"no loop devices: {problem}") from None

    def revive(self):
        """What the machine finds when the power is back. A new file: the kernel may know more of the old one than the
        disk did."""
        run("umount", self.place)
        self.lives += 1
        old, self.image = self.image, f"{self.image.rsplit('-', 1)[0]}-{self.lives}"
        run("cp", "--sparse=always", old, self.image)
        os.remove(old)
        self.mount()

    def free(self):
        status = os.statvfs(self.place)
        return status.f_bavail * status.f_frsize

    def fill(self, blocks):
        """Leaves so many blocks free: a file of others takes the rest."""
        with open(f"{self.place}/filling", "wb") as file:
            size = max(0, self.free() // BLOCK - blocks)
            while size > 0:  # what the file system needs for the file itself is not known beforehand
                try:
                    os.posix_fallocate(file.fileno(), 0, size * BLOCK)
                    break
                except OSError:
                    size -= 1
            while self.free() < blocks * BLOCK and size > 0:
                size -= 1
                os.ftruncate(file.fileno(), size * BLOCK)

    def empty(self):
        os.remove(f"{self.place}/filling")

    def close(self):
        if os.path.ismount(self.place):
            run("umount", self.place)


def move(directory, disk):
    """Moves a directory to a disk, and returns where it is."""
    place = f"{disk.place}/{os.path.basename(directory)}"
    shutil.copytree(directory, place, copy_function=shutil.copy2)
    shutil.rmtree(directory)
    run("sync", "--file-system", place)
    return place
