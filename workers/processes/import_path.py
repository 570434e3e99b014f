"""Which folders a child process imports from: those of its parent, never the current folder.

A search is started in a folder of photos, or of somebody else's files. ``python -m``, ``python
-c``, an empty entry of ``PYTHONPATH`` and Ray each put the current folder first on the path, and
then its ``random.py`` is run in place of Python's own. Code is run from a folder only if the user
named it, and then comes after everything that is installed (:func:`spaces.tasks.user_code`).
"""

from __future__ import annotations

import os
import sys

_MAIN = """\
import sys
sys.path[:] = {path!r}
from {module} import {function}
sys.exit({function}())
"""


def import_path() -> list[str]:
    """Return the folders that this process imports from, as absolute paths.

    The current folder is left out where it stands before Python's own library, unless
    ``PYTHONPATH`` spells it out: nobody chose it. Behind the library it hides nothing.
    """
    named = set(os.environ.get("PYTHONPATH", "").split(os.pathsep))
    library = os.path.realpath(os.path.dirname(os.__file__))
    here = _current_folder()
    is_first = True
    path: list[str] = []
    for entry in sys.path:
        where = os.path.realpath(entry or os.curdir)
        is_first = is_first and where != library
        if where == here and is_first and not (entry and entry in named):
            continue
        if entry:
            path.append(entry if os.path.isabs(entry) else os.path.abspath(entry))
    return list(dict.fromkeys(path))


def python_path() -> str:
    """Return ``PYTHONPATH`` for programs that know no other way, without the current folder."""
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    here = _current_folder()
    return os.pathsep.join(
        os.path.abspath(entry)
        for entry in named
        if entry and (os.path.isabs(entry) or os.path.realpath(entry) != here)
    )


def python_command(module: str, function: str, *arguments: str) -> list[str]:
    """Return the command that calls a function in a fresh Python with our :func:`import_path`.

    Args:
        module: Module of the function.
        function: Is called without arguments; what it returns is the exit code.
        arguments: Are in its ``sys.argv``, from the second on.
    """
    # What it starts by `multiprocessing` is started with the same flag, or would look for
    # Python's library in the current folder first.
    if sys.version_info >= (3, 11):
        flag = "-P"
    else:
        flag = "-I"  # It also skips the user's folder of packages, which is on our path.
    code = _MAIN.format(path=import_path(), module=module, function=function)
    return [sys.executable, flag, "-c", code, *arguments]


def _current_folder() -> str:
    try:
        return os.path.realpath(os.getcwd())
    except FileNotFoundError:  # It was removed.
        return ""
