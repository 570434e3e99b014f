"""All of one trial in words: what the terminal shows of it, and its page in the dashboard."""

from __future__ import annotations

from collections.abc import Callable

from search.front.trials import StudyTrials, TrialSummary
from search.sampling.branch_kinds import kind_of
from search.storage import attributes
from search.units import format_accuracy, format_duration, format_latency, format_size
from spaces.config.trial import TrialConfig
from spaces.wording import counted

Rows = list[tuple[str, str]]


def trial_title(found: StudyTrials, trial: TrialSummary) -> str:
    """Return which trial it is, and how it ended."""
    how = trial.outcome
    if trial.has_model:
        how += ", on the front" if trial.is_on_front else ", not on the front"
    baseline = ", the baseline" if trial.is_baseline else ""
    return f"Trial {trial.number} of study {found.study}: {how}{baseline}"


def trial_sections(found: StudyTrials, trial: TrialSummary) -> list[tuple[str, Rows]]:
    """Return what is known of a trial: sections with a title, and names with texts in each.

    Args:
        found: The study.
        trial: One of its trials.
    """
    versions = trial.stored.get(attributes.VERSIONS, {})
    sections = [
        ("Figures" if trial.has_model else "Foreseen by the gate", _figures(trial)),
        ("Sizes", _ledger(trial)),
        ("Parameters", [(name, _value(value)) for name, value in trial.params.items()]),
        ("Sparsity by layer", _layers(trial)),
        ("Lineage", _lineage(found, trial)),
        ("Training", _training(trial)),
        ("Made with", [(name, str(version)) for name, version in versions.items()]),
    ]
    filled = [(title, [row for row in rows if row[1]]) for title, rows in sections]
    return [(title, rows) for title, rows in filled if rows]


def export_line(found: StudyTrials, trial: TrialSummary) -> str:
    """Return the command that takes a trial."""
    return f"search export {found.study} --trial {trial.number} -o best.json"


def _figures(trial: TrialSummary) -> Rows:
    stored = trial.stored
    rows = [
        ("accuracy", or_empty(trial.accuracy, format_accuracy)),
        ("size", or_empty(trial.size_bytes, format_size)),
        ("latency", or_empty(trial.latency_ms, format_latency)),
        ("RAM", or_empty(trial.ram_bytes, format_size)),
        ("scheme", trial.quantization),
        ("sparsity", or_empty(trial.sparsity, format_accuracy)),
    ]
    scores = stored.get(attributes.CLASS_SCORES, {})
    rows += [
        (name.replace("_", " "), format_accuracy(value))
        for name, value in scores.items()
        if name != "accuracy"
    ]
    rows += [(name, f"{value:.4g}") for name, value in stored.get(attributes.METRICS, {}).items()]
    if (latency := stored.get(attributes.LATENCY)) is not None:
        rows.append(
            (
                "measured",
                f"{latency.get('n_runs', '?')} runs on {latency.get('device', '?')}, "
                f"{counted(int(latency.get('threads', 1)), 'thread')}, "
                f"{latency.get('runtime', '?')}",
            )
        )
    gain = stored.get(attributes.GAIN)
    if gain is not None and trial.has_model:
        rows.append(("hypervolume gained", f"{gain:.5f}"))
    return rows


def _ledger(trial: TrialSummary) -> Rows:
    ledger = trial.stored.get(attributes.LEDGER, {})
    names = {
        "tflite_bytes": ".tflite",
        "gzip_bytes": "compressed",
        "sparse_bytes": "sparse-encoded",
        "flash_bytes": "flash",
        "arena_bytes": "arena (RAM)",
    }
    rows = [
        (name, f"{ledger[key]:,} bytes")
        for key, name in names.items()
        if ledger.get(key) is not None
    ]
    if "n_params" in ledger:
        rows.append(
            ("parameters", f"{ledger['n_params']:,}, {ledger['n_nonzero']:,} of them not zero")
        )
    if "macs" in ledger:
        rows.append(("multiply-accumulates", f"{ledger['macs']:,}"))
    if ledger.get("float_operations"):
        floats = ", ".join(f"{n} {name}" for name, n in ledger["float_operations"].items())
        rows.append(("run in floats", floats))
    return rows


def _layers(trial: TrialSummary) -> Rows:
    found = trial.stored.get(attributes.SPARSITY, {})
    return [(name, format_accuracy(share)) for name, share in found.items() if name != "overall"]


def _lineage(found: StudyTrials, trial: TrialSummary) -> Rows:
    rows = []
    line = found.lineage(trial.number)
    for parent, child in zip(line, line[1:], strict=False):
        how = "same training"
        if child.derived_from is None:
            how = kind_of(TrialConfig.from_dict(child.stored[attributes.CONFIG])).words
        rows.append((f"trial {parent.number}", f"{_short(parent)}; then {how}"))
    if trial.retry_of is not None:
        rows.append(("tries again", f"trial {trial.retry_of}, which was interrupted"))
    if attributes.ORIGIN in trial.stored:
        rows.append(("measured elsewhere", str(trial.stored[attributes.ORIGIN])))
    for name, others in (
        ("same training", found.derived_from(trial.number)),
        ("branches", found.branches_of(trial.number)),
    ):
        if others:
            rows.append((name, ", ".join(str(one.number) for one in others)))
    return rows


def _training(trial: TrialSummary) -> Rows:
    stored = trial.stored
    rows = []
    if (epochs := stored.get(attributes.EPOCHS_TRAINED)) is not None:
        spared = stored.get(attributes.EPOCHS_SPARED)
        before = f", {spared:,} of them by an attempt that was interrupted" if spared else ""
        rows.append(("epochs trained", f"{epochs:,}{before}"))
    if curve := stored.get(attributes.CURVE):
        rows.append(("accuracy by epoch", " ".join(f"{100 * one:.1f}" for one in curve)))
    if (bar := stored.get(attributes.BAR)) is not None:
        rows.append(("had to reach", format_accuracy(bar)))
    if trial.seconds:
        stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in trial.seconds.items())
        rows.append(("seconds", f"{sum(trial.seconds.values()):.1f} ({stages})"))
    if trial.started is not None:
        took = ""
        if trial.ended is not None:
            took = f", {format_duration((trial.ended - trial.started).total_seconds())} to its end"
        rows.append(("started", f"{trial.started:%Y-%m-%d %H:%M:%S}{took}"))
    for name, key in (
        ("worker", attributes.WORKER),
        ("seed", attributes.TRIAL_SEED),
        ("configuration", attributes.CONFIG_HASH),
        ("model's SHA-256", attributes.TFLITE_SHA256),
    ):
        if key in stored:
            rows.append((name, str(stored[key])))
    for scheme, why in stored.get(attributes.SKIPPED, {}).items():
        rows.append((f"no {scheme}", str(why)))
    return rows


def _short(trial: TrialSummary) -> str:
    if not trial.has_model:
        return trial.outcome
    assert trial.accuracy is not None and trial.size_bytes is not None
    return (
        f"{format_accuracy(trial.accuracy)}, {format_size(trial.size_bytes)}, {trial.quantization}"
    )


def or_empty(value: float | None, form: Callable[[float], str]) -> str:
    """Return a value as text; nothing of one that is not known."""
    return "" if value is None else form(value)


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
