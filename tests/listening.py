"""Which sockets a process and its children listen on, as the kernel lists them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

_LISTEN = "0A"
_PROC = Path("/proc")


class Socket(NamedTuple):
    """A TCP socket that waits for connections."""

    address: IPv4Address | IPv6Address
    port: int
    command: str

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        mapped = getattr(self.address, "ipv4_mapped", None)
        return (mapped or self.address).is_loopback


def address_of(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Return address and port from ``0100007F:1F90``: words of 32 bits, lowest byte first."""
    host, _, port = text.partition(":")
    words = struct.unpack(f">{len(host) // 8}I", bytes.fromhex(host))
    return ip_address(struct.pack(f"<{len(words)}I", *words)), int(port, 16)


def listening(*roots: int, named: str = "") -> list[Socket]:
    """Return the sockets that processes listen on.

    Args:
        *roots: Processes; their children count, and theirs.
        named: Part of a command line that makes a process count, wherever it comes from.
    """
    owners: dict[str, str] = {}
    for pid in _with_children(set(roots), named):
        try:
            command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            for descriptor in (_PROC / str(pid) / "fd").iterdir():
                target = os.readlink(descriptor)
                if target.startswith("socket:["):
                    owners[target[len("socket:[") : -1]] = command
        except OSError:
            continue  # It ended meanwhile.
    found = []
    for table in ("tcp", "tcp6"):
        for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == _LISTEN and words[9] in owners:
                found.append(Socket(*address_of(words[1]), owners[words[9]]))
    return sorted(found, key=lambda one: one.port)


def commands(*roots: int) -> dict[int, str]:
    """Return the command lines of processes, their children, and theirs, by process id."""
    found = {}
    for pid in _with_children(set(roots), ""):
        try:
            command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # It ended meanwhile.
        if command:  # What has ended, and nobody has waited for, has none.
            found[pid] = command.strip()
    return found


def _with_children(wanted: set[int], named: str) -> Iterator[int]:
    parents: dict[int, int] = {}
    for entry in _PROC.glob("[0-9]*"):
        try:
            # The name may hold spaces and brackets; what follows its last bracket does not.
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
            if named and named.encode() in (entry / "cmdline").read_bytes():
                wanted.add(int(entry.name))
        except OSError:
            continue
    for pid in parents:
        line = pid
        while line not in wanted and line in parents:
            line = parents[line]
        if line in wanted:
            yield pid
