"""Options are declared once; Python, the command line and the stored settings follow."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click
import pytest

from search.cli.main import cli
from search.deploy.options import RetrainOptions
from search.deploy.retrain import retrain
from search.options import declared
from search.ray_tune.searcher import StudySearcher
from search.ray_tune.trainable import task_trainable
from search.run.options import OF_A_TASK, UNDER_TUNE, RunOptions
from search.run.preparation import study_settings
from search.run.run_study import run_study
from search.storage.settings import StudySettings
from spaces.errors import ConfigError
from tests.search_tests.analytic import task_info
from workers.deploy.full_training import FullTraining
from workers.messages.result import Limits

OPTIONS = declared(RunOptions)


VERBS: dict[str, tuple[type[Any], Callable[..., Any]]] = {
    "run": (RunOptions, run_study),
    "retrain": (RetrainOptions, retrain),
}


@pytest.mark.parametrize(
    ("verb", "name"), [(verb, name) for verb, (cls, _) in VERBS.items() for name in declared(cls)]
)
def test_an_option_is_on_the_command_line_and_in_python(verb: str, name: str) -> None:
    cls, function = VERBS[verb]
    command = cli.commands[verb]
    (option,) = [param for param in command.params if param.name == name]
    assert isinstance(option, click.Option)
    assert option.help == declared(cls)[name].help or name == "storage"
    keyword = inspect.signature(function).parameters[name]
    assert keyword.kind is keyword.KEYWORD_ONLY
    assert f"{name}: " in str(function.__doc__)


def test_what_a_training_in_full_reads_is_an_option() -> None:
    assert {one.name for one in fields(FullTraining)} == set(declared(RetrainOptions)) - {"force"}


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"trials": 0}, r"`1 <= trials` must hold, but got \(trials=0\)"),
        ({"trials": True}, "`1 <= trials` must hold"),
        ({"workers": 1.5}, "`1 <= workers` must hold"),
        ({"seed": -1}, "`0 <= seed` must hold"),
        ({"timeout_s": float("inf")}, "`0 < timeout_s` must hold"),
        ({"max_size_bytes": 0}, "`0 < max_size_bytes` must hold"),
        ({"max_latency_ms": float("nan")}, "`0 < max_latency_ms` must hold"),
        ({"max_ram_bytes": "64KB"}, "`0 < max_ram_bytes` must hold"),
        ({"min_accuracy": 1.5}, "`0 <= min_accuracy <= 1` must hold"),
        ({"size": "zip"}, r"`size in \(gzip, tflite, flash\)` must hold, but got \(size='zip'\)"),
        ({"sampler": "cmaes"}, "`sampler in "),
        ({"race": "no"}, "`race in "),
        ({"fix": ["a"]}, "`fix is a mapping"),
        ({"trials": 3, "more": 2}, "Only one of trials and more"),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused(given: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        RunOptions(**given)
    with pytest.raises(ConfigError, match=rule):
        run_study("fruit", **given)


def test_a_keyword_that_there_is_not_gets_a_guess() -> None:
    with pytest.raises(TypeError, match=r"'max_size'. Did you mean 'max_size_bytes'"):
        run_study("fruit", max_size=3)
    with pytest.raises(TypeError, match=r"retrain\(\) got .*'epoch'. Did you mean 'epochs'"):
        retrain("best.json", "deploy", epoch=3)
    with pytest.raises(TypeError, match=r"StudySearcher\(\) got .* 'workers'"):
        StudySearcher("fruit", workers=3)
    with pytest.raises(TypeError, match=r"task_trainable\(\) got .* 'storage'"):
        task_trainable("fruit", storage="x.db")
    assert set(OF_A_TASK) < set(UNDER_TUNE) < set(OPTIONS)


def test_what_is_stored_follows() -> None:
    options = RunOptions(sampler="tpe", seed=4, race=False, max_size_bytes=9e3, size="tflite")
    settings = study_settings(options, task_info())
    assert settings == StudySettings(
        "analytic",
        task_info(),
        sampler="tpe",
        seed=4,
        race=False,
        limits=Limits(max_size_bytes=9e3),
        size_metric="tflite",
    )
    assert {one.name for one in fields(StudySettings)} - set(OPTIONS) == {
        "name",
        "task",
        "size_metric",
        "limits",
        "n_start",
        "asked",
        "enqueued",
    }


def test_the_family_is_one_of_the_fixed() -> None:
    options = RunOptions(family="cnn", fix={"batch_size": 32})
    assert options.fixed == {"batch_size": 32, "family": "cnn"}
