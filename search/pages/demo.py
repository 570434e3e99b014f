"""A retrained model at work: camera, dropped pictures and videos, named and counted in a browser.

The page takes pictures and counts; this end decodes them exactly as for training and runs the
``.tflite``. Nothing is stored, and nothing leaves the machine.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np

from search.pages.local_server import DEFAULT_PORT, HOST, App, LocalServer
from spaces.errors import ConversionError
from spaces.wording import one_line
from workers.deploy.classifier import Classifier, load_classifier

MAX_PICTURE_BYTES = 32_000_000
"""What a request may hold: a large photo; videos stay in the browser."""

FLOAT_NAME = "model_float.tflite"
"""The same network before quantization, which the page can be switched to where it is there."""

FILES = {
    "/": ("demo.html", "text/html; charset=utf-8"),
    "/demo.js": ("demo.js", "text/javascript; charset=utf-8"),
    "/demo.css": ("demo.css", "text/css; charset=utf-8"),
}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src blob:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: its own files, and pictures that it was given."""

StartResponse = Callable[..., Any]


class Demo(LocalServer):
    """The page of one model, ready to be served.

    Args:
        model: Folder that ``search retrain`` wrote, or a ``.tflite`` beside its ``labels.txt``.
        host: Loopback address to listen on.
        port: Wanted port; 0 for any. The next free one is taken if it is in use.

    Raises:
        ConfigError: If ``host`` is not loopback.
        ModelError: If there is no such model, or it does not classify pictures.
        SearchError: If no port is free.
    """

    def __init__(self, model: str | Path, host: str = HOST, port: int = DEFAULT_PORT) -> None:
        super().__init__(lambda: demo_app(Path(model)), "The demo", host=host, port=port)


def demo_app(model: Path) -> App:
    """Return what answers the page's requests.

    Raises:
        ModelError: If there is no such model, or it does not classify pictures.
    """
    deployed = load_classifier(model)
    models = {"deployed": deployed}
    beside = deployed.path.with_name(FLOAT_NAME)
    if beside != deployed.path and beside.is_file():
        models["float"] = load_classifier(beside)
    return _App(models)


class _App:
    """Answers requests; one picture at a time, as a classifier is for one thread."""

    def __init__(self, models: Mapping[str, Classifier]) -> None:
        self._models = models
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        if method == "GET" and path in FILES:
            name, kind = FILES[path]
            content = files(__package__).joinpath(name).read_bytes()
            return _answer(start_response, "200 OK", content, kind)
        if method == "GET" and path == "/info":
            return _json(start_response, "200 OK", self._info())
        if method == "POST" and path == "/classify":
            return self._classify(environ, start_response)
        return _json(start_response, "404 Not Found", {"error": "There is no such page."})

    def _info(self) -> dict[str, Any]:
        first = self._models["deployed"]
        height, width, channels = first.input_shape
        return {
            "labels": list(first.labels),
            "input": {"height": height, "width": width, "channels": channels},
            "models": {
                name: {"file": model.path.name, "bytes": model.path.stat().st_size}
                for name, model in self._models.items()
            },
        }

    def _classify(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        model = self._models.get(query.get("model", ["deployed"])[0])
        if model is None:
            return _json(start_response, "404 Not Found", {"error": "There is no such model."})
        try:
            n_bytes = int(environ.get("CONTENT_LENGTH") or 0)
        except ValueError:
            n_bytes = 0
        if not 0 < n_bytes <= MAX_PICTURE_BYTES:
            text = f"A picture of at most {MAX_PICTURE_BYTES // 1_000_000} MB is needed."
            return _json(start_response, "413 Content Too Large", {"error": text})
        content = environ["wsgi.input"].read(n_bytes)
        try:
            with self._lock:
                picture = model.read(io.BytesIO(content))
                started = time.perf_counter()
                found = model.probabilities(picture[np.newaxis])[0]
                milliseconds = 1000 * (time.perf_counter() - started)
        except (ValueError, ConversionError) as error:
            text = f"It cannot be read as a picture: {one_line(error)}."
            return _json(start_response, "400 Bad Request", {"error": text})
        if not np.isfinite(found).all():
            text = "The model computed no finite number for it."
            return _json(start_response, "422 Unprocessable Content", {"error": text})
        answer = {"probabilities": found.tolist(), "milliseconds": milliseconds}
        return _json(start_response, "200 OK", answer)


def _json(start_response: StartResponse, status: str, content: Mapping[str, Any]) -> list[bytes]:
    text = json.dumps(content, allow_nan=False).encode()
    return _answer(start_response, status, text, "application/json")


def _answer(start_response: StartResponse, status: str, content: bytes, kind: str) -> list[bytes]:
    start_response(
        status,
        [
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ],
    )
    return [content]
