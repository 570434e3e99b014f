"""Objects of a user's own code, named on the command line: ``package.module:NAME`` or a file.

A file is named by its path, ``net.py`` or ``net.py:NAME``. The user asked for the code to run by
naming it. It may import TensorFlow, so the driver leaves it to processes of its own.

The folder of a file that is named, and the current folder for a module, come last on the path of
every process that loads it: such code imports its neighbours, and they hide nothing installed.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from spaces.errors import ConfigError
from spaces.wording import guess, kind_and_line

_T = TypeVar("_T")


@dataclass(frozen=True)
class Kind:
    """What is looked for in user code.

    Attributes:
        word: What it is called in messages.
        class_name: Its class, as users import it.
        default_name: Name it has in a file, unless another is given.
        unknown: Raised if there is no such module or file.
        unusable: Raised if the code fails to load, or what it holds is something else.
    """

    word: str
    class_name: str
    default_name: str
    unknown: type[ConfigError]
    unusable: type[ConfigError]


def is_code_ref(ref: str) -> bool:
    """Whether ``ref`` has the form of a reference to code."""
    return ref.endswith(".py") or ":" in ref


def canonical_code_ref(ref: str, kind: Kind) -> str:
    """Return ``ref`` so that it means the same from any folder: file paths become absolute.

    Raises:
        ConfigError: Of the kind's class, if there is no such file.
    """
    path, name = _split_file_ref(ref, kind)
    if path is None:
        return ref
    _check_file(path, kind)
    return f"{path.resolve()}:{name}"


def code_folder(ref: str) -> str | None:
    """Return the folder that code is imported from because it was named; None for no code."""
    if not is_code_ref(ref):
        return None
    head, _, _ = ref.rpartition(":")
    path = next((text for text in (ref, head) if text.endswith(".py")), None)
    folder = Path.cwd() if path is None else Path(path).expanduser().resolve().parent
    return str(folder)


_copies: dict[str, str] = {}


def use_copy(folder: str, copy: str) -> None:
    """Load code of a folder from a copy of it: this host has no such folder."""
    _copies[folder] = copy


def add_code_folder(folder: str | None) -> None:
    """Let this process import from a folder that was named, after everything else."""
    if folder is None:
        return
    folder = _copies.get(folder, folder)
    if folder not in sys.path:
        sys.path.append(folder)


def load_code(
    ref: str,
    kind: Kind,
    wanted: type[_T],
    adapt: Callable[[ModuleType, str, object], _T | None] = lambda module, name, found: None,
) -> _T:
    """Run the code that ``ref`` names and return the object.

    Args:
        ref: Reference to code.
        kind: What is looked for.
        wanted: Its class.
        adapt: Makes one of that class from another object of a module, by its name there; None
            where that cannot be.

    Raises:
        ConfigError: Of the kind's classes, if there is no such code, or no such object in it.
    """
    path, name = _split_file_ref(ref, kind)
    add_code_folder(code_folder(ref))
    if path is not None:
        module = _load_file(path, kind)
    else:
        module_name, _, name = ref.partition(":")
        module = _load_module(module_name, ref, kind)
    found = getattr(module, name, None)
    if isinstance(found, wanted):
        return found
    if found is not None:
        adapted = adapt(module, name, found)
        if adapted is not None:
            return adapted
    if found is None:
        others = sorted(
            key
            for key, value in vars(module).items()
            if isinstance(value, wanted) or _is_own(module, value, adapt, key)
        )
        hint = f" {kind.word.capitalize()}s in it: {', '.join(others)}." if others else ""
        hint += guess(name, others)
        # References that were made absolute have that name, whether it was given or not.
        is_default = path is not None and name == kind.default_name
        how = f" Name another with {path}:NAME." if is_default else ""
        raise kind.unusable(f"{ref} holds no {kind.word} named {name!r}.{hint}{how}")
    raise kind.unusable(
        f"{ref}: {name!r} must be a `{kind.class_name}`, but got {type(found).__name__}."
    )


def _is_own(
    module: ModuleType, value: object, adapt: Callable[[ModuleType, str, object], Any], key: str
) -> bool:
    """Whether an object can be adapted and was made in this module, not imported there."""
    where = getattr(value, "__module__", None)
    return where == module.__name__ and adapt(module, key, value) is not None


def _split_file_ref(ref: str, kind: Kind) -> tuple[Path | None, str]:
    """Return file path and name; no path if it is no file."""
    if ref.endswith(".py"):
        return Path(ref).expanduser(), kind.default_name
    head, separator, tail = ref.rpartition(":")
    if separator and head.endswith(".py"):
        return Path(head).expanduser(), tail or kind.default_name
    return None, kind.default_name


def _check_file(path: Path, kind: Kind) -> None:
    if not path.is_file():
        raise kind.unknown(f"{kind.word.capitalize()} file {str(path)!r} does not exist.")


def _load_file(path: Path, kind: Kind) -> ModuleType:
    """Import a file under a name of its own, the same in every process."""
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    if (copy := _copies.get(str(path.parent))) is not None:
        path = Path(copy, path.name)
    _check_file(path, kind)
    module_name = f"search_user_code_{digest}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise kind.unusable(f"{str(path)!r} cannot be imported as a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        del sys.modules[module_name]
        raise kind.unusable(f"{str(path)!r} failed to load: {kind_and_line(error)}.") from error
    return module


def _load_module(name: str, ref: str, kind: Kind) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise kind.unknown(
                f"Module {error.name!r} of {kind.word} {ref!r} cannot be found. Is it installed, "
                f"in the current folder, or on PYTHONPATH?"
            ) from error
        raise kind.unusable(f"Module {name!r} failed to load: {kind_and_line(error)}.") from error
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        raise kind.unusable(f"Module {name!r} failed to load: {kind_and_line(error)}.") from error
