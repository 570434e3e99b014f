"""A study and its device: what a run checks first, and a whole run with a device of one's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

import search
from search.run.options import RunOptions
from search.storage.settings import StudySettings
from search.study.create_or_resume import open_study
from spaces.errors import ConfigError, StudyError
from spaces.space.search_space import Parameter, SearchSpace
from tests.search_tests import analytic

CHECKOUT = Path(__file__).resolve().parents[3]

BOARD = """
from spaces import QuantizationScheme
from search import Device, Measurement
from workers import modelled_latency


class Board(Device):
    name = "board"
    schemes = (QuantizationScheme.INT8, QuantizationScheme.INT16X8)
    tells_flash = True

    def measure(self, tflite):
        latency = modelled_latency(len(tflite) / 1000, self.name, "a sum")
        return Measurement(latency, flash_bytes=len(tflite) + 7)


DEVICE = Board()
"""


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``search`` as a person does, in a folder of their own."""
    return subprocess.run(
        [sys.executable, "-m", "search", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_driver_checks_devices_without_their_packages() -> None:
    code = (
        "import sys\n"
        "from workers.devices.registry import check_device, device_names, get_device\n"
        "for name in device_names():\n"
        "    check_device(get_device(name, with_ram=True), 'gzip')\n"
        "heavy = {'ethosu', 'tflite_micro', 'tensorflow', 'ai_edge_litert'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_devices_are_part_of_the_api() -> None:
    from workers.devices.device import Device, Measurement

    assert search.Device is Device
    assert search.Measurement is Measurement


def test_a_study_has_one_device() -> None:
    storage = InMemoryStorage()
    settings = StudySettings("analytic", analytic.task_info())
    open_study(storage, settings)
    with pytest.raises(StudyError, match="started with device host; this run asks for device mi"):
        open_study(storage, replace(settings, device="micro"))


def test_a_study_s_latencies_are_of_one_kind_of_nodes() -> None:
    storage = InMemoryStorage()

    def asked(**more: str) -> StudySettings:
        return StudySettings("analytic", analytic.task_info(), asked={"task": "analytic", **more})

    open_study(storage, asked(latency_on="bench"))
    open_study(storage, asked(latency_on="bench"))
    told = "started with latency on bench; this run asks for latency on "
    with pytest.raises(StudyError, match=told + "any node"):
        open_study(storage, asked())
    with pytest.raises(StudyError, match=told + "other"):
        open_study(storage, asked(latency_on="other"))


def test_nodes_that_measure_are_those_of_a_cluster() -> None:
    with pytest.raises(ConfigError, match=r"latency_on=bench\) and no address.*--address"):
        RunOptions(latency_on="bench")
    assert RunOptions(latency_on="bench", address="auto").latency_on == "bench"


def test_a_limit_on_ram_that_changes_the_space_is_explained() -> None:
    def with_schemes(*schemes: str) -> StudySettings:
        others = (p for p in analytic.analytic_space().parameters if p.name != "quantization")
        quantization = Parameter("quantization", "categorical", choices=schemes)
        return StudySettings("analytic", analytic.task_info(SearchSpace((*others, quantization))))

    storage = InMemoryStorage()
    open_study(storage, with_schemes("float32", "dynamic_range", "int8"))
    with pytest.raises(StudyError, match="--max-ram leaves out what .* Use --study NEW_NAME"):
        open_study(storage, with_schemes("float32", "int8"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_search_on_a_device_of_ones_own_under_a_limit_on_ram(tmp_path: Path) -> None:
    source = CHECKOUT / "tests" / "workers_tests" / "corners_task.py"
    shutil.copy(source, tmp_path / "corners.py")
    (tmp_path / "board.py").write_text(BOARD)
    run = command(
        tmp_path,
        *("run", "corners.py", "--trials", "1", "--workers", "1", "--epochs", "2", "--json"),
        *("--device", "board.py", "--size", "flash", "--max-ram", "6kB"),
    )
    assert run.returncode == 0, run.stderr
    assert "board with its RAM known runs int8, int16x8" in run.stderr
    found = json.loads(run.stdout)
    assert found["device"] == f"{tmp_path / 'board.py'}:DEVICE"
    assert found["n_points"] == 2  # Of which int16x8 takes more than 6 kB.
    (point,) = found["front"]
    assert point["quantization"] == "int8"
    assert point["latency_ms"] == pytest.approx((point["size_bytes"] - 7) / 1000)
    assert 0 < point["ram_bytes"] <= 6000
    exported = command(tmp_path, "export", "corners", "-o", "best.json", "--max-ram", "6kB")
    assert exported.returncode == 0, exported.stderr
    assert f"--device {tmp_path / 'board.py'}:DEVICE" in exported.stderr
    refused = command(tmp_path, "retrain", "best.json", "-o", "out", "--task", "corners.py")
    assert refused.returncode == 1
    assert "--device" in refused.stderr
