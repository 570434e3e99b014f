"""Whether somebody holds a lock file: the kernel lets go of it when its owner ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def is_free(lock: Path) -> bool:
    """Whether nobody holds a lock file; False where that cannot be told, or it is a link."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # Being made or removed just now, or not ours.
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
