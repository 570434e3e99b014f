"""optuna-dashboard behind our door: loopback, local host names, and the front in a browser."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from search.front.read import load_front
from search.pages.dashboard import Dashboard
from search.pages.local_server import HOST
from search.storage.database import open_storage
from spaces.errors import ConfigError, StorageError, StudyError
from tests.listening import listening
from tests.search_tests.analytic_studies import run_analytic
from tests.search_tests.conftest import MakeStudy
from tests.search_tests.pages.served import serving
from workers.messages.result import Limits

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


def shown(storage: str, port: int = 0) -> AbstractContextManager[Dashboard]:
    return serving(Dashboard(storage, port=port))


def status(
    dashboard: Dashboard, method: str = "GET", path: str = "/api/studies", **headers: str
) -> int:
    connection = http.client.HTTPConnection(HOST, dashboard.port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_only_local_names_are_answered(make_study: MakeStudy) -> None:
    with shown(make_study(n_trials=1)) as dashboard:
        port = dashboard.port
        for host in (
            f"127.0.0.1:{port}",
            f"localhost:{port}",
            f"LOCALHOST:{port}",
            f"[::1]:{port}",
        ):
            assert status(dashboard, Host=host) == 200
        for host in (
            "evil.example",
            f"evil.example:{port}",
            f"localhost.evil.example:{port}",
            "127.0.0.1",
            f"127.0.0.1:{port + 1}",
            "",
        ):
            assert status(dashboard, Host=host) == 403, host


def test_pages_of_other_sites_cannot_write(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=1)
    with shown(storage) as dashboard:
        for origin in ("http://evil.example", "null", f"http://localhost:{dashboard.port + 1}"):
            assert status(dashboard, "DELETE", "/api/studies/1", Origin=origin) == 403
            assert status(dashboard, "POST", "/api/studies", Origin=origin) == 403
        foreign = {"Sec-Fetch-Site": "cross-site"}  # A form's request may have no Origin.
        assert status(dashboard, "POST", "/api/studies", **foreign) == 403
        assert status(dashboard, "GET", "/dashboard", **foreign) == 200  # A link leads here.
        load_front("fruit", storage)  # It is still there.
        own = f"http://127.0.0.1:{dashboard.port}"
        assert status(dashboard, "GET", "/api/studies/1", Origin=own) == 200


def test_it_listens_on_loopback_only(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=1)
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org"):
        with pytest.raises(ConfigError, match="127.0.0.1 only, but got.*ssh -L"):
            Dashboard(storage, host=host)
    with shown(storage) as dashboard:
        assert dashboard.url == f"http://127.0.0.1:{dashboard.port}/dashboard"
        found = listening(os.getpid())
        assert dashboard.port in {one.port for one in found}
        assert [one for one in found if not one.is_loopback] == []
        assert status(dashboard, path="/dashboard") == 200


def test_the_study_says_what_its_numbers_mean(make_study: MakeStudy) -> None:
    import optuna
    from optuna_dashboard import get_note

    storage = f"sqlite:///{make_study('drawn', n_trials=1)}"
    make_study("photos", n_trials=1, generated=False)
    drawn, photos = (
        get_note(optuna.load_study(study_name=name, storage=storage))
        for name in ("drawn", "photos")
    )
    assert "The pictures are generated" in drawn
    assert "generated" not in photos and "fruit360" in photos
    for note in (drawn, photos):
        assert "gzip-compressed" in note and "on host" in note


def test_a_taken_port_is_passed_over(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=1)
    with shown(storage) as first, shown(storage, first.port) as second:
        assert first.port < second.port < first.port + 20


def test_a_database_without_a_study_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    with pytest.raises(StorageError, match="There is no database"):
        Dashboard(str(path))
    open_storage(path).engine.dispose()
    with pytest.raises(StudyError, match=r"holds none. Start one: search run"):
        Dashboard(str(path))
    (tmp_path / "empty.db").touch()
    with pytest.raises(StudyError, match="holds none"):
        Dashboard(str(tmp_path / "empty.db"))


def answer(dashboard: Dashboard, path: str) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection(HOST, dashboard.port, timeout=30)
    try:
        connection.request("GET", path)
        found = connection.getresponse()
        return found.status, found.read(), found.headers["Content-Type"]
    finally:
        connection.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dashboard, str]]:
    """A dashboard on a study with branches, failures, a limit and a baseline."""
    storage = str(tmp_path_factory.mktemp("told") / "studies.db")
    limits = Limits(max_size_bytes=30_000)
    run_analytic(storage, n_trials=25, fail_every=7, limits=limits)
    with shown(storage) as dashboard:
        yield dashboard, storage


def test_a_trial_has_a_note_attributes_and_pictures(told: tuple[Dashboard, str]) -> None:
    dashboard, storage = told
    study = json.loads(answer(dashboard, "/api/studies/1")[1])
    front = load_front("analytic", storage)
    point = front.pick("accuracy")
    trial = study["trials"][point.trial]
    note = trial["note"]["body"]
    assert f"Trial {point.trial} of study analytic: complete, on the front" in note
    assert "| compressed |" in note and "### Lineage" in note and "{" not in note
    attrs = {one["key"]: one["value"] for one in trial["user_attrs"]}
    assert attrs["on_front"] == "True" and attrs["gzip_bytes"] == str(point.size_bytes)
    every = [one for trial in study["trials"] for one in trial["user_attrs"]]
    assert not [one for one in [*every, *study["user_attrs"]] if one["value"][:1] in "[{"]
    assert {one["key"] for one in study["union_user_attrs"]} == {one["key"] for one in every}

    names = {one["filename"]: one["artifact_id"] for one in trial["artifacts"]}
    assert {"model.tflite", "curves.svg", "confusion.svg"} <= set(names)
    for name in ("curves.svg", "confusion.svg"):
        path = f"/artifacts/1/{trial['trial_id']}/{names[name]}"
        status_code, picture, kind = answer(dashboard, path)
        assert (status_code, kind) == (200, "image/svg+xml")
        ElementTree.fromstring(picture)
    assert b"apple called apple" in picture
    assert answer(dashboard, "/artifacts/1/999/c1")[0] == 404

    failed = next(one for one in study["trials"] if one["state"] == "Fail")
    assert "**Why:** its loss is NaN" in failed["note"]["body"]


def test_the_study_has_a_plot_with_logarithmic_axes(told: tuple[Dashboard, str]) -> None:
    dashboard, storage = told
    study = json.loads(answer(dashboard, "/api/studies/1?after=1000")[1])
    assert study["trials"] == []
    (plot,) = study["plotly_graph_objects"]
    figure = json.loads(plot["graph_object"])
    layout, traces = figure["layout"], figure["data"]
    assert [layout[axis]["type"] for axis in ("xaxis", "xaxis2")] == ["log", "log"]
    assert layout["shapes"][0]["x0"] == 30_000
    on_front = [trace for trace in traces if trace["name"] == "on the front"]
    points = load_front("analytic", storage).points
    assert sorted(on_front[0]["x"]) == sorted(point.size_bytes for point in points)
    assert {"breaks a limit", "beaten in everything", "baseline"} < {t["name"] for t in traces}


def test_looking_writes_nothing_and_a_persons_note_stays(tmp_path: Path) -> None:
    import optuna
    from optuna_dashboard._note import save_note_with_version

    storage = str(tmp_path / "studies.db")
    run_analytic(storage, n_trials=3)
    opened = open_storage(storage)
    opened.create_new_trial(1)  # Another program's, in our study: it has nothing of ours.
    before = opened.get_study_system_attrs(1)
    with shown(storage) as dashboard:
        answer(dashboard, "/api/studies/1")
        assert opened.get_study_system_attrs(1) == before
        save_note_with_version(opened, 1, 1, 1, "Look at this one.")
        optuna.create_study(storage=opened, study_name="others").add_trial(
            optuna.trial.create_trial(value=1.0, user_attrs={"mine": [1, 2]})
        )
        trials = json.loads(answer(dashboard, "/api/studies/1")[1])["trials"]
        assert trials[0]["note"]["body"] == "Look at this one."
        assert "Trial 1 of study" in trials[1]["note"]["body"]
        assert (trials[-1]["note"]["body"], trials[-1]["user_attrs"]) == ("", [])
        other = json.loads(answer(dashboard, "/api/studies/2")[1])
        assert other["trials"][0]["user_attrs"] == [{"key": "mine", "value": "[1, 2]"}]
        assert other["plotly_graph_objects"] == []
    opened.engine.dispose()


@pytest.fixture
def wait_for(browser: Chrome) -> Callable[[str], object]:
    """Return a function that waits until a JavaScript expression holds, and returns it."""
    from selenium.webdriver.support.ui import WebDriverWait

    def wait(expression: str) -> object:
        return WebDriverWait(browser, 40).until(
            lambda driver: driver.execute_script(f"return ({expression})"),
            f"never true in the browser: {expression}",
        )

    return wait


@pytest.mark.slow
def test_the_front_is_seen_in_a_browser(
    make_study: MakeStudy, browser: Chrome, wait_for: Callable[[str], object], tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By

    storage = make_study(n_trials=8)
    front = load_front("fruit", storage)
    with shown(storage) as dashboard:
        browser.get(dashboard.url)
        wait_for("document.body.innerText.includes('fruit')")
        browser.get(f"{dashboard.url}/studies/1")
        drawn = wait_for(PARETO_POINTS)
        browser.save_screenshot(str(tmp_path / "study.png"))
        assert isinstance(drawn, list)
        # Accuracy to the right, size upwards: every point of ours is there.
        points = {(round(x, 9), y) for x, y in drawn}
        assert points >= {(round(p.accuracy, 9), p.size_bytes) for p in front.points}
        chosen = [box.text for box in browser.find_elements(By.CSS_SELECTOR, "[role=combobox]")]
        assert chosen[:2] == ["accuracy", "size_bytes"]
        browser.find_elements(By.CSS_SELECTOR, "[role=combobox]")[1].click()
        wait_for("document.querySelectorAll('[role=option]').length == 3")
        options = browser.find_elements(By.CSS_SELECTOR, "[role=option]")
        assert [option.get_attribute("textContent") for option in options] == [
            "accuracy",
            "size_bytes",
            "latency_ms",
        ]

        # Ours, with logarithmic axes, stands below.
        wait_for(LOG_PLOT)

        browser.get(f"{dashboard.url}/studies/1/note")
        wait_for("document.body.innerText.includes('The pictures are generated')")

        trial = front.pick("accuracy").trial
        browser.get(f"{dashboard.url}/studies/1/trials?numbers={trial}")
        wait_for("document.body.innerText.includes('model.tflite')")
        wait_for("document.body.innerText.includes('on the front')")
        browser.save_screenshot(str(tmp_path / "trial.png"))
        assert f"Trial {trial}" in browser.find_element(By.TAG_NAME, "body").text


LOG_PLOT = """[...document.querySelectorAll(".js-plotly-plot")].some(p =>
    p.layout.xaxis.type === "log" && p.data.some(trace => trace.name === "on the front")
    && p.querySelector(".scatterlayer .point"))"""

# What plotly drew, from its own data: all traces of the plot in the card "Pareto Front".
PARETO_POINTS = """(() => {
    const plots = [...document.querySelectorAll(".js-plotly-plot")];
    const plot = plots.find(p => p.closest(".MuiCard-root")?.innerText.includes("Pareto Front"));
    if (!plot || !plot.querySelector(".scatterlayer .point")) return null;
    return plot.data.flatMap(trace => [...trace.x].map((x, i) => [x, trace.y[i]]));
})()"""
