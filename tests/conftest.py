"""What tests need from the machine around them: pictures, a browser, a database server.

A test asks for it as a fixture. Where it is missing the test is skipped with the reason, except
in CI (``CI=true``), where that fails: a test that never runs anywhere guards nothing.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pytest

from tests.postgres_server import postgres_server, server_programs

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# As in every process of ours: whatever imports TensorFlow first, `tf.keras` is Keras 2.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
# And whatever imports Ray first, it listens on loopback only: Ray looks when it is imported.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

CHECKOUT = Path(__file__).resolve().parents[1]

# Child processes import functions of tests; the current folder is not on their path.
if str(CHECKOUT) not in sys.path[1:]:
    sys.path.append(str(CHECKOUT))


class Chromium(NamedTuple):
    """Where the browser and the program that drives it are."""

    browser: Path
    driver: Path


@pytest.fixture(autouse=True, scope="module")
def _kept_for_good() -> None:
    """Garbage collection leaves out what earlier files imported.

    Keras collects before every model that is built: 0.1 to 0.2 s with all libraries to look at.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and retrainings do in this process what they else start processes and Ray for.

    The work is the same, on real networks; each start of TensorFlow costs 8 s of a processor.
    """
    from spaces.data.request import no_progress
    from workers.messages.executor import InlineExecutor

    def run_job(
        target: str, job: dict[str, Any], progress: Any = no_progress, **_options: Any
    ) -> Any:
        module, _, name = target.partition(":")
        found = getattr(importlib.import_module(module), name)
        return json.loads(json.dumps(found(progress, **json.loads(json.dumps(job)))))

    def executor(make_evaluator: Any, payload: Any, **_: Any) -> InlineExecutor:
        return InlineExecutor(make_evaluator(payload))

    # By their modules: what packages call `retrain` are functions.
    for name in ("workers.trial.prepare", "search.deploy.retrain"):
        monkeypatch.setattr(importlib.import_module(name), "run_job", run_job)
    monkeypatch.setattr(importlib.import_module("search.run.run_study"), "RayExecutor", executor)


def missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; tests may not skip in CI", pytrace=False)
    pytest.skip(what)


def _program(*names: str) -> Path | None:
    for name in names:
        if path := shutil.which(name):
            return Path(path)
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder ``shared/data`` beside the checkout, with real pictures to read, never to write."""
    path = CHECKOUT.parent / "shared" / "data"
    if not path.is_dir():
        missing("needs the pictures in ../shared/data")
    return path


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    """A Chromium (or Chrome) and its driver."""
    browser = _program("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    driver = _program("chromedriver")
    if browser is None or driver is None:
        missing("needs chromium and chromedriver (scripts/install-test-system-packages)")
    return Chromium(browser, driver)


@pytest.fixture
def browser(make_browser: Callable[..., Chrome]) -> Chrome:
    """A headless browser under Selenium, closed after the test."""
    return make_browser()


@pytest.fixture
def make_browser(
    chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Chrome]]:
    """Return a function that starts a headless browser with more arguments of Chromium's own."""
    from selenium import webdriver

    # Selenium would otherwise look for drivers to download, and count its users.
    monkeypatch.setenv("SE_OFFLINE", "true")
    monkeypatch.setenv("SE_AVOID_STATS", "true")
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium.browser)
    options.add_argument("--headless=new")
    options.add_argument("--window-size=1400,1000")
    # The sandbox refuses root, and /dev/shm is tiny in most containers.
    options.add_argument("--no-sandbox")
    options.add_argument("--disable-dev-shm-usage")
    started: list[Chrome] = []

    def make(*arguments: str) -> Chrome:
        for argument in arguments:
            options.add_argument(argument)
        service = webdriver.ChromeService(executable_path=str(chromium.driver))
        started.append(webdriver.Chrome(options=options, service=service))
        return started[-1]

    try:
        yield make
    finally:
        for driver in started:
            driver.quit()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL server of our own, empty, stopped after the last test.

    Its tables are shared by the tests of a session: name your study after your test.
    """
    programs = server_programs()
    if programs is None:
        missing("needs a PostgreSQL server (scripts/install-test-system-packages)")
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_server(programs))
        except RuntimeError as error:
            pytest.fail(str(error), pytrace=False)
        yield url
