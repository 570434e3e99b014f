"""Going on with a training where it was left: what a checkpoint holds, and when it is exact.

A :class:`Resume` goes into ``workers.training.loop.train`` and stands between its epochs. What it
hands out (:class:`TrainingState`) is every variable that training changes: weights, statistics of
normalization, slots of the optimizer, masks of pruning; the order of images needs nothing, it
hangs on seed and epoch alone. From there on, training gives the same weights, bit for bit, as
one that was never broken off.

TensorFlow keeps one thing to itself: how far the random numbers of dropout and its like have
come. A training that draws such numbers is therefore *replayed* from its first epoch up to
where it was left, which takes its time, but gives the same weights too.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from spaces.data.damage import READ_ERRORS, reason_of, text_checksum
from spaces.errors import StorageError

if TYPE_CHECKING:
    import numpy.typing as npt

Rows: TypeAlias = "tuple[tuple[float, ...], ...]"

_VARIABLES_FILE = "variables.npz"
_STATE_FILE = "training.json"

# What gives other numbers with every call, and hides where it stands.
_RANDOM_OPS = frozenset(
    (
        "FractionalAvgPool",
        "FractionalMaxPool",
        "Multinomial",
        "ParameterizedTruncatedNormal",
        "RandomGamma",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "RngReadAndSkip",
        "TruncatedNormal",
        # Python's own, which may do anything.
        "EagerPyFunc",
        "PyFunc",
    )
)


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands after some epochs.

    Attributes:
        config_hash: Of the configuration that was trained.
        rows: Metrics of each epoch so far.
        variables: All that training changes, in the order in which it was made.
        seconds: What training took so far.
        made_by: Code and libraries that trained; empty where nobody asks.
    """

    config_hash: str
    rows: Rows
    variables: tuple[npt.NDArray[np.generic], ...]
    seconds: float = 0.0
    made_by: str = ""

    @property
    def epochs(self) -> int:
        """Epochs that were trained."""
        return len(self.rows)

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        arrays = {str(index): array for index, array in enumerate(self.variables)}
        np.savez(folder / _VARIABLES_FILE, **arrays)  # type: ignore[arg-type, unused-ignore]
        # A zip may lose a member to a single broken byte, and be as good a zip without it.
        variables_crc = zlib.crc32((folder / _VARIABLES_FILE).read_bytes())
        state = {
            "config_hash": self.config_hash,
            "rows": self.rows,
            "variables_crc": variables_crc,
            "seconds": self.seconds,
            "made_by": self.made_by,
        }
        state["checksum"] = text_checksum(json.loads(json.dumps(state)))
        (folder / _STATE_FILE).write_text(json.dumps(state))

    @classmethod
    def load(cls, folder: Path) -> TrainingState:
        """Read what :meth:`save` wrote.

        Raises:
            StorageError: If it is not there, or damaged.
        """
        try:
            state = json.loads((folder / _STATE_FILE).read_text())
            # Checkpoints of earlier versions have no checksums.
            if "checksum" in state and state.pop("checksum") != text_checksum(state):
                raise ValueError(f"{_STATE_FILE} is not as it was written")
            content = (folder / _VARIABLES_FILE).read_bytes()
            if state.get("variables_crc", zlib.crc32(content)) != zlib.crc32(content):
                raise ValueError(f"{_VARIABLES_FILE} is not as it was written")
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                variables = tuple(file[str(index)] for index in range(len(file.files)))
            rows = tuple(tuple(row) for row in state["rows"])
            seconds, made_by = float(state.get("seconds", 0.0)), str(state.get("made_by", ""))
            return cls(state["config_hash"], rows, variables, seconds, made_by)
        except READ_ERRORS as error:
            raise StorageError(
                f"A checkpoint of a training must be in {str(folder)!r}, but it cannot be read: "
                f"{reason_of(error)}."
            ) from error


class Resume:
    """Starts a training from a checkpoint, and tells its state for the next one.

    Args:
        config_hash: Of the configuration to train.
        start: Where to go on; None to begin. One of another configuration gives its weights and
            slots where they fit, as population-based training asks for; where not, training
            begins anew.

    Attributes:
        first_epoch: Epochs that the start spared; set when training begins.
        n_replayed: Epochs that were trained before and are again; set when training begins.
        problem: Why the start was not used; empty if it was.
    """

    def __init__(self, config_hash: str, start: TrainingState | None = None) -> None:
        self._config_hash = config_hash
        self._start = start
        self._variables: Sequence[Any] = ()
        self._rows: Sequence[tuple[float, ...]] = ()
        self._steps_function: Any = None
        self._replays = False
        self._draws_at_random: bool | None = None
        self.first_epoch = 0
        self.n_replayed = 0
        self.problem = ""

    def begin(
        self, variables: Sequence[Any], steps_function: Any, *, replay: bool = False
    ) -> list[tuple[float, ...]]:
        """Set the variables of a training that begins; called by it, once.

        Args:
            variables: All that it changes, beside what is drawn at random.
            steps_function: The ``tf.function`` that trains.
            replay: Whether something is not among the variables, so that only the epochs before
                bring it back.

        Returns:
            Metrics of the epochs that need not be trained any more.
        """
        self._variables = variables
        self._steps_function, self._replays = steps_function, replay
        start = self._start
        rows: list[tuple[float, ...]] = []
        if start is None:
            pass
        elif start.config_hash == self._config_hash and not self.goes_on_exactly:
            self.n_replayed = start.epochs
        elif [(v.shape, v.dtype) for v in start.variables] != [
            (tuple(v.shape), v.dtype.as_numpy_dtype) for v in variables
        ]:
            self.problem = "the checkpoint is of a network of another shape, or optimizer"
        else:
            for variable, value in zip(variables, start.variables, strict=True):
                variable.assign(value)
            rows = list(start.rows)
        self.first_epoch = len(rows)
        self._rows = rows
        return rows

    @property
    def spared(self) -> Rows:
        """Metrics of the epochs that the start spared."""
        return tuple(self._rows[: self.first_epoch])

    @property
    def goes_on_exactly(self) -> bool:
        """Whether all that the training under way hangs on can be kept; else it is replayed."""
        if self._draws_at_random is None:
            self._draws_at_random = self._replays or _draws_at_random(self._steps_function)
        return not self._draws_at_random

    def state(self) -> TrainingState | None:
        """Return where the training stands; None before its first epoch, or without one.

        Called between two epochs, while training waits: from its ``on_epoch``, or while that
        does not return.
        """
        if not self._rows:
            return None
        variables = tuple(np.array(variable.numpy()) for variable in self._variables)
        return TrainingState(self._config_hash, tuple(self._rows), variables)


@contextmanager
def collected_variables(variables: list[Any]) -> Iterator[None]:
    """Append all variables to a list that are made within the block."""
    import tensorflow as tf

    def creator(next_creator: Any, **kwargs: Any) -> Any:
        variable = next_creator(**kwargs)
        variables.append(variable)
        return variable

    with tf.variable_creator_scope(creator):
        yield


def _draws_at_random(steps_function: Any) -> bool:
    """Whether a function of ours draws random numbers whose state cannot be kept."""
    graph = steps_function.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node]
    for function in graph.library.function:
        nodes.extend(function.node_def)
    return any(
        node.op in _RANDOM_OPS
        or node.op.startswith("Stateful")
        or node.op.endswith("CandidateSampler")
        for node in nodes
    )
