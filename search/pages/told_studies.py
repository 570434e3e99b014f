"""What the dashboard does not know of our studies, put into its answers on their way out.

A note and pictures for each trial, a plot with logarithmic axes for the study, and attributes that
a person can read. None of it is written anywhere: it costs a running search nothing, is never out
of date, and a note that a person writes in the dashboard stands in its place.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from search.front.read import front_of
from search.front.trials import StudyTrials, TrialSummary, trials_of
from search.pages.local_server import App
from search.pages.pareto_plot import pareto_plot
from search.pages.trial_page import readable_attributes, trial_note
from search.pages.trial_pictures import confusion_picture, curves_picture, parsed_history
from search.report.models import measured_models
from search.storage import attributes
from search.storage.artifacts import HISTORY_FILE, ArtifactKeeper
from search.storage.reader import StudyRecord, read_study, study_names
from spaces.errors import StorageError

PLOT = "pareto-log"
"""Id of the plot, as an element of the page."""

CURVES, CONFUSION = "c0", "c1"
"""Ids of the pictures; hexadecimal digits, which is all that the dashboard takes."""

HIDDEN = (attributes.SEARCH_SPACE, attributes.ASKED, attributes.CODE, attributes.ENQUEUED)
"""Attributes of a study that nobody reads as JSON."""

_STUDY = re.compile(r"/api/studies/(\d+)")
_PICTURE = re.compile(rf"/artifacts/(\d+)/(\d+)/({CURVES}|{CONFUSION})")


@dataclass
class _Known:
    """What was said of a study's trials, by row and state as the dashboard has them."""

    identity: object = None
    trials: dict[tuple[int, str], dict[str, Any] | None] = field(default_factory=dict)
    plot: str | None = None
    columns: dict[str, bool] = field(default_factory=dict)


class ToldStudies:
    """WSGI middleware around optuna-dashboard's app.

    Args:
        app: optuna-dashboard.
        engine: Of the same database.
        files: Reads artifacts.
    """

    def __init__(self, app: App, engine: Engine, files: ArtifactKeeper) -> None:
        self._app = app
        self._engine = engine
        self._files = files
        self._known: dict[int, _Known] = {}
        self._lock = threading.Lock()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as optuna-dashboard does, with what it does not know."""
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") == "GET":
            if (found := _PICTURE.fullmatch(path)) is not None:
                return self._picture(int(found[1]), int(found[2]), found[3], start_response)
            if (found := _STUDY.fullmatch(path)) is not None:
                return self._study(int(found[1]), environ, start_response)
        return self._app(environ, start_response)

    def _study(
        self, study_id: int, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        answer: list[Any] = []

        def keep(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            answer[:] = [status, headers]

        parts = self._app(environ, keep)
        body = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        status, headers = answer
        if status.startswith("200"):
            content = json.loads(body)
            with self._lock:
                self._tell(study_id, content)
            body = json.dumps(content).encode()
            headers = [one for one in headers if one[0].lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    def _tell(self, study_id: int, content: dict[str, Any]) -> None:
        """Put in what is known of a study; one that is not ours stays as it is."""
        if _attribute(content, attributes.FORMAT) is None:
            return
        shown = [*content["trials"], *content["best_trials"]]
        known = self._known.setdefault(study_id, _Known())
        identity = _attribute(content, attributes.IDENTITY)
        is_new = any((one["trial_id"], one["state"]) not in known.trials for one in shown)
        if known.identity != identity or is_new or known.plot is None:
            record = self._record(content["name"])
            if record is None or record.study_id != study_id:
                return
            known = self._known[study_id] = _read(record, identity, known)
        for trial in shown:
            told = known.trials.get((trial["trial_id"], trial["state"]))
            if told is None:
                continue
            trial["user_attrs"] = told["attrs"]
            trial["artifacts"] = [*trial["artifacts"], *told["pictures"]]
            if not trial["note"]["version"]:
                trial["note"] = {"version": 0, "body": told["note"]}
        content["union_user_attrs"] = [
            {"key": key, "sortable": sortable} for key, sortable in sorted(known.columns.items())
        ]
        content["user_attrs"] = _readable(content["user_attrs"])
        plots = [one for one in content["plotly_graph_objects"] if one["id"] != PLOT]
        content["plotly_graph_objects"] = [{"id": PLOT, "graph_object": known.plot}, *plots]

    def _record(self, name: str) -> StudyRecord | None:
        record = read_study(self._engine, name)
        return record if record is not None and record.is_ours else None

    def _picture(
        self, study_id: int, trial_id: int, kind: str, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        picture = None
        for name in study_names(self._engine):
            record = self._record(name)
            if record is not None and record.study_id == study_id:
                picture = self._draw(record, trial_id, kind)
        status, body = "404 Not Found", b"Not Found"
        headers = [("Content-Type", "text/plain")]
        if picture is not None:
            status, body = "200 OK", picture.encode()
            # Opened by itself it is a document of this site: it may run nothing.
            policy = "default-src 'none'; style-src 'unsafe-inline'"
            headers = [("Content-Type", "image/svg+xml"), ("Content-Security-Policy", policy)]
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _draw(self, record: StudyRecord, trial_id: int, kind: str) -> str | None:
        found = trials_of(record)
        rows = {trial._trial_id: trial.number for trial in record.own_trials}
        if trial_id not in rows:
            return None
        trial = found.trial(rows[trial_id])
        if kind == CONFUSION:
            return confusion_picture(trial, record.user_attrs[attributes.TASK]["class_names"])
        # Derived trials share a training, and its history lies beside the trial that trained.
        training = trial if trial.derived_from is None else found.trial(trial.derived_from)
        (stored,) = (t for t in record.trials if t.number == training.number)
        return curves_picture(trial, self._history(stored.system_attrs))

    def _history(self, system_attrs: Mapping[str, Any]) -> dict[str, list[float]]:
        for key, meta in system_attrs.items():
            if key.startswith(attributes.ARTIFACT_PREFIX) and HISTORY_FILE in str(meta):
                with suppress(OSError, StorageError):  # Its curve is with the trial, too.
                    content = self._files.read(key.removeprefix(attributes.ARTIFACT_PREFIX))
                    return parsed_history(content)
        return {}


def _read(record: StudyRecord, identity: object, before: _Known) -> _Known:
    found, front = trials_of(record), front_of(record)
    known = _Known(identity)
    known.plot = pareto_plot(front, measured_models(record, front))
    of_before = before.trials if before.identity == identity else {}
    keys = {t.number: (t._trial_id, t.state.name.capitalize()) for t in record.trials}
    known.trials.update(dict.fromkeys(keys.values()))  # Others' trials stay as they are.
    for trial in found.trials:
        key = keys[trial.number]
        # A trial that ended does not change, but others may come to share its weights: that is
        # told to whoever opens the page anew, as the dashboard asks for new trials only.
        told = of_before.get(key) or _told(found, trial)
        known.trials[key] = told
        for name, sortable in told["columns"].items():
            known.columns[name] = sortable and known.columns.get(name, True)
    return known


def _told(found: StudyTrials, trial: TrialSummary) -> dict[str, Any]:
    pictures = []
    if trial.stored.get(attributes.CURVE):
        pictures.append(_artifact(CURVES, "curves.svg"))
    if trial.stored.get(attributes.CONFUSION):
        pictures.append(_artifact(CONFUSION, "confusion.svg"))
    attrs = readable_attributes(trial)
    return {
        "note": trial_note(found, trial),
        "attrs": [{"key": key, "value": str(value)} for key, value in attrs.items()],
        "columns": {key: not isinstance(value, (str, bool)) for key, value in attrs.items()},
        "pictures": pictures,
    }


def _artifact(artifact_id: str, name: str) -> dict[str, Any]:
    meta = {"artifact_id": artifact_id, "filename": name, "mimetype": "image/svg+xml"}
    return {**meta, "encoding": None}


def _attribute(content: Mapping[str, Any], name: str) -> object:
    return next((one["value"] for one in content["user_attrs"] if one["key"] == name), None)


def _readable(attrs: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return a study's attributes with names and plain values instead of nested JSON."""
    shown = []
    for one in attrs:
        if one["key"] in HIDDEN:
            continue
        value: Any = one["value"]
        with suppress(ValueError):
            value = json.loads(value)
        if isinstance(value, dict):
            plain = {
                k: v for k, v in value.items() if isinstance(v, (str, int, float)) and v != ""
            }
            shown += [{"key": f"{one['key']}: {k}", "value": str(v)} for k, v in plain.items()]
        elif isinstance(value, list):
            shown.append({"key": one["key"], "value": f"{len(value)} of them"})
        else:
            shown.append(one)
    return shown
