"""From what a person types after ``search run`` to a :class:`~spaces.task.Task`.

Three forms: the name of a built-in task (``fruit``), ``package.module:NAME``, or the path of
a Python file (``net.py``, or ``net.py:NAME``; the name is ``TASK`` unless given). The second
and third run the user's own code, which the user asked for by naming it. Such code may import
TensorFlow, so the driver leaves it to a process of its own (``workers.prepare``).
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from spaces.errors import TaskError, UnknownTaskError
from spaces.task import Task

DEFAULT_NAME = "TASK"


def builtin_tasks() -> Mapping[str, Task]:
    """Return the built-in tasks by name. Imports no heavy library."""
    from spaces.fruit import FRUIT
    from spaces.mnist_task import MNIST

    return {task.name: task for task in (FRUIT, MNIST)}


def is_builtin(ref: str) -> bool:
    """Whether ``ref`` names a task of our own, which is safe and cheap to load anywhere."""
    return ref in builtin_tasks()


def canonical_ref(ref: str) -> str:
    """Return ``ref`` so that it means the same from any folder.

    File paths become absolute; everything else is returned as it is.

    Raises:
        UnknownTaskError: If nothing can be found under that name.
    """
    if is_builtin(ref):
        return ref
    path, _, name = _split_file_ref(ref)
    if path is not None:
        if not path.is_file():
            raise UnknownTaskError(f"Task file {str(path)!r} does not exist.")
        return f"{path.resolve()}:{name}"
    if ":" in ref:
        return ref
    raise UnknownTaskError(_unknown(ref))


def resolve_task(ref: str) -> Task:
    """Load the task that ``ref`` names, running the user's code where it is not built in.

    Raises:
        UnknownTaskError: If there is no such task, module or file.
        TaskError: If the code fails to load, or what it holds is no task.
    """
    tasks = builtin_tasks()
    if ref in tasks:
        return tasks[ref]
    path, given, name = _split_file_ref(ref)
    if path is not None:
        module = _load_file(path)
    elif ":" in ref:
        module_name, _, name = ref.partition(":")
        module = _load_module(module_name, ref)
        given = True
    else:
        raise UnknownTaskError(_unknown(ref))
    found = getattr(module, name, None)
    if isinstance(found, Task):
        return found
    if found is None:
        others = sorted(key for key, value in vars(module).items() if isinstance(value, Task))
        hint = f" Tasks in it: {', '.join(others)}." if others else ""
        how = "" if given else f" Name another with {ref}:NAME."
        raise TaskError(f"{ref} holds no task named {name!r}.{hint}{how}")
    raise TaskError(f"{ref}: {name!r} must be a `spaces.Task`, but got {type(found).__name__}.")


def _split_file_ref(ref: str) -> tuple[Path | None, bool, str]:
    """Return file path, whether a name was given, and the name; no path if it is no file."""
    if ref.endswith(".py"):
        return Path(ref).expanduser(), False, DEFAULT_NAME
    head, separator, tail = ref.rpartition(":")
    if separator and head.endswith(".py"):
        return Path(head).expanduser(), True, tail or DEFAULT_NAME
    return None, False, DEFAULT_NAME


def _load_file(path: Path) -> ModuleType:
    """Import a file under a name of its own, the same in every process."""
    if not path.is_file():
        raise UnknownTaskError(f"Task file {str(path)!r} does not exist.")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    module_name = f"search_user_task_{digest}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{str(path)!r} cannot be imported as a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise TaskError(f"{str(path)!r} failed to load: {_describe(error)}.") from error
    return module


def _load_module(name: str, ref: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UnknownTaskError(
                f"Module {error.name!r} of task {ref!r} cannot be found. Is it installed, or on "
                f"PYTHONPATH?"
            ) from error
        raise TaskError(f"Module {name!r} failed to load: {_describe(error)}.") from error
    except Exception as error:
        raise TaskError(f"Module {name!r} failed to load: {_describe(error)}.") from error


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}".rstrip(": .")


def _unknown(ref: str) -> str:
    known = sorted(builtin_tasks())
    near = difflib.get_close_matches(ref, known, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"Unknown task {ref!r}. Known tasks: {', '.join(known)}; or give package.module:TASK or "
        f"a .py file.{guess}"
    )
