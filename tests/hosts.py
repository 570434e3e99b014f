"""Several hosts on this machine: namespaces of Linux with an address and a file system each.

A host is a process that holds namespaces for network, processes, mounts and name; a bridge in a
namespace of its own joins them. To kill a host's holder is to pull its plug: the kernel ends
whatever ran in it at once, without a word. To take its link down is to cut its cable.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NETWORK = "10.213.0"
"""First three numbers of the addresses; they are seen inside the namespaces only."""

_PROGRAMS = ("unshare", "nsenter", "ip", "setpriv", "mount", "chroot")

_HOLD = "mount --make-rprivate / && {prepare} exec {root} sleep infinity"

_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "etc", "dev", "sys")


class Host:
    """One host.

    Args:
        name: Its name, of at most 8 letters.
        number: The last number of its address.
        visible: Folders of this machine that it has, read-only; all of this machine if None.
    """

    def __init__(self, name: str, number: int, visible: Sequence[Path] | None = None) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self._root = Path(tempfile.mkdtemp(prefix="search-host-"))
        prepare, root = "mount -t proc proc /proc &&", ""
        if visible is not None:
            prepare = " && ".join(_bare(self._root, visible)) + " &&"
            root = f"chroot {self._root}"
        script = f"hostname {name}; " + _HOLD.format(prepare=prepare, root=root)
        # `--kill-child` and `setpriv`: nothing of it outlives the test, however that ends.
        self._holder = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--net", "--mount", "--uts", "--pid", "--ipc"),
                *("--fork", "--kill-child", "sh", "-c", script),
            ],
        )
        self._has_root = visible is not None
        self.pid = self._wait_for_child()

    def _wait_for_child(self) -> int:
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._holder.poll() is None:
            for word in children.read_text().split():
                if Path(f"/proc/{word}/comm").read_text().strip() == "sleep":
                    return int(word)
            time.sleep(0.02)
        self.kill()
        raise OSError(f"Host {self.name} could not be made.")

    def start(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a program on it."""
        return subprocess.Popen(self._on_it(command), env=env, text=True, **options)

    def run(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on it to its end."""
        return subprocess.run(
            self._on_it(command), env=env, text=True, capture_output=True, timeout=timeout_s
        )

    def _on_it(self, command: Sequence[str]) -> list[str]:
        enter = ["nsenter", f"--target={self.pid}", "--net", "--mount", "--uts", "--pid", "--ipc"]
        if self._has_root:
            enter += ["--root", "--wd"]
        return [*enter, *command]

    def set_link(self, state: str) -> None:
        """Plug its cable in (``up``) or out (``down``)."""
        self.run(["ip", "link", "set", "eth0", state]).check_returncode()

    def kill(self) -> None:
        """Pull its plug."""
        self._holder.kill()
        self._holder.wait()
        shutil.rmtree(self._root, ignore_errors=True)


def _bare(root: Path, visible: Sequence[Path]) -> Iterator[str]:
    """Return the commands that make a file system of the system's folders and some more."""
    yield f"mount -t tmpfs tmpfs {root}"
    for name in _SYSTEM:
        source = Path("/", name)
        if source.is_symlink():
            yield f"ln -s {os.readlink(source)} {root}/{name}"
        elif source.is_dir():
            yield f"mkdir {root}/{name}"
            yield f"mount --rbind /{name} {root}/{name}"
    for folder in visible:
        yield f"mkdir -p {root}{folder}"
        yield f"mount --bind -o ro {folder} {root}{folder}"
    yield f"mkdir -p {root}/tmp {root}/root {root}/proc {root}/run {root}/dev/shm"
    yield f"chmod 1777 {root}/tmp"
    yield f"mount -t proc proc {root}/proc"
    yield f"mount -t tmpfs tmpfs {root}/dev/shm"


def python_folders() -> list[Path]:
    """Return the folders that this Python and its installed packages lie in."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.base_prefix))}
    return sorted(path for path in found if not path.is_relative_to("/usr"))


@contextmanager
def hub() -> Iterator[Host]:
    """The switch that hosts are plugged into."""
    made = Host("hub", 254)
    try:
        made.run(["ip", "link", "add", "bridge", "type", "bridge"]).check_returncode()
        made.run(["ip", "link", "set", "bridge", "up"]).check_returncode()
        yield made
    finally:
        made.kill()


def plug_in(host: Host, hub: Host) -> None:
    """Give a host its cable and its address."""
    port = f"to-{host.name}"
    words = ["ip", "link", "add", port, "netns", str(hub.pid), "type", "veth"]
    words += ["peer", "name", "eth0", "netns", str(host.pid)]
    subprocess.run(words, check=True)
    for words in (
        ["ip", "link", "set", port, "master", "bridge"],
        ["ip", "link", "set", port, "up"],
    ):
        hub.run(words).check_returncode()
    for words in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"{host.address}/24", "dev", "eth0"],
        ["ip", "link", "set", "eth0", "up"],
        # Leads nowhere. Ray looks which address a way out would have, and else asks for names.
        ["ip", "route", "add", "default", "via", f"{NETWORK}.254"],
    ):
        host.run(words).check_returncode()


def why_not() -> str:
    """Return why hosts cannot be made here; empty if they can."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    try:
        with hub() as switch:
            host = Host("trial", 1)
            try:
                plug_in(host, switch)
            finally:
                host.kill()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"needs the right to make namespaces (root), but: {error}"
    return ""
