"""Where Keras keeps the data sets that it downloads, and how they get there."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Callable
from pathlib import Path

from spaces.errors import DataError
from spaces.wording import one_line

DOWNLOAD_TIMEOUT_S = 20.0


def keras_datasets() -> Path:
    """Return Keras's folder of data sets: below ``$KERAS_HOME``, or else ``~/.keras``."""
    home = os.environ.get("KERAS_HOME")
    base = Path(home).expanduser() if home else Path.home() / ".keras"
    return base / "datasets"


def download(fetch: Callable[[], object], name: str, kept: Path, ways_out: str) -> None:
    """Have Keras download a data set, quietly and with an end to waiting.

    Args:
        fetch: Calls Keras; it imports TensorFlow.
        name: What is downloaded, for the error's text.
        kept: Where it will be.
        ways_out: What else a person can do, ending the error's line.

    Raises:
        DataError: If it cannot be downloaded, or was not kept.
    """
    timeout = socket.getdefaulttimeout()
    # Keras sets none: behind a firewall that drops packets it would wait for minutes.
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras prints while it downloads.
            fetch()
    except Exception as error:  # Keras raises a bare Exception when it gets no connection.
        raise DataError(
            f"{name} is not at {kept} and cannot be downloaded ({one_line(error)}). {ways_out}"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
    if not kept.exists():
        raise DataError(
            f"Keras could not keep {name} at {kept}. Make that folder writable, or set "
            "KERAS_HOME to a folder that is."
        )
