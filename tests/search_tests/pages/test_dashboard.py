"""optuna-dashboard behind our door: loopback, local host names, and the front in a browser."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from search.front.read import load_front
from search.pages.dashboard import Dashboard
from search.pages.local_server import HOST
from search.storage.database import open_storage
from spaces.errors import ConfigError, StorageError, StudyError
from tests.search_tests.pages.served import serving

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


def test_only_local_names_are_answered(make_study) -> None:
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


def test_pages_of_other_sites_cannot_write(make_study) -> None:
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


def test_it_listens_on_loopback_only(make_study) -> None:
    storage = make_study(n_trials=1)
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org"):
        with pytest.raises(ConfigError, match="127.0.0.1 only, but got.*ssh -L"):
            Dashboard(storage, host=host)
    with shown(storage) as dashboard:
        assert dashboard.url == f"http://127.0.0.1:{dashboard.port}/dashboard"
        assert status(dashboard, path="/dashboard") == 200


def test_the_study_says_what_its_numbers_mean(make_study) -> None:
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


def test_a_taken_port_is_passed_over(make_study) -> None:
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
    make_study, browser: Chrome, wait_for, tmp_path: Path
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

        browser.get(f"{dashboard.url}/studies/1/note")
        wait_for("document.body.innerText.includes('The pictures are generated')")

        trial = front.pick("accuracy").trial
        browser.get(f"{dashboard.url}/studies/1/trials?numbers={trial}")
        wait_for("document.body.innerText.includes('model.tflite')")
        browser.save_screenshot(str(tmp_path / "trial.png"))
        assert f"Trial {trial}" in browser.find_element(By.TAG_NAME, "body").text


# What plotly drew, from its own data: all traces of the plot in the card "Pareto Front".
PARETO_POINTS = """(() => {
    const plots = [...document.querySelectorAll(".js-plotly-plot")];
    const plot = plots.find(p => p.closest(".MuiCard-root")?.innerText.includes("Pareto Front"));
    if (!plot || !plot.querySelector(".scatterlayer .point")) return null;
    return plot.data.flatMap(trace => [...trace.x].map((x, i) => [x, trace.y[i]]));
})()"""
