"""A web server for this machine only.

What it serves has no login, and whoever reaches its port can delete studies or look through the
camera. So it listens on the loopback address, and :class:`LocalOnly` refuses what a browser sends
on behalf of a foreign page: such a page can point its own name at 127.0.0.1 (DNS rebinding), but
cannot change the Host, Origin and Sec-Fetch-Site headers that tell on it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from spaces.errors import ConfigError, SearchError

HOST = "127.0.0.1"
DEFAULT_PORT = 8080
N_PORTS = 20
"""Ports that are tried, from the wanted one on."""

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class LocalOnly:
    """WSGI middleware that answers only requests which name this machine and this port.

    Args:
        app: What answers them.
        port: Port it listens on.
    """

    def __init__(self, app: App, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in LOCAL_NAMES}
        if port == 80:
            self._hosts |= LOCAL_NAMES

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer, or refuse with 403."""
        host = environ.get("HTTP_HOST", "").lower()
        origin = environ.get("HTTP_ORIGIN")
        # Pages of other sites can send simple requests here too: their Origin is their own, or
        # `null`.
        foreign = origin is not None and urlsplit(origin).netloc.lower() not in self._hosts
        # Not every one has an Origin. A link on another site may still lead here.
        looks = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        foreign |= environ.get("HTTP_SEC_FETCH_SITE") == "cross-site" and not looks
        if host in self._hosts and not foreign:
            return self._app(environ, start_response)
        text = b"403: this page answers to localhost only.\n"
        start_response(
            "403 Forbidden",
            [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))],
        )
        return [text]


class LocalServer:
    """A server that is ready to be run.

    Args:
        make_app: Makes what answers requests; called once ``host`` is known to be right.
        what: What it is called in errors.
        host: Loopback address to listen on.
        port: Wanted port; 0 for any. The next free one is taken if it is in use.

    Attributes:
        path: Of the page to open.

    Raises:
        ConfigError: If ``host`` is not loopback.
        SearchError: If no port is free.
    """

    path = "/"

    def __init__(
        self,
        make_app: Callable[[], App],
        what: str,
        *,
        host: str = HOST,
        port: int = DEFAULT_PORT,
    ) -> None:
        if host.lower() not in ("localhost", HOST):
            raise ConfigError(
                f"{what} has no login, so it listens on {HOST} only, but got {host!r}. To "
                f"reach it from another machine: ssh -L {port or DEFAULT_PORT}:{HOST}:"
                f"{port or DEFAULT_PORT} THIS_MACHINE."
            )
        app = make_app()
        self._server = _bind(port, what)
        self._server.set_app(LocalOnly(app, self.port))

    @property
    def port(self) -> int:
        """Port it listens on."""
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        """Address to open in a browser."""
        return f"http://{HOST}:{self.port}{self.path}"

    def serve(self) -> None:
        """Answer until interrupted."""
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()

    def shutdown(self) -> None:
        """End :meth:`serve` from another thread."""
        self._server.shutdown()


def has_browser() -> bool:
    """Whether a window can open here; else a text browser would take the terminal."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


class _Server(ThreadingMixIn, WSGIServer):
    """A page asks for many things at once."""

    daemon_threads = True
    # Newer Pythons would let two servers share a port, and requests reach either.
    allow_reuse_port = False

    def server_bind(self) -> None:
        """Bind without asking a name server for our own name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]
        self.setup_environ()


class _QuietHandler(WSGIRequestHandler):
    """Requests are no news."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _bind(port: int, what: str) -> _Server:
    last = port + N_PORTS - 1 if port else 0
    for candidate in range(port, last + 1):
        try:
            server = make_server(
                HOST, candidate, _not_ready, server_class=_Server, handler_class=_QuietHandler
            )
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
        except OverflowError:
            break
        else:
            return server
    raise SearchError(
        f"{what} needs a free port, but {port} to {last} are all taken. Choose "
        f"another one with --port, or any free one with --port 0."
    )


def _not_ready(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    raise AssertionError("the app is set before the server runs")
