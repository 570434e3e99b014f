"""``MODEL_CARD.md``: what a model was trained on, how good it is, and how to make it again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from search.units import format_latency, format_size
from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.data.accuracy_context import wilson_interval
from spaces.data.samples import sample_kind
from spaces.wording import one_line

_LEDGER = (
    ("tflite_bytes", "the file, as it is"),
    ("gzip_bytes", "compressed with gzip"),
    ("sparse_bytes", "sparsity-encoded"),
    ("flash_bytes", "flash of the device"),
    ("arena_bytes", "RAM of an inference"),
)
_COUNTS = (
    ("n_params", "weights and biases"),
    ("n_nonzero", "of these not zero"),
    ("macs", "multiply-accumulates"),
)


def model_card(
    export: Mapping[str, Any],
    *,
    metrics: Mapping[str, Any] | None,
    micro: Mapping[str, Any],
    preprocessing: Sequence[str],
    sha256: str,
) -> str:
    """Return the card of a model, in Markdown.

    Args:
        export: What ``search export`` wrote of its trial.
        metrics: What a retraining measured; None for the trial's own file, of which the test
            split knows nothing.
        micro: What :class:`workers.firmware.package.MicroFit` says, as a table.
        preprocessing: What is done to a sample, as steps.
        sha256: Of ``model.tflite``.
    """
    parts = [
        _title(export),
        _data(export, metrics),
        _figures(export, metrics),
        _sizes(export, metrics, micro),
        _limits(export),
        _steps(preprocessing),
        _reproduction(export, metrics, sha256),
    ]
    return "\n\n".join(parts) + "\n"


def _title(export: Mapping[str, Any]) -> str:
    scheme = QuantizationScheme(export["config"]["quantization"])
    data = export.get("data", {})
    nouns = sample_kind(data.get("kind")).nouns
    names = ", ".join(_plain(name) for name in data.get("class_names", ()))
    lines = [
        f"# {_plain(export['task'])}",
        "",
        f"Labels {nouns} as one of: {names}. The file is `model.tflite`, {scheme}: "
        f"{SCHEMES[scheme].meaning}.",
    ]
    return "\n".join(lines)


def _data(export: Mapping[str, Any], metrics: Mapping[str, Any] | None) -> str:
    data = export.get("data", {})
    lines = ["## Data", ""]
    if metrics is not None and not metrics["same_data"]:
        lines.append(
            f"- {_plain(metrics['data'])}: other data than the search had, whose figures are no "
            f"promise for it."
        )
        return "\n".join(lines)
    lines.append(f"- {_plain(data.get('data_name', 'not recorded'))}")
    if data.get("generated"):
        lines.append("- The pictures are generated: on photos, expect other accuracies.")
    counts = data.get("class_counts") or {}
    for split, key in (("train", "n_train"), ("val", "n_val"), ("test", "n_test")):
        if key in data:
            each = counts.get(split) or ()
            of = ", ".join(
                f"{_plain(name)} {count:,}"
                for name, count in zip(data.get("class_names", ()), each, strict=False)
            )
            lines.append(f"- {split}: {data[key]:,}{f' ({of})' if of else ''}")
    if "data_fingerprint" in data:
        lines.append(f"- fingerprint of its content: `{data['data_fingerprint']}`")
    lines += [f"- {_plain(note)}" for note in data.get("leaks", ())]
    return "\n".join(lines)


def _figures(export: Mapping[str, Any], metrics: Mapping[str, Any] | None) -> str:
    data, promised = export.get("data", {}), export.get("measured", {})
    nouns = sample_kind(data.get("kind")).nouns
    measured = promised if metrics is None else metrics["measured"]
    rows = [["split", nouns, "accuracy", "95 % interval", "balanced accuracy", "macro F1"]]
    is_learned_from = metrics is not None and metrics.get("with_validation")
    why = "learned from" if is_learned_from else "not measured"
    rows.append(_score_row("validation", data.get("n_val"), measured, why))
    if metrics is not None:
        deployed = metrics["models"]["deployed"]
        of_test = {"accuracy": metrics["test"]["accuracy"], "class_scores": _macro(deployed)}
        rows.append(_score_row("test", metrics["test"]["images"], of_test))
    lines = ["## Figures", "", *_table(rows), ""]
    lines.append("Intervals are Wilson's, of the samples alone: another training differs too.")
    if metrics is None:
        lines.append(
            "The search picked it by these validation figures, so expect a little less. The test "
            "split is measured by `search retrain`, and nowhere before."
        )
    latency = (promised if metrics is None else metrics).get("latency") or {}
    if latency:
        lines.append("")
        lines.append(
            f"Latency: {format_latency(measured['latency_ms'])} an inference on "
            f"{_plain(latency['device'])} ({_plain(latency['runtime'])})."
        )
    return "\n".join(lines)


def _macro(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the mean scores of a judged model by the names that trials have for them."""
    macro = row.get("macro") or {}
    names = {"recall": "balanced_accuracy", "f1": "macro_f1"}
    return {name: macro[key] for key, name in names.items() if macro.get(key) is not None}


def _score_row(
    split: str, n: int | None, measured: Mapping[str, Any], why_none: str = "not measured"
) -> list[str]:
    if "accuracy" not in measured:
        return [split, "", why_none, "", "", ""]
    accuracy = measured["accuracy"]
    low, high = wilson_interval(accuracy, n or 0)
    scores = measured.get("class_scores") or {}
    others = [scores.get(name) for name in ("balanced_accuracy", "macro_f1")]
    return [
        split,
        f"{n:,}" if n else "unknown",
        f"{100 * accuracy:.2f} %",
        f"{100 * low:.2f} to {100 * high:.2f} %" if n else "",
        *("" if value is None else f"{value:.4f}" for value in others),
    ]


def _sizes(
    export: Mapping[str, Any], metrics: Mapping[str, Any] | None, micro: Mapping[str, Any]
) -> str:
    promised = export.get("measured", {})
    ledger = dict((promised if metrics is None else metrics).get("ledger") or {})
    rows = [["what", "bytes", ""]]
    for key, name in _LEDGER:
        if ledger.get(key) is not None:
            rows.append([name, f"{ledger[key]:,}", format_size(ledger[key])])
    for key, name in _COUNTS:
        if ledger.get(key) is not None:
            rows.append([name, f"{ledger[key]:,}", ""])
    rows[0] = ["what", "number", "size"]
    lines = ["## Sizes", "", *_table(rows), ""]
    lines.append(f"The search counted the size by `--size {export['size_metric']}`.")
    onnx = (metrics or {}).get("onnx")
    if onnx:
        lines.append(
            f"`model.onnx` is the same network: of {onnx['images']:,} validation "
            f"{sample_kind(export.get('data', {}).get('kind')).nouns}, {onnx['runtime']} labels "
            f"all as LiteRT does, and no output differs by more than "
            f"{onnx['max_difference']:.2g}."
        )
    if micro["arena_bytes"] is not None:
        lines.append(
            f"tflite-micro runs it in an arena of {micro['arena_bytes']:,} bytes, measured on a "
            f"64-bit machine."
        )
    elif micro["why_not"]:
        lines.append(f"It does not run on a microcontroller: {_plain(micro['why_not'])}.")
    else:
        lines.append(f"Its arena was not measured: {_plain(micro['why_unknown'])}")
    return "\n".join(lines)


def _limits(export: Mapping[str, Any]) -> str:
    limits = export.get("limits") or {}
    forms = (
        ("max_size_bytes", "--max-size", format_size),
        ("max_latency_ms", "--max-latency", format_latency),
        ("min_accuracy", "--min-accuracy", lambda share: f"{100 * share:g} %"),
        ("max_ram_bytes", "--max-ram", format_size),
    )
    lines = ["## Limits of the search", ""]
    kept = [
        f"- `{option}`: {form(limits[key])}"
        for key, option, form in forms
        if limits.get(key) is not None
    ]
    if kept:
        lines += kept
    else:
        lines.append("None." if "limits" in export else "Not recorded.")
    lines.append(f"\nLatency and flash are those of device `{_plain(export['device'])}`.")
    return "\n".join(lines)


def _steps(preprocessing: Sequence[str]) -> str:
    steps = [f"{number}. {text}" for number, text in enumerate(preprocessing, 1)]
    text = [
        "## What the model must be given",
        "",
        *steps,
        "",
        "`predict.py` does so in Python, `preprocess.c` in C, `preprocess.json` says it as data.",
    ]
    return "\n".join(text)


def _reproduction(
    export: Mapping[str, Any], metrics: Mapping[str, Any] | None, sha256: str
) -> str:
    config = export["config"]
    found = metrics or export
    epochs = TrialConfig.from_dict(config).total_epochs if metrics is None else metrics["epochs"]
    option = " --with-validation" if found.get("with_validation") else ""
    lines = [
        "## How to make it again",
        "",
        f"    search retrain export.json -o again{option}",
        "",
        f"- Study {_plain(export.get('study', 'unknown'))}, trial {export.get('trial', 'unknown')}"
        f"; configuration `{export.get('config_hash', 'edited by hand')}`, seed {config['seed']}, "
        f"{epochs} epochs.",
        f"- `model.tflite` has the SHA-256 `{sha256}`; a retraining gives the same bytes on the "
        "same machine with the same versions:",
    ]
    versions = found.get("versions") or {}
    lines.append("  " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    if metrics is not None:
        same = "the trial's" if metrics["identical_to_trial"] else "not the trial's"
        lines.append(f"- This file is {same}, byte for byte.")
    return "\n".join(lines)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|" + " --- |" * len(rows[0]), *rest]


def _plain(text: object) -> str:
    """Return a name as Markdown shows it as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", one_line(text))
