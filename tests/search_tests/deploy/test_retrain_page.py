"""The page of a retraining, and its table in the terminal."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from search.deploy.charts import Line, line_chart, nice_ticks
from search.deploy.metrics_table import print_metrics
from search.deploy.report_page import retrain_page
from tests.search_tests import retrained
from workers.deploy.evaluation import judge

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

VOID = {"meta", "img", "br", "line", "rect", "circle", "polyline"}


class Page(HTMLParser):
    """Checks that tags are closed, and collects texts and what is loaded."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]
        assert tag not in ("script", "link", "iframe")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page(metrics: dict[str, Any], heatmap: bool = True) -> tuple[str, Page]:
    png = retrained.picture()
    pictures = [{"picture": png, "heatmap": png if heatmap else None}] * 2
    text = retrain_page(metrics, pictures[: len(metrics["grad_cam"]["images"])])
    return text, Page(text)


def table(metrics: dict[str, Any]) -> str:
    console = Console(width=80, file=io.StringIO(), highlight=False, markup=False)
    print_metrics(console, metrics)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    return str(text)


def test_the_page_needs_nothing_else() -> None:
    text, found = page(retrained.metrics(seeds=retrained.SEEDS))
    assert len(found.loaded) == 4
    assert all(source.startswith("data:image/png;base64,") for source in found.loaded)
    assert "url(" not in text and "@import" not in text
    assert "http" not in re.sub('xmlns="http://www.w3.org/2000/svg"|http-equiv', "", text)


def test_the_page_runs_nothing_and_follows_light_and_dark() -> None:
    text, _ = page(retrained.metrics(seeds=retrained.SEEDS))
    assert "script-src &#39;none&#39;" in text or "script-src 'none'" in text
    assert "prefers-color-scheme:dark" in text
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', text))
    assert colours <= {"none", "var(--accent)", "var(--mark)", "var(--soft)"}


@pytest.mark.slow
def test_no_column_is_cut(browser: Chrome, tmp_path: Path) -> None:
    metrics = retrained.metrics(seeds=retrained.SEEDS, latency={"device": "ethos-u85-2048"})
    metrics["config"]["quantization"] = "dynamic_range"  # The longest names there are.
    (tmp_path / "report.html").write_text(page(metrics)[0])
    for width in (1280, 390):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get((tmp_path / "report.html").as_uri())
        assert browser.execute_script(CUT) == []
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


CUT = """return [document.documentElement, ...document.querySelectorAll(".scroll")]
    .filter(e => e.scrollWidth > e.clientWidth).map(e => e.ariaLabel || e.tagName)"""


def test_names_of_classes_are_text() -> None:
    text, found = page(retrained.metrics())
    assert "<b>" not in text
    assert "<b>pear</b>" in found.texts


def test_the_page_shows_what_was_measured() -> None:
    _, found = page(retrained.metrics(seeds=retrained.SEEDS))
    shown = " ".join(found.texts)
    for text in (
        "98.33 %", "95.00 %", "93.33 %", "52.0 kB", "12.4 kB",  # Three models.
        "91.1 to 99.7 %", "84.1 to 97.4 %",  # Wilson, 59 and 56 of 60.
        "90.2 to 98.4 %", "88.8 to 97.8 %",  # 96 and 95 of 100 validation images.
        "58.4 to 91.9 %",  # Recall: 16 of 20 apples.
        "best: epoch 3", "Deployed are the weights of epoch 4",
        "apple called <b>pear</b> 4 times",
        "0.800", "0.833", "macro mean", "weighted mean",  # Of the deployed model's classes.
        "Grad-CAM at layer conv2d_1", "<b>pear</b> (80 %), is apple",
        "mean of the others", "91.00 %", "1.41 %",
    ):  # fmt: skip
        assert text in shown, text


def test_charts_are_well_formed() -> None:
    text, _ = page(retrained.metrics(seeds=retrained.SEEDS))
    charts = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(charts) == 3
    for chart in charts:
        ElementTree.fromstring(chart)


def test_wrong_pictures_are_told_from_right_ones() -> None:
    text, _ = page(retrained.metrics())
    assert text.index("<span class=wrong>") < text.index("<span class=right>")


def test_without_a_convolution_the_reason_stands_there() -> None:
    metrics = retrained.metrics()
    metrics["grad_cam"].update(layer=None, note="This network has no convolution.")
    _, found = page(metrics, heatmap=False)
    assert "This network has no convolution." in found.texts
    assert len(found.loaded) == 2


def test_a_branch_without_epochs_has_no_curves() -> None:
    empty: dict[str, list[float]] = {name: [] for name in retrained.HISTORY}
    curves: dict[str, Any] = {"phases": [], "history": empty, "best_epoch": None}
    text, _ = page(retrained.metrics(curves=curves))
    assert "<svg" not in text and "No epochs" in text


def test_what_the_best_weights_went_into_is_said() -> None:
    metrics = retrained.metrics()
    metrics["curves"]["phases"] = [
        {"name": "training", "epochs": 3, "kept": 2},
        {"name": "quantization-aware", "epochs": 1, "kept": 1},
    ]
    text, _ = page(metrics)
    assert "What followed epoch 3 began with the weights of epoch 2. Deployed are" in text
    assert "weights of epoch 4." in text


def test_a_hundred_classes_fit() -> None:
    import numpy as np

    names = [f"class {number}" for number in range(100)]
    row = judge(np.eye(100), np.roll(np.arange(100), 1), names, are_logits=False)
    metrics = retrained.metrics()
    metrics["models"] = {"float": None, "pruned": None, "deployed": {**row, **SIZES}}
    metrics["grad_cam"]["images"] = []
    text, found = page(metrics)
    assert 'class="matrix bare"' in text
    assert 'title="class 0 called class 1: 1"' in text
    assert any(line.startswith("Most often confused: class 0 called") for line in found.texts)


SIZES = {"tflite_bytes": 1, "gzip_bytes": 1, "latency_ms": None, "sparsity": 0.0}


def test_the_terminal_shows_three_models_and_their_seeds() -> None:
    rows = [line.split() for line in table(retrained.metrics(seeds=retrained.SEEDS)).splitlines()]
    floats = next(row for row in rows if row[:1] == ["float"])
    assert floats[1:3] == ["98.33", "%"]
    assert next(row for row in rows if row[:2] == ["deployed,", "int8"])[2:4] == ["93.33", "%"]
    assert ["2", "failed"] in rows
    assert ["mean", "of", "the", "others", "91.00", "%", "90.00", "%", "12.5", "kB"] in [
        row[:10] for row in rows
    ]
    assert any(row[:4] == ["Seed", "2", "gave", "no"] for row in rows)


def test_augmentation_is_named_as_such() -> None:
    metrics = retrained.metrics()
    views = ["as it is", "1 px up"]
    metrics["models"]["float"]["tta"] = {"views": views, "accuracy": 0.99, "loss": 0.1}
    text = table(metrics)
    row = next(line for line in text.splitlines() if line.startswith("float + augmented *"))
    assert row.split()[-3:] == ["99.00", "%", "0.100"]
    said = " ".join(text.split())
    assert "test-time augmentation: the mean answer to 2 views (as it is, 1 px up)" in said
    assert "Not what is deployed." in said


def test_what_there_is_not_is_a_dash() -> None:
    metrics = retrained.metrics(latency={"device": "ethos-u55-128"}, notes=["No float32 there."])
    metrics["models"]["pruned"]["latency_ms"] = None
    text = table(metrics)
    assert next(line for line in text.splitlines() if line.startswith("pruned")).endswith("-")
    assert "No float32 there." in text and "Latencies are those of ethos-u55-128." in text


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_span_what_is_shown(low: float, size: float) -> None:
    high = low + size
    ticks = nice_ticks(low, high)
    assert ticks == sorted(set(ticks)) and 2 <= len(ticks) <= 9
    slack = 1e-6 * max(abs(low), abs(high), 1)
    assert ticks[0] <= low + slack and high - slack <= ticks[-1]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.92, 0.97, [0.92, 0.93, 0.94, 0.95, 0.96, 0.97])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_values_that_are_not_finite_leave_a_gap() -> None:
    line = Line("loss", [1.0, float("inf"), float("nan"), 0.5], "red")
    chart = line_chart("Loss", [line], str)
    assert chart.count("<circle") == 2 and "nan" not in chart and "inf" not in chart
    assert line_chart("Loss", [Line("loss", [], "red")], str) == ""


def test_metrics_of_the_models_own_stand_beside_the_accuracy() -> None:
    metrics = retrained.metrics()
    assert "auc" not in table(metrics)
    metrics["measured"]["metrics"] = {"auc": 0.98765, "recall": 0.5}
    metrics["promised"]["metrics"] = {"auc": 0.9}
    rows = [line.split() for line in table(metrics).splitlines()]
    assert ["auc,", "validation", "0.9000", "0.9877"] in rows
    assert ["recall,", "validation", "0.5000"] in rows
    texts = page(metrics)[1].texts
    assert texts[texts.index("auc, validation") + 1 :][:2] == ["0.9000", "0.9877"]


def test_nothing_is_said_of_pictures_that_were_learned_from() -> None:
    seeds = {name: value for name, value in retrained.SEEDS.items() if name != "val_accuracy"}
    seeds["runs"] = [
        {name: value for name, value in run.items() if name != "val_accuracy"}
        for run in retrained.SEEDS["runs"]  # type: ignore[attr-defined]
    ]
    metrics = retrained.metrics(with_validation=True, seeds=seeds)
    for name in ("images", "accuracy"):
        del metrics["measured"][name]
    metrics["curves"]["best_epoch"] = None
    learned = {name: retrained.HISTORY[name] for name in ("loss", "accuracy")}
    metrics["curves"]["history"] = metrics["models"]["float"]["history"] = learned
    text, parsed = page(metrics)
    said = " ".join(parsed.texts)
    # How training went is drawn, and nothing of what was learned from as if it judged.
    assert text.count("<svg") == 3 and "No epochs" not in text
    legend = text.partition("class=legend>")[2].partition("</p>")[0]
    assert "training, float model" in legend and "validation" not in legend
    assert "pictures that were learned from" in said and "weights of epoch 4." in said
    assert "Best validation accuracy" not in said
    assert "only the test split tells its worth" in said
    console = Console(file=io.StringIO(), width=80)
    print_metrics(console, metrics)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert re.search(r"accuracy, validation +95\.0 % +learned from", text)
    assert "only the test split tells its worth" in text
    assert re.search(r"mean of the others +\d+\.\d\d %  +\d", text)
