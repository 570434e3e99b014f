"""The list of sockets is the kernel's: of all addresses, and of children too."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.listening import address_of, listening

CHILD = """
import socket, subprocess, sys
s = socket.socket(); s.bind(("0.0.0.0", 0)); s.listen()
print(s.getsockname()[1], flush=True)
input()
"""


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("0100007F:1F90", "127.0.0.1", 8080),
        ("00000000:07E8", "0.0.0.0", 2024),
        ("0000000000000000FFFF00000100007F:1CDF", "::ffff:127.0.0.1", 7391),
        ("00000000000000000000000001000000:0016", "::1", 22),
        ("00000000000000000000000000000000:0050", "::", 80),
    ],
)
def test_addresses_of_the_kernel(text: str, address: str, port: int) -> None:
    assert (str(address_of(text)[0]), address_of(text)[1]) in [
        (address, port),
        (address.replace("127.0.0.1", "7f00:1"), port),
    ]


def test_what_is_open_to_all_is_seen() -> None:
    """Also in a child's child."""
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    assert child.stdout is not None and child.stdin is not None
    port = int(child.stdout.readline())
    try:
        (found,) = listening(child.pid)
        assert (str(found.address), found.port, found.is_loopback) == ("0.0.0.0", port, False)
    finally:
        child.communicate("\n")
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.listen()
        assert [one.is_loopback for one in listening(child.pid)] == []
