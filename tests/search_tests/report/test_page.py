"""The page and the picture of a study: by their text, and in a browser."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from search.cli.main import cli
from search.front.read import find_study, reading
from search.report.image import front_image, image_spec
from search.report.page import StudyReport, gather, report_page
from spaces.errors import ConfigError
from tests.search_tests.conftest import MakeStudy
from workers.messages.result import Limits

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


def gathered(storage: str, study: str = "fruit") -> StudyReport:
    with reading(storage) as opened:
        return gather(find_study(opened, study))


def written(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["report", *arguments])
    return result.exit_code, result.stderr


def page_data(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture
def without_vega(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the library out where nobody runs the page: it takes seconds to put together."""
    monkeypatch.setattr("search.report.page._vega", lambda: "// Vega")


@pytest.mark.usefixtures("without_vega")
def test_the_page_loads_nothing_and_runs_only_our_scripts(make_study: MakeStudy) -> None:
    page = report_page(gathered(make_study()))
    assert not re.search(r"""(src|href|action)=["']?(?!data:)[a-z/]""", page)
    assert "@import" not in page and "url(" not in page
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    scripts = re.findall(r'<script type="module">(.*?)</script>', page, re.S)
    assert len(scripts) == 3
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"&#39;sha256-{digest}&#39;" in policy or f"'sha256-{digest}'" in policy
    assert "unsafe-eval" not in policy and "default-src" in policy


@pytest.mark.usefixtures("without_vega")
def test_names_with_html_in_them_are_text(make_study: MakeStudy) -> None:
    storage = make_study(HOSTILE, n_failed=1)
    found = gathered(storage, HOSTILE)
    reason = dataclasses.replace(found.endings[0], reason=HOSTILE)
    front = dataclasses.replace(
        found.front, data_name=HOSTILE, device=HOSTILE, leaks=(HOSTILE,), class_names=(HOSTILE,)
    )
    page = report_page(dataclasses.replace(found, front=front, endings=[reason]))
    assert HOSTILE not in page and "<img" not in page
    assert page.count("<script") == page.count("</script>") == 4
    data = page_data(page)
    assert data["study"] == HOSTILE  # It arrives whole, as data.
    assert data["export"].startswith("search export '</script>")


@pytest.mark.usefixtures("without_vega")
def test_what_is_no_number_leaves_the_page_readable(make_study: MakeStudy) -> None:
    found = gathered(make_study())
    rows = [{**row, "latency_low": float("nan"), "sparsity": float("inf")} for row in found.rows]
    data = page_data(report_page(dataclasses.replace(found, rows=rows)))
    assert {row["latency_low"] for row in data["models"]} == {None}


def test_the_chart_says_what_is_what(make_study: MakeStudy) -> None:
    found = gathered(make_study(limits=Limits(max_size_bytes=90_000, min_accuracy=0.2)))
    spec = image_spec(found)
    points = next(
        layer for layer in spec["layer"] if layer["mark"].get("size") == 90
    )["encoding"]  # fmt: skip
    assert points["x"]["axis"]["title"] == "size of the gzip-compressed .tflite"
    assert points["y"]["axis"]["title"] == "validation accuracy"
    assert points["color"]["legend"]["title"] == "latency, host"
    assert points["x"]["scale"]["type"] == points["color"]["scale"]["type"] == "log"
    shapes = points["shape"]["scale"]
    assert len(set(shapes["range"])) == len(shapes["domain"]) == 3
    limits = [layer["encoding"] for layer in spec["layer"] if layer["mark"].get("strokeDash")]
    assert limits[0]["x"] == {"datum": 90_000} and limits[1]["y"] == {"datum": 0.2}
    on_front = {row["trial"] for row in found.rows if row["front"]}
    assert on_front == {point.trial for point in found.front.points}
    for row in found.rows:
        assert row["low"] < row["accuracy"] < row["high"]  # Wilson, of 600 images.


def test_the_picture_needs_no_browser(make_study: MakeStudy) -> None:
    found = gathered(make_study())
    svg = front_image(found, ".svg").decode()
    assert svg.startswith("<svg") and "Pareto front of fruit (generated pictures)" in svg
    assert "validation accuracy" in svg and "knee" in svg
    assert front_image(found, ".PNG").startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match=r"must end in .svg or .png, but got '.gif'"):
        front_image(found, ".gif")


@pytest.mark.usefixtures("without_vega")
def test_what_goes_wrong_is_one_line(make_study: MakeStudy, tmp_path: Path) -> None:
    storage = make_study(n_trials=1)
    make_study("none", n_trials=0)
    make_study("failed", n_trials=0, n_failed=2)
    page = tmp_path / "report.html"
    cases = {
        ("fruit",): (2, "Say what to write"),
        ("fruit", "--with-models", "--image", "a.svg"): (2, "so it needs -o"),
        ("friut", "-o", str(page)): (2, "Did you mean 'fruit'?"),
        ("none", "-o", str(page)): (2, "no trial yet that ended, so there is nothing to report"),
        ("failed", "--image", str(tmp_path / "a.svg")): (2, "no front to draw"),
        ("fruit", "--image", str(tmp_path / "a.pdf")): (2, "must end in .svg or .png"),
        ("fruit", "-o", str(tmp_path / "no" / "a.html")): (1, "cannot be written"),
    }
    for arguments, (code, text) in cases.items():
        found = written(*arguments, "--storage", storage)
        assert found[0] == code and text in found[1], (arguments, found)
        assert len(found[1].splitlines()) == 1 and not page.exists()
    assert written("fruit", "-o", str(page), "--storage", storage)[0] == 0
    before = page.read_bytes()
    code, said = written("failed", "-o", str(page), "--storage", storage)
    assert code == 1 and "is there already" in said and page.read_bytes() == before
    code, said = written("failed", "-o", str(page), "--storage", storage, "--force")
    assert code == 0 and "no point on the front yet" in said
    text = page.read_text()
    assert "No point yet: no trial gave a model." in text and "its loss is NaN" in text


@pytest.mark.slow
def test_a_model_is_chosen_in_a_browser(
    make_study: MakeStudy, browser: Chrome, tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    storage = make_study(n_trials=12, limits=Limits(max_size_bytes=90_000))
    found = gathered(storage)
    page = tmp_path / "report.html"
    assert written("fruit", "-o", str(page), "--with-models", "--storage", storage)[0] == 0
    assert page.stat().st_size < 2_000_000
    front = sorted(found.front.points, key=lambda point: point.size_bytes)

    def run(script: str) -> Any:
        return browser.execute_script(f"return {script}")

    def wait(script: str) -> Any:
        return WebDriverWait(browser, 40).until(lambda _: run(script), script)

    browser.get_log("browser")
    browser.get(page.as_uri())
    wait("document.documentElement.dataset.drawn")
    knee = found.front.pick("knee").trial
    wait(f"document.querySelector('#export-line').textContent.endsWith('--trial {knee}')")

    # Axes are named, and marks are told to a screen reader.
    for chart, title in (("size", "gzip-compressed .tflite"), ("latency", "latency, host")):
        text = run(f"document.querySelector('[data-chart={chart}] svg').textContent")
        assert title in text and "validation accuracy" in text
    labels = run("[...document.querySelectorAll('[data-chart=size] [aria-label]')]"
                 ".map(e => e.getAttribute('aria-label'))")  # fmt: skip
    says = {row["trial"]: row["says"] for row in found.rows}
    assert all(says[point.trial] in labels for point in front)

    # A click on a mark selects it in the table, the charts and the panel.
    chosen = front[0] if front[0].trial != knee else front[1]
    mark = (
        f"[...document.querySelectorAll('[data-chart=size] [aria-label]')]"
        f".find(e => e.getAttribute('aria-label') === {json.dumps(says[chosen.trial])})"
    )
    browser.execute_script(f"{mark}.scrollIntoView({{block: 'center'}})")
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).move_to_element(run(mark)).perform()
    wait("document.querySelector('#tip')?.textContent.includes('filters_1')")
    ActionChains(browser).click(run(mark)).perform()
    wait(f"document.querySelector('#export-line').textContent.endsWith('--trial {chosen.trial}')")
    selected = "document.querySelector('#models tr[aria-selected=true]').dataset.trial"
    assert run(selected) == str(chosen.trial)

    # The file that is offered is the model's.
    wait("!document.querySelector('#download').hidden")
    content = browser.execute_async_script(
        "const done = arguments[0], link = document.querySelector('#download-link');"
        "done([link.download, JSON.parse(document.querySelector('#data').textContent)"
        f".files[{chosen.trial}]]);"
    )
    assert content[0] == f"fruit-{chosen.trial}.tflite"
    assert base64.b64decode(content[1]) == model_file(found, storage, chosen.trial)

    # By keyboard along the front, and from the table.
    along = browser.find_element(By.CSS_SELECTOR, "[data-chart=size]")
    browser.execute_script("arguments[0].focus()", along)
    along.send_keys("\ue014")  # Arrow to the right.
    at = [point.trial for point in front].index(chosen.trial)
    wait(f"{selected} === '{front[at + 1].trial}'")

    # The table sorts and filters.
    browser.find_element(By.XPATH, "//table[@id='models']//button[.='accuracy']").click()
    rows = "[...document.querySelectorAll('#models tbody tr')].map(r => Number(r.dataset.trial))"
    assert run(rows)[0] == found.front.pick("accuracy").trial
    browser.find_element(By.ID, "filter").send_keys("int8")
    wait(f"{rows}.length < {len(front)}")
    assert run("[...document.querySelectorAll('#models tbody tr')]"
               ".every(r => r.textContent.includes('int8'))")  # fmt: skip

    # A slider leaves the most accurate point within it.
    limit = 'document.querySelector("input[name=max_size]")'
    browser.execute_script(f"{limit}.value = 60; {limit}.dispatchEvent(new Event('input'))")
    size = float(
        run(f"Math.min(...{SIZES}) * (Math.max(...{SIZES}) / Math.min(...{SIZES})) ** .3")
    )
    best = max((p for p in front if p.size_bytes <= size), key=lambda p: p.accuracy)
    wait(f"document.querySelector('#remains').textContent.includes('trial {best.trial}:')")

    # Halved errors take the same way: the axis still names accuracies.
    browser.find_element(By.ID, "log-error").click()
    wait("document.querySelector('[data-chart=size] svg').textContent.includes('90 %')")

    # Dark at a press, nothing cut off on a telephone, and nothing to complain of.
    browser.find_element(By.ID, "theme").click()
    assert run("document.documentElement.dataset.theme") in ("dark", "light")
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wait("innerWidth === 390")
    assert run("document.documentElement.scrollWidth") <= 390
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


SIZES = "JSON.parse(document.querySelector('#data').textContent).models.map(m => m.size)"


def model_file(report: StudyReport, storage: str, trial: int) -> bytes:
    """What the analytic study stored of a trial: read from the artifact store."""
    import optuna
    from optuna.artifacts import FileSystemArtifactStore

    from search.storage.attributes import linked_artifact

    study = optuna.load_study(study_name="fruit", storage=f"sqlite:///{storage}")
    trial_id = study.trials[trial]._trial_id
    links = (
        linked_artifact(key) for key in study._storage.get_study_system_attrs(study._study_id)
    )
    (artifact,) = [link[1] for link in links if link and link[0] == trial_id]
    with FileSystemArtifactStore(Path(storage).parent / "artifacts").open_reader(artifact) as file:
        return file.read()
