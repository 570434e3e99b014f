"""A study: what it stores, asks and is told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.run.driver import Driver
from search.storage import attributes
from search.storage.constraints import constraint_values
from search.storage.settings import RunSettings
from search.study.create_or_resume import open_study, study_for_run
from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import ParamValue, TrialConfig
from spaces.space.search_space import Condition, Parameter, SearchSpace
from tests.search_tests import analytic
from tests.search_tests.study.asked import SETTINGS, ask, evaluate, task_of, trials_of
from workers.messages.executor import InlineExecutor
from workers.messages.result import Limits, Point, TrialResult


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


class TestConstraints:
    @pytest.mark.parametrize(
        ("limits", "measured", "expected"),
        [
            (Limits(), (100.0, 1.0, 0.9), [0, 0, 0, 0, 0]),
            (Limits(max_size_bytes=200), (100.0, 1.0, 0.9), [0, -0.5, 0, 0, 0]),
            (Limits(max_size_bytes=50), (100.0, 1.0, 0.9), [0, 1.0, 0, 0, 0]),
            (Limits(max_latency_ms=0.5), (100.0, 1.0, 0.9), [0, 0, 1.0, 0, 0]),
            (Limits(min_accuracy=0.9), (100.0, 1.0, 0.45), [0, 0, 0, 0.5, 0]),
            (Limits(min_accuracy=0.5), (100.0, 1.0, 1.0), [0, 0, 0, -1.0, 0]),
            (Limits(min_accuracy=0), (100.0, 1.0, 1.0), [0, 0, 0, 0, 0]),
        ],
    )
    def test_ratios(
        self, limits: Limits, measured: tuple[float, float, float], expected: list[float]
    ) -> None:
        size_bytes, latency_ms, accuracy = measured
        values = constraint_values(
            limits, size_bytes=size_bytes, latency_ms=latency_ms, accuracy=accuracy
        )
        assert values == pytest.approx(expected)

    def test_the_gate_knows_no_accuracy(self) -> None:
        limits = Limits(max_size_bytes=50, min_accuracy=0.9)
        values = constraint_values(
            limits, size_bytes=100, latency_ms=None, accuracy=None, is_infeasible=True
        )
        assert values == [0, 1.0, 0, 0, 0]

    @pytest.mark.parametrize(("ram_bytes", "excess"), [(96_000, 0.5), (32_000, -0.5), (None, 0)])
    def test_ram_counts_where_it_is_known(self, ram_bytes: int | None, excess: float) -> None:
        values = constraint_values(
            Limits(max_ram_bytes=64_000),
            size_bytes=100,
            latency_ms=1,
            accuracy=0.9,
            ram_bytes=ram_bytes,
        )
        assert values == pytest.approx([0, 0, 0, 0, excess])

    def test_what_cannot_be_converted_breaks_no_limit(self) -> None:
        values = constraint_values(
            Limits(), size_bytes=None, latency_ms=None, accuracy=None, is_infeasible=True
        )
        assert values == [1.0, 0, 0, 0, 0]


class TestContent:
    """What plain Optuna finds in a study."""

    @pytest.fixture
    def plain(self, tmp_path: Path) -> Iterator[optuna.Study]:
        path = tmp_path / "studies.db"
        with study_for_run(path, replace(SETTINGS, branch=False)) as study:
            executor = InlineExecutor(analytic.make_result)
            Driver(study, executor, analytic.make_config, RunSettings(6)).run()
        yield optuna.load_study(storage=f"sqlite:///{path}", study_name="analytic")

    def test_objectives(self, plain: optuna.Study) -> None:
        assert [d.name for d in plain.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
        assert plain.metric_names == ["accuracy", "size_bytes", "latency_ms"]

    def test_study_attributes(self, plain: optuna.Study) -> None:
        attrs = plain.user_attrs
        assert attrs[attributes.DATA_FINGERPRINT] == analytic.FINGERPRINT
        assert attrs[attributes.DEVICE] == "host"
        assert attrs[attributes.SIZE_METRIC] == "gzip"
        assert attrs[attributes.SAMPLER] == "random"
        assert attrs[attributes.SEED] == 1
        assert attrs[attributes.TARGET] == 6
        assert attrs[attributes.REFERENCE_POINT]["error"] == 0.75 * 0.75
        assert attrs[attributes.REFERENCE_POINT]["least_error"] == 0.5 / 100
        assert task_of(attrs) == SETTINGS.task

    def test_the_first_trial_is_the_default_configuration(self, plain: optuna.Study) -> None:
        assert plain.trials[0].params == SETTINGS.task.space.defaults()

    def test_trial_attributes(self, plain: optuna.Study) -> None:
        for trial in plain.trials:
            config = TrialConfig.from_dict(trial.user_attrs[attributes.CONFIG])
            assert trial.user_attrs[attributes.CONFIG_HASH] == config.hash
            assert config == analytic.make_config(trial.params)
            point = analytic.make_point(config)
            assert tuple(trial.values) == point.values
            assert trial.user_attrs[attributes.OUTCOME] == "complete"
            assert trial.user_attrs[attributes.LEDGER]["n_params"] == point.ledger.n_params
            assert trial.user_attrs[attributes.LATENCY]["runtime"] == "formula"
            assert trial.user_attrs[attributes.EPOCHS_TRAINED] == 5
            assert trial.user_attrs[attributes.SPARSITY] == {
                "overall": config.pruning.final_sparsity
            }
            assert trial.user_attrs[attributes.VERSIONS] == {"formula": "1"}
            assert list(trial.constraints.values()) == [0.0] * 5

    def test_siblings_are_complete_trials_which_differ_in_their_scheme(
        self, plain: optuna.Study
    ) -> None:
        by_number = {trial.number: trial for trial in plain.trials}
        schemes: dict[int, set[str]] = {}
        for trial in plain.trials:
            parent_number = trial.user_attrs.get(attributes.DERIVED_FROM)
            if parent_number is None:
                continue
            parent = by_number[parent_number]
            rest = {**parent.params, "quantization": trial.params["quantization"]}
            assert trial.params == rest
            assert trial.state == TrialState.COMPLETE
            schemes.setdefault(parent_number, {parent.params["quantization"]}).add(
                trial.params["quantization"]
            )
        assert schemes
        assert all(found == {str(s) for s in POST_TRAINING_SCHEMES} for found in schemes.values())


class TestLimits:
    LIMITS = Limits(max_latency_ms=0.3, min_accuracy=0.85)

    def test_infeasible_trials_have_a_reason_and_no_values(self, storage: InMemoryStorage) -> None:
        study = open_study(storage, replace(SETTINGS, limits=self.LIMITS))
        executor = InlineExecutor(analytic.make_result)
        report = Driver(study, executor, analytic.make_config, RunSettings(30)).run()
        trials = trials_of(storage)
        infeasible = [t for t in trials if t.user_attrs[attributes.OUTCOME] == "infeasible"]
        assert len(infeasible) == report.progress.n_infeasible > 0
        for trial in infeasible:
            assert trial.state == TrialState.PRUNED
            assert trial.values is None
            assert "latency" in trial.user_attrs[attributes.REASON]
            gate = trial.user_attrs[attributes.GATE]
            nearest_ms = min(latency_ms for _, latency_ms, _ in gate["schemes"].values())
            assert trial.constraints["2"] == pytest.approx(nearest_ms / 0.3 - 1)
        # Points below the accuracy asked for are complete, and not on the front.
        best = optuna.load_study(storage=storage, study_name="analytic").best_trials
        # Of equal points the front keeps the first only.
        assert {tuple(t.values) for t in best} == {tuple(v) for v in study.front.values.tolist()}
        assert all(t.values[0] >= 0.85 and t.values[2] <= 0.3 for t in best)

    def test_limits_may_change(self, storage: InMemoryStorage) -> None:
        study = open_study(storage, SETTINGS)
        executor = InlineExecutor(analytic.make_result)
        Driver(study, executor, analytic.make_config, RunSettings(10)).run()
        before = [trial.system_attrs for trial in trials_of(storage)]
        for limits in (self.LIMITS, Limits()):
            study = open_study(storage, replace(SETTINGS, limits=limits))
            latencies = study.front.values[:, 2]
            assert limits.max_latency_ms is None or latencies.max() <= limits.max_latency_ms
            # What ended stays as it is: Optuna's caches never read it again.
            assert [trial.system_attrs for trial in trials_of(storage)] == before
            plain = optuna.load_study(storage=storage, study_name="analytic")
            assert plain.user_attrs[attributes.LIMITS]["max_latency_ms"] == limits.max_latency_ms


class TestAskingAndTelling:
    def test_no_configuration_is_evaluated_twice(self, storage: InMemoryStorage) -> None:
        """A small space is searched to its end, each training once."""
        space = SearchSpace(
            tuple(
                replace(p, low=p.default, high=p.default, step=None, log=False)
                if not isinstance(p.default, str) and p.name != "filters_1"
                else p
                for p in analytic.analytic_space().parameters
                if p.name
                not in ("pruning_schedule", "final_sparsity", "weight_decay", "batch_size")
                and not p.name.startswith("pruning_")
            )
            + (Parameter("batch_size", "categorical", choices=(32,)),)
        )
        settings = replace(SETTINGS, task=analytic.task_info(space))
        study = open_study(storage, settings)
        executor = InlineExecutor(analytic.make_result)
        report = Driver(study, executor, analytic.make_config, RunSettings(200)).run()
        assert report.ended_by == "exhausted"
        hashes = [t.user_attrs[attributes.CONFIG_HASH] for t in trials_of(storage)]
        assert len(set(hashes)) == len(hashes)
        # 8 widths, 2 optimizers; each is trained for the post-training schemes and for QAT.
        assert study.n_done >= 0.9 * 8 * 2 * 2

    def test_a_training_under_way_is_not_started_again_under_another_scheme(
        self, storage: InMemoryStorage
    ) -> None:
        study = open_study(storage, SETTINGS)
        first = ask(study)
        trainings = {first.config.with_quantization(QuantizationScheme.FLOAT32).hash}
        for _ in range(20):
            config = ask(study).config
            if config.quantization != QuantizationScheme.QAT_INT8:
                config = config.with_quantization(QuantizationScheme.FLOAT32)
            assert config.hash not in trainings
            trainings.add(config.hash)

    def test_every_trial_has_the_study_s_seed(self, storage: InMemoryStorage) -> None:
        def make_config(params: Mapping[str, ParamValue]) -> TrialConfig:
            return analytic.make_config(params, seed=17)

        study = open_study(storage, replace(SETTINGS, seed=17))
        Driver(study, InlineExecutor(analytic.make_result), make_config, RunSettings(3)).run()
        assert {t.user_attrs[attributes.TRIAL_SEED] for t in trials_of(storage)} == {17}

    def test_a_failed_trial_keeps_its_reason(self, storage: InMemoryStorage) -> None:
        study = open_study(storage, SETTINGS)
        asked = ask(study)
        told = study.tell(asked.number, TrialResult(asked.config, "failed", reason="loss\nis NaN"))
        assert (told.outcome, told.reason) == ("failed", "loss is NaN")
        [trial] = trials_of(storage)
        assert trial.state == TrialState.FAIL
        assert trial.user_attrs[attributes.REASON] == "loss is NaN"
        assert study.n_done == 1

    @pytest.mark.parametrize("accuracy", [math.nan, math.inf])
    def test_a_value_that_is_none_fails_the_trial(
        self, storage: InMemoryStorage, accuracy: float
    ) -> None:
        study = open_study(storage, SETTINGS)
        asked = ask(study)
        result = evaluate(asked.config)
        assert result.point is not None
        result = replace(result, point=replace(result.point, accuracy=accuracy), siblings=())
        assert study.tell(asked.number, result).outcome == "failed"
        assert [t.state for t in trials_of(storage)] == [TrialState.FAIL]

    def test_a_sibling_with_a_value_that_is_none_is_left_out(
        self, storage: InMemoryStorage
    ) -> None:
        study = open_study(storage, SETTINGS)
        asked = ask(study)
        result = evaluate(asked.config)
        siblings = (replace(result.siblings[0], accuracy=math.nan), *result.siblings[1:])
        told = study.tell(asked.number, replace(result, siblings=siblings))
        assert told.n_derived == len(siblings) - 1

    def test_a_scheme_that_cannot_run_costs_its_own_point_only(
        self, storage: InMemoryStorage
    ) -> None:
        study = open_study(storage, SETTINGS)
        asked = ask(study)
        result = evaluate(asked.config)
        failed = replace(result, outcome="failed", point=None, reason="XNNPACK refuses it")
        told = study.tell(asked.number, failed)
        assert (told.outcome, told.n_derived) == ("failed", len(result.siblings))
        parent, *derived = trials_of(storage)
        assert parent.state is TrialState.FAIL
        assert [t.user_attrs[attributes.DERIVED_FROM] for t in derived] == [0] * len(derived)
        assert {t.state for t in derived} == {TrialState.COMPLETE}
        assert (study.n_done, study.n_points) == (1, len(derived))
        # As the next run reads it.
        again = open_study(storage, SETTINGS)
        assert (again.n_done, again.n_points, again.hypervolume) == (
            study.n_done,
            study.n_points,
            study.hypervolume,
        )

    def test_parameters_that_show_up_join_the_space(self, storage: InMemoryStorage) -> None:
        found = Parameter("filters_4", "int", 8, 64, default=8)
        beneath = Parameter("kernel_4", "int", 1, 3, conditions=(Condition("filters_4", (8,)),))
        study = open_study(storage, SETTINGS)
        asked = ask(study)
        result = replace(evaluate(asked.config), new_parameters=(found, beneath))
        study.tell(asked.number, result)
        assert "filters_4" in dict(ask(study).config.hyperparameters)
        study.interrupt("stopped")
        resumed = open_study(storage, SETTINGS)
        ask(resumed)  # What was interrupted comes first, as it was.
        assert "filters_4" in dict(ask(resumed).config.hyperparameters)

    def test_derived_trials_do_not_count(self, storage: InMemoryStorage) -> None:
        study = open_study(storage, SETTINGS)
        asked = ask(study)
        study.tell(asked.number, evaluate(asked.config))
        assert (study.n_done, study.n_points) == (1, len(POST_TRAINING_SCHEMES))
        assert open_study(storage, SETTINGS).n_done == 1

    def test_interrupted_trials_come_first_and_do_not_count(
        self, storage: InMemoryStorage
    ) -> None:
        study = open_study(storage, SETTINGS)
        asked = [ask(study), ask(study)]
        assert study.interrupt("stopped") == 2
        assert study.n_done == 0
        resumed = open_study(storage, SETTINGS)
        again = [ask(resumed), ask(resumed), ask(resumed)]
        assert [a.config for a in again[:2]] == [a.config for a in asked]
        trials = trials_of(storage)
        assert [t.user_attrs.get(attributes.RETRY_OF) for t in trials] == [None, None, 0, 1, None]


def test_the_same_seed_gives_the_same_study() -> None:
    def values() -> list[list[float]]:
        storage = InMemoryStorage()
        study = open_study(storage, replace(SETTINGS, sampler="tpe"))
        executor = InlineExecutor(analytic.make_result)
        Driver(study, executor, analytic.make_config, RunSettings(15)).run()
        return [trial.values for trial in trials_of(storage)]

    assert values() == values()


def at_speed(result: TrialResult, reference_ms: float) -> TrialResult:
    """The same result of a machine on which the reference network took so long."""

    def slowed(point: Point) -> Point:
        ratio = point.latency.median_ms / reference_ms
        latency = replace(point.latency, reference_ms=reference_ms, reference_ratio=ratio)
        return replace(point, latency=latency)

    assert result.point is not None
    siblings = tuple(slowed(sibling) for sibling in result.siblings)
    return replace(result, point=slowed(result.point), siblings=siblings)


def test_latencies_are_scaled_to_the_speed_at_the_start_of_the_study(
    storage: InMemoryStorage,
) -> None:
    for reference_ms in (2.0, 4.0):  # The second time in a run of its own, at half the speed.
        study = open_study(storage, SETTINGS)
        asked = ask(study)
        study.tell(asked.number, at_speed(evaluate(asked.config), reference_ms))
    stored = storage.get_study_user_attrs(storage.get_study_id_from_name("analytic"))
    assert stored[attributes.REFERENCE_MS] == 2.0
    for trial in trials_of(storage):
        config = TrialConfig.from_dict(trial.user_attrs[attributes.CONFIG])
        measured = analytic.make_point(config).latency.median_ms
        latency = trial.user_attrs[attributes.LATENCY]
        assert latency["median_ms"] == measured
        assert trial.values[2] == pytest.approx(measured * 2.0 / latency["reference_ms"])
