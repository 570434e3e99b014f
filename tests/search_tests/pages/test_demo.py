"""A model at work in the browser: what the page is told, what it counts, and who may ask."""

from __future__ import annotations

import http.client
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from search.cli.main import cli
from search.pages.demo import FLOAT_NAME, Demo
from search.pages.local_server import HOST
from spaces.errors import ConfigError
from tests.listening import listening
from tests.search_tests.pages.served import serving

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

LABELS = ("red", "green", "<b>blue</b>")
COLOURS = ((220, 20, 20), (20, 220, 20), (20, 20, 220))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that names the strongest colour of a picture."""
    import tf_keras

    from workers.conversion.convert import float_tflite

    inputs = tf_keras.Input((8, 8, 3))
    mean = tf_keras.layers.GlobalAveragePooling2D()(inputs)
    dense = tf_keras.layers.Dense(3, use_bias=False)
    model = tf_keras.Model(inputs, tf_keras.layers.Softmax()(dense(mean)))
    dense.set_weights([8 * np.eye(3, dtype=np.float32)])
    folder = tmp_path_factory.mktemp("deploy")
    for name in ("model.tflite", FLOAT_NAME):
        (folder / name).write_bytes(float_tflite(model))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return folder


def request(
    demo: Demo, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, Any, dict[str, str]]:
    connection = http.client.HTTPConnection(HOST, demo.port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else content, dict(answer.headers)
    finally:
        connection.close()


def picture(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


def test_pictures_are_labelled_and_bad_ones_are_said(deployed: Path) -> None:
    with serving(Demo(deployed, port=0)) as demo:
        status, info, headers = request(demo, "GET", "/info")
        assert (status, info["labels"]) == (200, list(LABELS))
        assert info["input"] == {"height": 8, "width": 8, "channels": 3}
        assert info["models"]["deployed"]["bytes"] == (deployed / "model.tflite").stat().st_size
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        for index, colour in enumerate(COLOURS):
            for model in ("deployed", "float"):
                status, found, _ = request(
                    demo, "POST", f"/classify?model={model}", picture(colour)
                )
                assert status == 200 and int(np.argmax(found["probabilities"])) == index
                assert found["milliseconds"] > 0
        for body, path, expected in (
            (b"no picture", "/classify", 400),
            (b"", "/classify", 413),
            (picture(COLOURS[0]), "/classify?model=other", 404),
            (b"", "/../labels.txt", 404),
        ):
            status, found, _ = request(demo, "POST", path, body)
            assert status == expected and "\n" not in found["error"]
        foreign = {"Origin": "http://evil.example"}
        assert request(demo, "POST", "/classify", picture(COLOURS[0]), **foreign)[0] == 403
        assert request(demo, "GET", "/", Host="evil.example")[0] == 403


def test_it_listens_on_loopback_only(deployed: Path) -> None:
    with pytest.raises(ConfigError, match="127.0.0.1 only"):
        Demo(deployed, host="0.0.0.0")
    with serving(Demo(deployed, port=0)) as demo:
        found = listening(os.getpid())
        assert demo.port in {one.port for one in found}
        assert [one for one in found if not one.is_loopback] == []


def test_what_is_no_model_is_one_line(tmp_path: Path) -> None:
    for name in ("nothing", "."):
        result = CliRunner().invoke(cli, ["demo", str(tmp_path / name), "--no-open"])
        assert result.exit_code == 1
        assert len(result.stderr.strip().splitlines()) == 1


def save_video(path: Path, colours: list[tuple[int, int, int]], n_frames: int) -> None:
    """Write a raw video of plain frames, ``n_frames`` of each colour, 20 a second."""
    width, height = 160, 120
    with open(path, "wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\n".encode())
        for red, green, blue in colours:
            y = 0.299 * red + 0.587 * green + 0.114 * blue
            u, v = 128 + 0.564 * (blue - y), 128 + 0.713 * (red - y)
            planes = (y, width * height), (u, width * height // 4), (v, width * height // 4)
            frame = b"".join(bytes([round(value)]) * n for value, n in planes)
            file.write((b"FRAME\n" + frame) * n_frames)


@pytest.mark.slow
def test_the_camera_is_named_and_counted(
    deployed: Path, make_browser: Callable[..., Chrome], tmp_path: Path
) -> None:
    """Chromium's camera is a file: red, green, red, blue, for four seconds each, and again."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    video = tmp_path / "camera.y4m"
    red, green, blue = COLOURS
    save_video(video, [red, green, red, blue], 80)
    browser = make_browser(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    )

    def text(selector: str) -> str:
        return browser.find_element(By.CSS_SELECTOR, selector).text

    def seen() -> list[int]:
        cells = browser.find_elements(By.CSS_SELECTOR, "#classes tbody td:last-child")
        return [int(cell.text) for cell in cells]

    with serving(Demo(deployed, port=0)) as demo:
        browser.get(demo.url)
        wait = WebDriverWait(browser, 90, poll_frequency=0.1)
        wait.until(lambda _: browser.execute_script("return document.body.dataset.ready"))
        browser.find_element(By.ID, "camera").click()
        labels: list[str] = []

        def all_seen(_: object) -> bool:
            if not labels or labels[-1] != text("#label"):
                labels.append(text("#label"))
            return min(seen()) >= 1 and seen()[0] >= 2

        wait.until(all_seen)
        assert [label for label in labels if label in LABELS][:3] != []
        assert set(LABELS) <= set(labels)  # The name with markup in it is text.
        found = seen()
        # Two reds for every green and blue; where the film stands now may add one of each.
        assert abs(found[0] - found[1] - found[2]) <= 1 and abs(found[1] - found[2]) <= 1
        assert "ms an image" in text("#speed") and "8 x 8, colour" in text("#model")
        browser.find_element(By.CSS_SELECTOR, "input[value=float]").click()
        browser.find_element(By.ID, "camera").click()
        browser.find_element(By.ID, "reset").click()
        assert seen() == [0, 0, 0]

        for name, colour in (("a.png", green), ("b.png", blue), ("broken.png", None)):
            (tmp_path / name).write_bytes(b"no picture" if colour is None else picture(colour))
        paths = "\n".join(str(tmp_path / name) for name in ("a.png", "b.png", "broken.png"))
        browser.find_element(By.ID, "files").send_keys(paths)
        wait.until(lambda _: "cannot be read" in text("#pictures"))
        assert seen() == [0, 1, 1] and f"b.png: {LABELS[2]}" in text("#pictures")
        severe = [one for one in browser.get_log("browser") if "400" not in one["message"]]
        assert severe == []
        assert not browser.find_elements(By.CSS_SELECTOR, "#classes b")
