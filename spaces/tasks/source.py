"""Which code a task is made of: a hash for each source file, to see later whether it changed.

That is the module that was named and whatever it imports that lies beside it: neighbours of a
file, modules of the same package. Installed libraries are none of it; their versions are recorded
elsewhere. Imports are read from the source, wherever in it they stand, so that the answer is the
same in every process; nothing is run.
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import sys
import sysconfig
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

SourceHashes = Mapping[str, str]
"""Source files, relative to the folder they are imported from, and 16 hex digits for each."""

CodeHashes = Mapping[str, SourceHashes]
"""By what the code is for, ``task`` or ``device``: hashes of its files. Empty for our own."""

_REFERENCE = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):[A-Za-z_]\w*")


def source_hashes(ref: str) -> SourceHashes:
    """Return hashes of the source files that a reference to code is made of.

    They change with what is written, not with comments, blank lines or where the folder lies.

    Args:
        ref: ``net.py``, ``net.py:NAME`` or ``package.module:NAME``, whose code was loaded in this
            process.

    Returns:
        Hashes by file; empty if there is no source, as for a compiled module.
    """
    start = _start(ref)
    if start is None:
        return {}
    folder, file = start
    found: dict[Path, str] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        try:
            source = path.read_bytes()
        except OSError:
            continue
        found[path] = source_hash(source)
        waiting += _imported(source, path, folder)
    return {_shown(path, folder): found[path] for path in sorted(found)}


def source_hash(source: bytes) -> str:
    """Return the hash of one source file: 16 hex digits."""
    return hashlib.sha256(_what_counts(source)).hexdigest()[:16]


def describe_change(before: CodeHashes, now: CodeHashes) -> str:
    """Return the files that differ, in words; empty if none does."""
    texts = []
    for kind in sorted({*before, *now}):
        old, new = before.get(kind, {}), now.get(kind, {})
        files = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        if files:
            of_device = " (of the device)" if kind == "device" else ""
            more = f" and {len(files) - 5} more" if len(files) > 5 else ""
            texts.append(f"{', '.join(files[:5])}{more}{of_device}")
    return ", ".join(texts)


def _start(ref: str) -> tuple[Path, Path] | None:
    """Return the folder that imports are looked up in, and the file they start from."""
    for text in (ref, ref.rpartition(":")[0]):
        if text.endswith(".py"):
            path = Path(text).expanduser().resolve()
            return path.parent, path
    name = ref.partition(":")[0]
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return None
    path = Path(file).resolve()
    is_package = path.name == "__init__.py"
    folder = path.parents[name.count(".") + is_package]
    # Beside an installed module lie all other libraries; its own are those of its package.
    if _is_installed(folder):
        folder = path.parents[name.count(".") - 1 + is_package] if "." in name else path.parent
    return folder, path


def _is_installed(folder: Path) -> bool:
    installed = {Path(path).resolve() for path in sysconfig.get_paths().values()}
    return folder in installed or folder.name in ("site-packages", "dist-packages")


def _imported(source: bytes, path: Path, folder: Path) -> Iterator[Path]:
    """Return the files under ``folder`` that a file imports, or names as ``module:NAME``."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    inside = path.parent.is_relative_to(folder)
    package = path.parent.relative_to(folder).parts if inside else ()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(tuple(alias.name.split(".")), folder)
        elif isinstance(node, ast.ImportFrom):
            above = package[: max(0, len(package) - node.level + 1)] if node.level else ()
            parts = above + tuple(node.module.split(".") if node.module else ())
            for alias in node.names:  # What is imported may be a module itself.
                yield from _files((*parts, alias.name), folder)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A task may name its model, and code may import by name.
            if reference := _REFERENCE.fullmatch(node.value):
                yield from _files(tuple(reference[1].split(".")), folder)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                parts = package if first.value.startswith(".") else ()
                names = tuple(part for part in first.value.split(".") if part)
                yield from _files((*parts, *names), folder)


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", None) or getattr(node.func, "id", ""))


def _files(parts: tuple[str, ...], folder: Path) -> Iterator[Path]:
    """Return the source files that importing a dotted name under a folder runs."""
    for length in range(1, len(parts) + 1):
        base = folder.joinpath(*parts[:length])
        for file in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if file.is_file() and not _is_installed(file.parent):
                yield file.resolve()
                break


def _shown(path: Path, folder: Path) -> str:
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:  # a link to a file elsewhere
        return path.name


def _what_counts(source: bytes) -> bytes:
    """Return a source file without its comments and blank lines, which change nothing."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        lines = source.decode(encoding).replace("\r\n", "\n").split("\n")
        blank: set[int] = set()
        tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline)
        for token in tokens:
            row, column = token.start[0] - 1, token.start[1]
            if token.type == tokenize.COMMENT:
                lines[row] = lines[row][:column].rstrip()
            if token.type in (tokenize.COMMENT, tokenize.NL) and not lines[row].strip():
                blank.add(row)
    except (SyntaxError, UnicodeDecodeError, tokenize.TokenError, IndexError):
        return source
    kept = (line for row, line in enumerate(lines) if row not in blank)
    return "\n".join(kept).encode("utf-8", "surrogatepass")
