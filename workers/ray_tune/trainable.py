"""A task as a trainable of Ray Tune: a step is an epoch, a checkpoint is a training to go on with.

Tune calls :meth:`TaskTrainable.step` again and again, and may save, stop or restore in between;
a :class:`~workers.trial.evaluate.TrialEvaluator` runs from gate to measurement in one go. So it
runs in a thread of its own, which waits after every epoch until the next one is asked for. The
last step does more than train its epoch: it prunes to the end, trains quantization-aware where the
scheme asks for it, converts and measures.

What Tune is told are plain numbers, so that its loggers can draw them. The whole result, with
all points of the training, goes by a :mod:`mailbox <workers.ray_tune.mailbox>` to the searcher.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from spaces.config.trial import ParamValue, TrialConfig
from spaces.data.dataset import Dataset
from spaces.errors import ConfigError
from spaces.space.search_space import SearchSpace
from workers.messages.result import EvaluateRequest, Limits, SizeMetric, TrialResult
from workers.ray_tune.mailbox import result_metrics, send_result
from workers.training.checkpoint import Resume, TrainingState
from workers.trial.evaluate import MakeEvaluator, TrialEvaluator
from workers.trial.gate import Gate

_logger = logging.getLogger(__name__)

_EPOCH_METRICS = {
    "loss": "loss",
    # `accuracy` is the objective: that of the converted model on the validation split.
    "accuracy": "train_accuracy",
    "val_loss": "val_loss",
    "val_accuracy": "val_accuracy",
}

_evaluators: dict[MakeEvaluator, TrialEvaluator] = {}  # An actor keeps it from trial to trial.


@dataclass(frozen=True)
class TuneTask:
    """What every trial of a task needs, beside its parameters and the data.

    Attributes:
        make_evaluator: Makes what trains and measures, once a process.
        make_config: Turns the values of all active parameters into a configuration.
        space: What may vary; parameters that a trial is not given take their defaults.
        limits: What the gate checks before training.
        size_metric: Which size is ``size_bytes``.
        device: Whose latency counts.
        fan_out: Whether a training is measured under every scheme that needs none of its own.
        check_gate: Whether to look at size and latency before training.
        mailbox: Name of the mailbox that whole results go to; empty for none.
    """

    make_evaluator: MakeEvaluator
    make_config: Callable[[Mapping[str, ParamValue]], TrialConfig]
    space: SearchSpace
    limits: Limits = Limits()
    size_metric: SizeMetric = "gzip"
    device: str = "host"
    fan_out: bool = True
    check_gate: bool = True
    mailbox: str = ""

    def request(self, params: Mapping[str, Any]) -> EvaluateRequest:
        """Return what to evaluate for the parameters of a Tune trial.

        Raises:
            ConfigError: If one is unknown, or has a value that the space has not.
        """
        return EvaluateRequest(
            config=self.make_config(self._complete(params)),
            limits=self.limits,
            size_metric=self.size_metric,
            device=self.device,
            fan_out=self.fan_out,
            check_gate=self.check_gate,
        )

    def _complete(self, params: Mapping[str, Any]) -> dict[str, ParamValue]:
        """Return the values of all active parameters: those given, and defaults."""
        for name in params:
            if name not in self.space:
                raise ConfigError(
                    f"Unknown parameter {name!r}. The task's parameters: "
                    f"{', '.join(self.space.names)}."
                )
        values: dict[str, ParamValue] = {}
        for parameter in self.space.parameters:
            if not self.space.is_active(parameter, values):
                continue
            value = _plain_value(params.get(parameter.name, parameter.default))
            if parameter.kind == "float" and isinstance(value, int):
                value = float(value)
            if parameter.kind == "categorical" and not parameter.contains(value):
                raise ConfigError(
                    f"Parameter {parameter.name!r} must be one of "
                    f"{', '.join(map(str, parameter.choices))}, but got {value!r}."
                )
            values[parameter.name] = value
        return values


class TaskTrainable(tune.Trainable):  # type: ignore[misc, unused-ignore]
    """Trains and measures one trial of a task; ``search.task_trainable`` makes it ready to use.

    Every step reports ``loss``, ``train_accuracy``, ``val_loss`` and ``val_accuracy`` (of the
    float network), and what is known before training (``gate_size_bytes``,
    ``gate_latency_ms``). The last one reports ``accuracy``, ``size_bytes`` and ``latency_ms``
    too, and how the trial ended: ``outcome`` is ``complete``, ``infeasible`` or ``failed``, and
    ``reason`` says why. A trial that fails for a reason of its own is no error of Tune's: it
    would fail again.

    A checkpoint holds the training; see :mod:`workers.training.checkpoint` for what going on
    repeats. Quantization-aware training is part of the last step and is done anew.
    """

    def setup(  # type: ignore[override, unused-ignore]
        self, config: dict[str, Any], task: TuneTask, dataset: Dataset
    ) -> None:
        """Import TensorFlow and load the task, once a process; called by Tune."""
        self._task = task
        self._run: _Run | None = None
        self._start: TrainingState | None = None
        self._request = task.request(config)
        if task.make_evaluator not in _evaluators:
            _evaluators.clear()  # One data set at a time.
            _evaluators[task.make_evaluator] = task.make_evaluator(dataset)
        self._evaluate = _evaluators[task.make_evaluator]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Make ready for another trial in the same process, with ``reuse_actors=True``."""
        self._stop()
        self._start = None
        self._request = self._task.request(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train one more epoch; the last one goes on to the measured model."""
        if self._run is None:
            self._run = _Run(self._evaluate, self._request, self._start)
        metrics, result = self._run.next()
        if self._run.problem:
            _logger.warning(
                "Trial %s begins its training anew: %s.", self.trial_id, self._run.problem
            )
            self._run.problem = ""
        if result is not None:
            metrics = {**metrics, **result_metrics(result), "done": True}
            if self._task.mailbox:
                send_result(self._task.mailbox, self.trial_id, result)
        return metrics

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write where the training stands; nothing before the first epoch."""
        state = self._start if self._run is None else self._run.state
        if state is not None:
            state.save(Path(checkpoint_dir))

    def load_checkpoint(  # type: ignore[override, unused-ignore]
        self, checkpoint_dir: str
    ) -> None:
        """Go on from a checkpoint with the next step.

        One of another configuration (population-based training makes those) gives its weights
        where they fit; where not, the training begins anew and a warning says so.
        """
        self._stop()
        self._start = None
        folder = Path(checkpoint_dir)
        if any(folder.iterdir()):
            self._start = TrainingState.load(folder)

    def cleanup(self) -> None:
        """End the thread; called by Tune when the trial is stopped."""
        self._stop()

    def _stop(self) -> None:
        if self._run is not None:
            self._run.stop()
            self._run = None


class _Run:
    """An evaluation in a thread that waits after every epoch.

    Attributes:
        problem: Why the checkpoint was not used; empty if it was, or there was none.
    """

    def __init__(
        self, evaluate: TrialEvaluator, request: EvaluateRequest, start: TrainingState | None
    ) -> None:
        self.problem = ""
        self._epochs = request.config.training.epochs
        self._start = start
        self._resume = Resume(request.config.hash, start)
        self._evaluate = evaluate
        self._request = request
        self._last: dict[str, Any] = {}
        self._gate: dict[str, Any] = {}
        self._state: TrainingState | None = start
        # From the thread: metrics of an epoch, a result, or what it raised.
        self._out: queue.Queue[Any] = queue.Queue()
        self._go_on: queue.Queue[bool] = queue.Queue()
        self._result: TrialResult | None = None
        self._is_waiting = False
        self._thread = threading.Thread(target=self._target, name="training", daemon=True)
        self._thread.start()

    def next(self) -> tuple[dict[str, Any], TrialResult | None]:
        """Return the metrics of the next epoch, with the last one of them the result."""
        if self._is_waiting:
            self._is_waiting = False
            self._go_on.put(True)
        answer = self._out.get()
        self.problem, self._resume.problem = self._resume.problem, ""
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, TrialResult):
            self._result = answer
            return {**self._gate, **self._last}, answer
        self._is_waiting = True
        return {**self._gate, **answer}, None

    @property
    def state(self) -> TrainingState | None:
        """Where the training stands, between two epochs; as it began once it has ended."""
        return self._resume.state() if self._is_waiting else self._start

    def stop(self) -> None:
        """End the thread, if it has not ended."""
        if self._is_waiting:
            self._is_waiting = False
            self._go_on.put(False)
        self._thread.join()

    def _target(self) -> None:
        try:
            result = self._evaluate(
                self._request, self._on_epoch, on_gate=self._on_gate, resume=self._resume
            )
        except BaseException as error:  # An error of ours, or of the user's set-up.
            self._out.put(error)
        else:
            self._out.put(result)

    def _on_gate(self, gate: Gate) -> None:
        known = {"gate_size_bytes": gate.size_bytes, "gate_latency_ms": gate.latency_ms}
        self._gate = {name: value for name, value in known.items() if value is not None}

    def _on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        self._last = {ours: metrics[theirs] for theirs, ours in _EPOCH_METRICS.items()}
        self._last["epoch"] = epoch + 1
        if epoch + 1 <= self._resume.n_replayed or epoch + 1 >= self._epochs:
            return True
        self._out.put(dict(self._last))
        return self._go_on.get()


def _plain_value(value: Any) -> Any:
    """Return numpy's numbers, which some searchers give, as Python's."""
    return value.item() if hasattr(value, "item") else value
