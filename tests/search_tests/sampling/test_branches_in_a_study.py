"""Branches and the race within a study: what is asked, stored and tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from search.run.driver import Driver
from search.sampling.branch_kinds import is_trained_on
from search.sampling.branching import Brancher
from search.sampling.mirror import Mirror, Proposal
from search.sampling.outlook import AS_IT_IS, Further
from search.storage import attributes
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.space.compression import params_from_config
from tests.search_tests import analytic
from tests.search_tests.sampling.branches import EPOCHS, SPACE
from workers.messages.executor import InlineExecutor
from workers.messages.limits import Limits
from workers.messages.result import EvaluateRequest

S = QuantizationScheme


class TestInAStudy:
    def settings(self, **changes: object) -> StudySettings:
        info = analytic.task_info()
        return replace(StudySettings("analytic", info, sampler="random", seed=3), **changes)  # type: ignore[arg-type]

    def run(self, storage: InMemoryStorage, n_trials: int = 60, **changes: object) -> list:  # type: ignore[type-arg]
        requests: list[EvaluateRequest] = []

        def evaluate(request: EvaluateRequest):  # type: ignore[no-untyped-def]
            requests.append(request)
            return analytic.make_result(request)

        study = open_study(storage, self.settings(**changes))
        settings = RunSettings(n_trials)
        Driver(study, InlineExecutor(evaluate), analytic.make_config, settings).run()
        return requests

    def test_branches_tell_where_they_come_from(self) -> None:
        storage = InMemoryStorage()
        requests = self.run(storage)
        trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
        branches = [t for t in trials if attributes.BRANCHED_FROM in t.user_attrs]
        assert branches
        for trial in branches:
            parent = trials[trial.user_attrs[attributes.BRANCHED_FROM]]
            config = TrialConfig.from_dict(trial.user_attrs[attributes.CONFIG])
            start = TrialConfig.from_dict(parent.user_attrs[attributes.CONFIG])
            assert config.branched_from == start.with_quantization(S.FLOAT32)
            assert trial.params == params_from_config(config, SPACE)
            if attributes.DERIVED_FROM not in trial.user_attrs:
                assert attributes.PREDICTED_GAIN in trial.user_attrs
                assert attributes.GAIN in trial.user_attrs
        sent = [r for r in requests if r.config.branched_from is not None]
        assert all(r.start_weights is not None for r in sent)
        assert all(r.race is None for r in sent)

    @pytest.mark.parametrize(
        ("limits", "gated"), [(Limits(), False), (Limits(max_size_bytes=1e6), True)]
    )
    def test_branches_are_looked_at_beforehand_only_where_there_are_limits(
        self, limits: Limits, gated: bool
    ) -> None:
        requests = self.run(InMemoryStorage(), limits=limits)
        branches = [r for r in requests if r.config.branched_from is not None]
        qat = [r for r in branches if r.config.quantization is S.QAT_INT8]
        assert {r.check_gate for r in branches if r not in qat} == {gated}
        # Its layers may be such that they cannot be trained so, whatever the limits.
        assert qat and all(r.check_gate for r in qat)
        assert all(r.check_gate for r in requests if r.config.branched_from is None)

    def test_switched_off_there_are_none(self) -> None:
        storage = InMemoryStorage()
        requests = self.run(storage, branch=False)
        assert all(r.config.branched_from is None and not r.keep_weights for r in requests)

    def outlooks(self, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[Sequence[Further]]:
        """Return what the sampler is told that new trainings may become, one after the other."""
        found: list[Sequence[Further]] = []
        honest = Mirror.propose

        def propose(mirror: Mirror, *args: Any, **options: Any) -> Proposal:
            if not options.get("is_branch"):
                found.append(options["outlook"])
            return honest(mirror, *args, **options)

        monkeypatch.setattr(Mirror, "propose", propose)
        self.run(InMemoryStorage(), **changes)
        return found

    def test_the_sampler_knows_what_trainings_may_become(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, *_ = self.outlooks(monkeypatch)
        assert first == Brancher(EPOCHS, SPACE).outlook() != AS_IT_IS

    def test_the_sampler_knows_what_branches_have_taught_since(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lessons: list[tuple[Further, ...]] = []

        def learned(brancher: Brancher, seconds_left: float) -> tuple[Further, ...]:
            lessons.append((Further(0.5, cost=len(lessons) + 1.0),))
            return lessons[-1]

        monkeypatch.setattr(Brancher, "outlook", learned)
        found = self.outlooks(monkeypatch)
        assert len(lessons) > 10
        assert list(dict.fromkeys(found)) == lessons

    def test_without_branches_trainings_stay_as_they_are(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert set(self.outlooks(monkeypatch, branch=False)) == {AS_IT_IS}

    @pytest.mark.parametrize("n_runs", [1, 2])
    def test_trainings_are_raced_against_what_was_trained_for_as_long(self, n_runs: int) -> None:
        storage = InMemoryStorage()
        requests = [one for run in range(n_runs) for one in self.run(storage, 40 * (run + 1))]
        trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
        configs = [TrialConfig.from_dict(t.user_attrs[attributes.CONFIG]) for t in trials]
        longer = {
            tuple(trial.values)
            for trial, config in zip(trials, configs, strict=True)
            if trial.values is not None and is_trained_on(config)
        }
        rivals = {point for one in requests if one.race is not None for point in one.race.front}
        assert longer and rivals
        assert not rivals & longer

    def test_the_race_stops_and_says_so(self) -> None:
        storage = InMemoryStorage()
        self.run(storage, branch=False)
        trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
        stopped = [t for t in trials if t.user_attrs[attributes.OUTCOME] == "stopped"]
        assert stopped
        for trial in stopped:
            assert trial.values is None
            assert 0 < trial.user_attrs[attributes.EPOCHS_TRAINED] < EPOCHS
            assert len(trial.user_attrs[attributes.CURVE]) < EPOCHS
            assert "to be expected" in trial.user_attrs[attributes.REASON]
            assert trial.user_attrs[attributes.BAR] > 0

    def test_without_the_race_all_go_to_their_end(self) -> None:
        storage = InMemoryStorage()
        requests = self.run(storage, race=False)
        assert all(r.race is None for r in requests)
        trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
        assert not [t for t in trials if t.user_attrs[attributes.OUTCOME] == "stopped"]

    def test_the_next_run_knows_what_the_last_one_knew(self) -> None:
        storage = InMemoryStorage()
        self.run(storage, 40)
        requests = self.run(storage, 60)
        races = [r.race for r in requests if r.race is not None]
        assert races and all(race.can_judge for race in races)
        assert races[0].front

    def test_interrupted_branches_are_tried_again_as_branches(self) -> None:
        storage = InMemoryStorage()
        self.run(storage, 30)
        study = open_study(storage, self.settings())
        asked = []
        for _ in range(40):
            one = study.ask(analytic.make_config)
            assert one is not None
            asked.append(one)
        study.interrupt("interrupted: test")
        again = [study.ask(analytic.make_config) for _ in asked]
        assert {a.config.hash for a in again if a} == {a.config.hash for a in asked}
