"""Code of the user's own, brought to a worker whose host lacks it."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from spaces.errors import WorkersLostError
from spaces.tasks.code_files import CodeFiles
from spaces.tasks.user_code import add_code_folder
from workers.processes.run_folder import RunFolder

_brought: dict[CodeFiles, RunFolder | None] = {}  # Its folders live as long as the process.


def bring_code(code: Iterable[CodeFiles]) -> None:
    """Write code that this host lacks into a folder of this process, which loads it from there.

    Modules are found there as well as files: whoever named one may have stood in any folder.

    Raises:
        WorkersLostError: If there is no room for it.
    """
    for files in code:
        if files in _brought:
            continue
        try:
            folder = None if files.is_here() else RunFolder()
            if folder is not None:
                files.unpack(folder.path)
        except OSError as error:
            raise WorkersLostError(
                f"The task's code cannot be written on {socket.gethostname()}: "
                f"{error.strerror or error}."
            ) from error
        _brought[files] = folder
        add_code_folder(files.folder)
