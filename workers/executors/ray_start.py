"""Ray started for one run, or a running cluster joined; and whether it still lives.

Whatever the machine is like, there is Ray in the end or one line that says why not: Ray itself
answers with tracebacks, waits for ever, or ends the process from C++.
"""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import spaces
import workers
from spaces.errors import ConfigError, WorkersLostError
from workers.executors.cluster import HOW_TO_GUARD, asks_for_token, is_reachable
from workers.executors.payloads import sent
from workers.executors.ray_watch import Watch
from workers.executors.worker import STEPS_BACK, last_line
from workers.messages.executor import Interrupted
from workers.processes.import_path import python_path
from workers.processes.run_folder import RunFolder

N_TRIES = 3
"""Times that Ray is started: on a busy machine its processes miss deadlines of their own."""

WORKER_NICENESS = 5
"""By how much workers step back behind other programs of this machine (``nice``).

Ray's own 15 leaves a worker 3 % of a core that something else keeps busy, and 5 leaves it 23 %
(measured); with 0 whoever works at this machine meanwhile would notice.
"""

_SPARE_STORE_BYTES = 256 * 1024**2


class StartedRay:
    """The ray module, initialized, for one executor.

    Args:
        address: A running cluster to join, ``auto`` for the one of this machine; None starts
            Ray here, listening on loopback only.
        n_workers: Workers that it is for; None for one for each ``threads`` cores.
        threads: Cores of a worker.
        payload: What all workers share, for the size of the shared memory. Where workers find
            it by its place (``workers.executors.payloads``), none is needed.
        notice: Told what a person should know.

    Attributes:
        ray: The module.

    Raises:
        ConfigError: If there is no cluster at the address.
        WorkersLostError: If Ray cannot be started here.
    """

    def __init__(
        self,
        address: str | None,
        n_workers: int | None,
        threads: int,
        payload: Any,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._set_environment(address)
        import ray
        import ray.exceptions

        self.ray: Any = ray
        self._folder: RunFolder | None = None
        self._watch: Watch | None = None
        self._unfinished: Any = None
        self._is_ours = not ray.is_initialized()
        self._address = address
        if not self._is_ours:
            return
        if address is not None:
            self._join(address)
            if not address.startswith("ray://") and asks_for_token(self._head(address)) is False:
                notice(
                    f"The cluster at {address!r} asks for no token: whoever reaches it runs code "
                    f"on it, and reads this study's data. To guard it: {HOW_TO_GUARD}."
                )
            return
        if os.environ.get("RAY_ADDRESS"):
            notice(
                f"RAY_ADDRESS={os.environ['RAY_ADDRESS']} is not used: workers run on this "
                f"machine. To join that cluster: --address auto."
            )
        n_cores = (n_workers or available_cores() // threads or 1) * threads
        self._start(n_cores, _SPARE_STORE_BYTES + _buffer_bytes(sent(payload)))

    @property
    def is_local(self) -> bool:
        """Whether it was started here for this executor, with room for just its workers."""
        return self._is_ours and self._address is None

    def check(self) -> None:
        """Do nothing as long as Ray lives.

        Ray finds out for itself only after a while, and then ends this process from C++.

        Raises:
            WorkersLostError: If a process of it that cannot be done without is gone.
        """
        node = self._node()
        if node is None:
            return
        for kind in ("raylet", "gcs_server"):
            for info in getattr(node, "all_processes", {}).get(kind, ()):
                code = info.process.poll()
                if code is not None:
                    raise WorkersLostError(
                        f"Ray's process {kind} ({info.process.pid}) {_how(code)}. Nothing that "
                        f"finished is lost; the same command starts Ray anew and goes on."
                    )

    def is_alive(self) -> bool:
        """Whether :meth:`check` has nothing to say."""
        try:
            self.check()
        except WorkersLostError:
            return False
        return True

    def shutdown(self) -> None:
        """Leave Ray, and end it if it was started here."""
        if self._is_ours:
            self._kill_rest()
        self._clear()

    def _kill_rest(self) -> None:
        """Kill what is left of a Ray that has died: it would be asked, and never answer."""
        if not self.is_alive() and (node := self._node()) is not None:
            node.kill_all_processes(check_alive=False, allow_graceful=False)

    def _end(self) -> None:
        """Remove what is left of a Ray that has died, from another thread than Ray's."""
        self._kill_rest()
        if self._folder is not None:
            self._folder.remove()

    def _node(self) -> Any:
        """Ray's processes, where they were started here: the only way to see that they live."""
        if not self.is_local:
            return None
        worker = getattr(getattr(self.ray, "_private", None), "worker", None)
        return getattr(worker, "_global_node", None) or self._unfinished

    @contextmanager
    def _noting_node(self) -> Iterator[None]:
        """Know Ray's node within the block before it is whole: its processes may die by then.

        It starts none of those processes that only look after others: each is a Python that
        imports for half a second, and the dashboard's is waited for, although there is none.
        """
        module: Any = importlib.import_module("ray._private.node")
        whole = module.Node

        class Lean(whole):  # type: ignore[misc, valid-type]
            _webui_url = None

            def start_api_server(self, **_: Any) -> None:
                """Start no dashboard."""

            def start_log_monitor(self) -> None:
                """Have nobody read logs: they are not shown."""

            def start_monitor(self) -> None:
                """Have nobody ask whether nodes are to be added."""

        def note(*arguments: Any, **options: Any) -> Any:
            self._unfinished = node = Lean.__new__(Lean)
            node.__init__(*arguments, **options)  # type: ignore[misc]
            return node

        module.Node = note
        try:
            yield
        finally:
            module.Node, self._unfinished = whole, None

    def _head(self, address: str) -> str:
        """Return host and port of the cluster that was joined."""
        return str(self.ray.get_runtime_context().gcs_address or address)

    @staticmethod
    def _set_environment(address: str | None) -> None:
        # Set before the import: Ray reads them then, and so do the processes it starts.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Ray prints a paragraph to stdout for every worker that dies; we say it in one line, and
        # stdout is for data.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
        if address is None:
            # Nothing listens outside loopback. Ray has no other switch for it: it replaces
            # 127.0.0.1 as a node's address, except on systems where it allows no clusters.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
            # A process that imports on a busy machine is slow, and not lost.
            os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")

    def _join(self, address: str) -> None:
        if not is_reachable(address):  # Ray itself tries for ten minutes and more.
            raise ConfigError(
                f"There must be a Ray cluster at --address, but nothing answers at {address!r}. "
                f"Start it (ray start --head), or see whether a firewall is between."
            )
        try:
            self._init(address=address, runtime_env=_own_code())
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"There must be a Ray cluster at --address, but {address!r} cannot be joined: "
                f"{last_line(error)}"
            ) from error

    def _start(self, n_cores: int, store_bytes: int) -> None:
        for attempt in range(N_TRIES):
            try:
                self._folder = RunFolder()
                self._watch = Watch(self.check, self._end)
                with _environment(TMPDIR=str(self._folder.temporary)), self._noting_node():
                    self._init(
                        address="local",  # Whatever RAY_ADDRESS says.
                        num_cpus=n_cores,
                        include_dashboard=False,  # It has no login.
                        object_store_memory=store_bytes,
                        _temp_dir=str(self._folder.path),
                    )
                return
            except (Interrupted, KeyboardInterrupt):
                self._clear()
                raise
            except OSError as error:
                self._clear()
                where = f": {error.filename}" if error.filename else ""
                raise WorkersLostError(
                    f"Ray cannot write its files ({error.strerror or error}{where}). Free some "
                    f"room there, or set TMPDIR to a folder with room."
                ) from error
            except Exception as error:  # Ray raises plain `Exception` too.
                folder = self._folder
                assert folder is not None
                self._clear()
                if attempt + 1 == N_TRIES:
                    raise WorkersLostError(
                        f"Ray could not be started in {N_TRIES} tries: {last_line(error)} Is the "
                        f"machine very busy, out of memory, or its disk full? {_room(folder.path)}"
                    ) from error

    def _clear(self) -> None:
        if self._watch is not None and self.is_alive():
            self._watch.stop()  # Its end is wanted now, however long it takes.
        if self._is_ours:
            with _own_handlers():
                self.ray.shutdown()
        if self._watch is not None:
            self._watch.stop()
        if self._folder is not None:
            self._folder.remove()

    def _init(self, **options: Any) -> None:
        from ray.job_config import JobConfig

        job = JobConfig()
        # Ray puts the driver's script's folder and the current one first on its workers' path.
        job._py_driver_sys_path = _Unchanging()
        quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
        try:
            with _own_handlers(), _environment(PYTHONPATH=python_path(), **_niceness()):
                self.ray.init(job_config=job, **quiet, **options)
        except SystemExit as error:  # Ray's own way to take SIGTERM.
            raise Interrupted(signal.SIGTERM) from error


def _niceness() -> dict[str, str]:
    """Return variables by which workers step back once they are ready, unless a person decides.

    Until then they import what a person waits for.
    """
    if "RAY_worker_niceness" in os.environ:
        return {}
    return {"RAY_worker_niceness": "0", STEPS_BACK: str(WORKER_NICENESS)}


def _own_code() -> dict[str, Any]:
    """Return what brings this program to nodes that lack it, or have another version of it.

    Ray packs the folders, and every node unpacks them once; 1 MB. They come first on the path.
    """
    return {
        "py_modules": [str(Path(floor.__path__[0])) for floor in (spaces, workers)],
        "excludes": ["__pycache__"],
    }


class _Unchanging(list[str]):
    """A list that stays empty."""

    def extend(self, _: object) -> None:
        """Take nothing."""


@contextmanager
def _own_handlers() -> Iterator[None]:
    """Keep our handlers of signals: Ray takes SIGTERM for itself."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set variables for the processes that are started within the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def is_running() -> bool:
    """Whether this process has joined a Ray already."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def available_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _how(code: int) -> str:
    """Say how a process ended."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _room(folder: Path) -> str:
    status = os.statvfs(folder.parent)
    free_mb = status.f_bavail * status.f_frsize / 1e6
    return f"{free_mb:,.0f} MB are free in {folder.parent}."


def _buffer_bytes(payload: Any) -> int:
    """Return the bytes of all arrays in it, without copying them."""
    buffers: list[pickle.PickleBuffer] = []
    try:
        pickle.dumps(payload, protocol=5, buffer_callback=buffers.append)
    except (pickle.PicklingError, AttributeError, TypeError):
        return 0  # Ray's own pickle takes more; it is only about room.
    return sum(buffer.raw().nbytes for buffer in buffers)
