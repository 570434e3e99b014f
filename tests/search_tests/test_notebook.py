"""In a notebook: what a front shows, how a run shows itself, Ctrl-C, and the example in docs/."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pytest

from search import export_config, load_front, retrain, write_export
from search.front.read import StudyFront
from search.notebook import HtmlArea, NotebookBar, in_notebook
from search.run.events import RunProgress
from search.run.notebook import MAX_MESSAGES, NotebookDisplay
from spaces.errors import ConfigError, SearchError
from tests.search_tests.analytic_studies import run_analytic
from workers.messages.limits import Limits

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / "docs" / "example.ipynb"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "studies.db"
    run_analytic(path, n_trials=12, limits=Limits(max_size_bytes=30_000.0, min_accuracy=0.5))
    return path


@pytest.fixture
def front(storage: Path) -> StudyFront:
    return load_front("analytic", storage)


class Page(HTMLParser):
    """Tags that a page opens, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


# --- A front --------------------------------------------------------------------------------


def test_a_front_says_in_a_line_what_it_is(front: StudyFront) -> None:
    text = repr(front)
    assert len(text) < 160 and "\n" not in text
    assert text.startswith(f"<StudyFront analytic: {len(front.points)} points, ")
    empty = replace(front, points=())
    assert repr(empty) == "<StudyFront analytic: 12 trials, no point yet>"


def test_a_front_is_a_table_that_holds_no_code(front: StudyFront) -> None:
    page = Page(front._repr_html_())
    assert page.open == []
    assert 10 <= page.tags.count("tr") - 1 <= 20 < len(front.points)
    for rule in ("knee", "accuracy", "size", "latency"):
        assert str(front.pick(rule).trial) in page.text
    evil = "<script>alert(1)</script>&<img src=x onerror=y>"
    named = replace(
        front,
        study=evil,
        data_name=evil,
        device=evil,
        class_names=(evil,) * 4,
        class_counts={"val": (9, 1, 1, 1)},
        points=tuple(replace(point, quantization=evil) for point in front.points),
    )
    page = Page(named._repr_html_())
    assert not {"script", "img"} & set(page.tags)
    assert page.text.count(evil) >= 3 + 1
    assert "script" not in Page(replace(named, points=())._repr_html_()).tags


def test_a_front_is_a_data_frame(front: StudyFront) -> None:
    frame = front.to_frame()
    assert list(frame.index) == [point.trial for point in front.points]
    assert list(frame["accuracy"]) == [point.accuracy for point in front.points]
    assert frame["params_filters_1"].notna().all()
    assert (frame["accuracy_low"] <= frame["accuracy"]).all()
    assert len(replace(front, points=()).to_frame()) == 0


@pytest.mark.parametrize("x", ["size", "latency"])
def test_a_front_is_a_figure(front: StudyFront, x: str, tmp_path: Path) -> None:
    figure = front.plot(x)
    assert isinstance(figure, matplotlib.figure.Figure)
    axes, colours = figure.axes
    assert axes.get_xscale() == "log" and x in axes.get_xlabel()
    assert colours.get_ylabel().startswith("latency" if x == "size" else "size")
    along = "size_bytes" if x == "size" else "latency_ms"
    points = [[getattr(point, along), point.accuracy] for point in front.points]
    drawn = [np.asarray(one.get_offsets()).tolist() for one in axes.collections]
    assert points in drawn
    legend = axes.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == [f"best compromise (trial {front.pick('knee').trial})", "baseline"]
    figure.savefig(tmp_path / "front.svg")
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert "matplotlib.pyplot" not in sys.modules or not _pyplot_figures()


def _pyplot_figures() -> list[int]:
    found: list[int] = importlib.import_module("matplotlib.pyplot").get_fignums()
    return found


def test_a_figure_of_nothing_and_of_something_else(front: StudyFront, tmp_path: Path) -> None:
    replace(front, points=(), baseline=None).plot().savefig(tmp_path / "empty.png")
    one = replace(front, points=front.points[:1])
    one.plot().savefig(tmp_path / "one.png")
    with pytest.raises(ConfigError, match="but got 'ram'"):
        front.plot("ram")


@pytest.mark.parametrize(("module", "method"), [("pandas", "to_frame"), ("matplotlib", "plot")])
def test_what_is_missing_is_said_with_how_to_get_it(
    front: StudyFront, module: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "search.front.figure", raising=False)
    with pytest.raises(SearchError, match=r"pip install 'litefront\[notebook\]'"):
        getattr(front, method)()


# --- The chain ------------------------------------------------------------------------------


def test_what_is_exported_is_what_retraining_takes(
    storage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[dict[str, Any]] = []

    def run_job(_: str, job: dict[str, Any], *__: Any) -> None:
        jobs.append(job)
        raise ConfigError("far enough")

    monkeypatch.setattr(importlib.import_module("search.deploy.retrain"), "run_job", run_job)
    content = export_config("analytic", storage, rule="accuracy")
    write_export(content, str(tmp_path / "best.json"))
    for export in (content, tmp_path / "best.json"):
        with pytest.raises(ConfigError, match="far enough"):
            retrain(export, tmp_path / "deploy", task="fruit")
    assert jobs[0]["export"] == jobs[1]["export"] == content
    edited = {**content, "config": {**content["config"], "quantization": "int16x8"}}
    with pytest.raises(ConfigError, match="'config' was edited"):
        retrain(edited, tmp_path / "deploy", task="fruit")


# --- How things show themselves -------------------------------------------------------------


class Area(HtmlArea):
    """Keeps what would be shown."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.shown: list[tuple[str, str]] = []

    def show(self, html: str, plain: str, *, now: bool = False) -> None:
        self.shown.append((html, plain))


def test_a_run_shows_itself_below_its_cell() -> None:
    area = Area()
    display = NotebookDisplay(area)
    display.prepare("reading <b>", 1, 4)
    display.message("before")
    display.start(RunProgress("<i>fruit", n_target=9))
    for number in range(MAX_MESSAGES + 5):
        display.message(f"worker <{number}> lost")
    display.finish(RunProgress("<i>fruit", n_target=9, n_done=9, last="trial 8: <u>"))
    assert "reading &lt;b&gt;: 1/4" in area.shown[0][0]
    page = Page(area.shown[-1][0])
    assert page.open == [] and set(page.tags) <= {"div", "b", "br", "progress", "span"}
    assert "9/9 trials" in page.text and "trial 8: <u>" in page.text
    assert "6 more before" in page.text and "worker <16> lost" in page.text
    assert "worker <1> lost" not in page.text
    assert "<" not in re.sub(r"<[iu0-9]+>", "", area.shown[-1][1])


def test_a_browser_is_not_sent_a_message_for_every_step() -> None:
    sent: list[str] = []

    class Quick(HtmlArea):
        def _send(self, html: str, plain: str) -> None:
            sent.append(plain)

    now = [0.0]
    bar = NotebookBar(Quick(lambda: now[0]))
    for done in range(1001):
        now[0] += 0.001
        bar("drawing", done, 1000)
    assert sent[0] == "drawing: 0/1,000" and sent[-1] == "drawing: 1,000/1,000"
    assert len(sent) < 10


def test_here_is_no_notebook() -> None:
    assert not in_notebook()


# --- A kernel -------------------------------------------------------------------------------


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from jupyter_client.manager import start_new_kernel

    monkeypatch.setenv("PYTHONPATH", f"{CHECKOUT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    manager, client = start_new_kernel(cwd=str(tmp_path), startup_timeout=120)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


SLOW_RUN = """
import time
import search.run.preparation as preparation
import search.run.run_study as module
from search import run_study
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor


def evaluate(request):
    time.sleep(0.05)
    return analytic.make_result(request)


preparation.prepare_run = lambda *_, **__: (analytic.task_info(name="fruit", ref="fruit"), None)
module.plain_dataset = lambda dataset: dataset
module.RayExecutor = lambda *_, **__: InlineExecutor(evaluate)
run_study("fruit", trials=100_000, sampler="random", race=False)
"""


def test_interrupting_a_cell_stops_cleanly(kernel: Any) -> None:
    manager, client = kernel
    sent = client.execute(SLOW_RUN)
    updates: list[str] = []
    result = ""
    is_interrupted = False
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") != sent:
            continue
        kind, content = message["msg_type"], message["content"]
        assert kind != "error", content
        if kind in ("display_data", "update_display_data"):
            updates.append(content["data"]["text/html"])
        if kind == "execute_result":
            result = content["data"]["text/plain"]
        if len(updates) >= 4 and not is_interrupted:
            is_interrupted = True
            manager.interrupt_kernel()
        if kind == "status" and content["execution_state"] == "idle":
            break
    assert client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    assert result.startswith("<RunReport fruit: ") and result.endswith("; interrupt>")
    assert "Stopped by Ctrl-C" in updates[-1]
    # The study is whole, and the kernel is alive.
    check = "from search import load_trials; set(t.outcome for t in load_trials('fruit').trials)"
    client.execute(check)
    assert client.get_shell_msg(timeout=60)["content"]["status"] == "ok"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_example_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", f"{CHECKOUT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(EXAMPLE, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    outputs = [
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= kinds
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    assert any("4/4 trials" in page for page in pages)
    assert any("on the front" in page for page in pages)
    said = "".join(output.get("text", "") for output in outputs)
    right, n = map(int, re.findall(r"(\d+) of (\d+) right", said)[0])
    assert right >= 0.8 * n
    assert list(tmp_path.glob("studies.db")) == []  # It keeps to its own folder.


def test_the_example_is_stored_without_outputs() -> None:
    notebook = json.loads(EXAMPLE.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
