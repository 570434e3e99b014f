"""Where a database is: a file or a URL, and how either may be shown.

A password in a URL must never show, in whatever way it is written: before the host, with ``@`` and
``/`` in it, percent-encoded, or as a parameter. So URLs are taken apart here, generously: rather
too much is masked than too little. What was once given as a storage is remembered, and
:func:`scrubbed` takes its secrets out of any text, such as the message of a driver.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from spaces.errors import StorageError

MASK = "***"

_SECRET_NAMES = re.compile(
    r"pass|pwd|secret|token|credential|apikey|api_key|access_key|accesskey|private", re.IGNORECASE
)
_KEY_VALUE = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)=(?P<value>'(?:[^'\\]|\\.)*'|[^&;\s]*)")
_SHORTEST_SECRET = 3
"""Shorter ones would take half of a sentence with them; they are masked in the URL itself."""

_secrets: set[str] = set()


def storage_url(storage: str | Path) -> str:
    """Return an SQLAlchemy URL; a bare path is a SQLite file.

    Raises:
        StorageError: If it is neither.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    text = str(storage)
    if not text:
        raise StorageError("A storage is a file name or a database URL, but got ''.")
    if "://" not in text:
        return f"sqlite:///{text}"
    remember_secrets(text)
    try:
        make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StorageError(
            f"A database URL reads dialect://user@host/name, but got {masked(text)!r}. In a "
            f"password, write @ as %40, / as %2F and : as %3A."
        ) from error
    return text


def remember_secrets(url: str) -> None:
    """Let :func:`scrubbed` take out of texts what is secret in a URL."""
    _secrets.update(secret for secret in _secrets_of(url) if len(secret) >= _SHORTEST_SECRET)


def masked(url: str) -> str:
    """Return a URL as it may be shown: without any password."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    login, at, place = rest.rpartition("@")
    if at:
        user, colon, _ = login.partition(":")
        login = f"{user}:{MASK}" if colon else login
    return _mask_values(f"{scheme}://{login}{at}{place}")


def scrubbed(text: str) -> str:
    """Return a text without the secrets of any storage that this process was given."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _mask_values(text: str) -> str:
    def mask(found: re.Match[str]) -> str:
        is_secret = _SECRET_NAMES.search(found["name"])
        return f"{found['name']}={MASK}" if is_secret else found[0]

    return _KEY_VALUE.sub(mask, text)


def _secrets_of(url: str) -> set[str]:
    """Return all that is secret in a URL, as written and as decoded."""
    rest = url.partition("://")[2]
    login, at, _ = rest.rpartition("@")
    found = {login.partition(":")[2]} if at else set()
    # SQLAlchemy ends a password at the first @: what it makes of it may show as well.
    found |= {part for secret in tuple(found) for part in re.split("[@/]", secret)}
    found |= {
        match["value"].strip("'")
        for match in _KEY_VALUE.finditer(url)
        if _SECRET_NAMES.search(match["name"])
    }
    return {form for one in found for form in (one, unquote(one), unquote_plus(one)) if form}


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite database; None for other databases and in memory."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database).removeprefix("file:"))


def artifacts_dir(url: str) -> Path:
    """Return the folder of a database's artifacts: beside a SQLite file, else here."""
    path = sqlite_path(url)
    return (path.parent if path else Path()) / "artifacts"
