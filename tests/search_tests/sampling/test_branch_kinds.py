"""Kinds of branches: which configurations they make of a training's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.sampling.branch_kinds import (
    KINDS,
    MAX_LINEAGE,
    QAT,
    SPARSITIES,
    TRAIN_ON,
    Kind,
    branch_config,
    branch_sparsity,
    kind_of,
    pruning_to,
)
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.space.compression import params_from_config
from spaces.space.search_space import SearchSpace
from tests.search_tests.sampling.branches import EPOCHS, SPACE, config_of

S = QuantizationScheme


class TestConfig:
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
    def test_a_branch_is_a_point_of_the_space(self, kind: object) -> None:
        parent = config_of()
        branch = branch_config(parent, kind, EPOCHS, SPACE)  # type: ignore[arg-type]
        assert branch is not None
        assert branch.branched_from == parent
        assert branch.lineage == (parent, branch)
        assert branch.training.epochs <= parent.training.epochs
        assert branch.hash != parent.hash
        params = params_from_config(branch, SPACE)
        assert all(SPACE[name].contains(value) for name, value in params.items())

    def test_quantization_aware_training_keeps_what_was_pruned(self) -> None:
        parent = branch_config(config_of(), KINDS[1], EPOCHS, SPACE)
        assert parent is not None
        branch = branch_config(parent, QAT, EPOCHS, SPACE)
        assert branch is not None
        assert branch.pruning == parent.pruning
        assert branch.quantization is S.QAT_INT8

    def test_training_on_takes_as_long_as_all_before_and_keeps_what_was_pruned(self) -> None:
        pruned = branch_config(config_of(), KINDS[1], EPOCHS, SPACE)
        assert pruned is not None
        branch = branch_config(pruned, TRAIN_ON, EPOCHS, SPACE)
        assert branch is not None
        assert branch.training == replace(pruned.training, epochs=EPOCHS + pruned.training.epochs)
        assert branch.pruning.final_sparsity == pruned.pruning.final_sparsity
        assert branch.quantization is S.FLOAT32
        again = branch_config(branch, TRAIN_ON, EPOCHS, SPACE)
        assert again is not None and again.hash != branch.hash
        assert again.training.epochs == 2 * branch.training.epochs

    def test_training_that_a_model_s_own_code_may_end_is_no_measure(self) -> None:
        """It may have ended long before its epochs were up, and what is trained on does not."""
        config = config_of()
        config = replace(config, training=replace(config.training, from_model=True))
        for _ in range(3):
            branch = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
            assert branch is not None and branch.training.epochs == EPOCHS
            config = branch

    def test_weights_that_were_only_quantized_anew_are_not_trained_on(self) -> None:
        parent = branch_config(config_of(), QAT, EPOCHS, SPACE)
        assert parent is not None
        assert branch_config(parent, TRAIN_ON, EPOCHS, SPACE) is None

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
    @pytest.mark.parametrize("parent_kind", [None, KINDS[0], TRAIN_ON])
    def test_a_configuration_says_of_which_kind_it_is(
        self, kind: Kind, parent_kind: Kind | None
    ) -> None:
        parent: TrialConfig | None = config_of()
        if parent_kind is not None:
            assert parent is not None
            parent = branch_config(parent, parent_kind, EPOCHS, SPACE)
        assert parent is not None
        branch = branch_config(parent, kind, EPOCHS, SPACE)
        if branch is None:
            assert kind.sparsity == KINDS[0].sparsity  # Pruned so far already.
        else:
            assert kind_of(branch) == kind

    def test_pruning_only_goes_on(self) -> None:
        parent = branch_config(config_of(), KINDS[1], EPOCHS, SPACE)
        assert parent is not None
        assert branch_config(parent, KINDS[0], EPOCHS, SPACE) is None
        assert branch_config(parent, KINDS[1], EPOCHS, SPACE) is None
        assert branch_config(parent, KINDS[2], EPOCHS, SPACE) is not None

    @pytest.mark.parametrize(
        ("before", "sparsity", "is_worth_it"),
        [
            (0.0, 0.3, True),
            (0.5, 0.53, False),
            (0.5, 0.56, True),
            (0.85, 0.86, False),
            (0.85, 0.87, True),
            (0.93, 0.92, False),
        ],
    )
    def test_a_pruning_leaves_a_tenth_fewer_weights(
        self, before: float, sparsity: float, is_worth_it: bool
    ) -> None:
        parent = branch_config(config_of(), pruning_to(before), EPOCHS, SPACE)
        assert parent is not None or not before
        branch = branch_config(parent or config_of(), pruning_to(sparsity), EPOCHS, SPACE)
        assert (branch is not None) == is_worth_it

    def test_a_lineage_has_an_end(self) -> None:
        config = config_of()
        for kind in (*KINDS[: MAX_LINEAGE - 1],):
            longer = branch_config(config, kind, EPOCHS, SPACE)
            assert longer is not None
            config = longer
        assert all(branch_config(config, kind, EPOCHS, SPACE) is None for kind in KINDS)

    def test_what_is_not_searched_is_not_branched(self) -> None:
        names = ("quantization", "learning_rate", "batch_size", "optimizer", "n_blocks")
        bare = SearchSpace(tuple(p for p in SPACE.parameters if p.name in names))
        without_qat = SearchSpace(
            tuple(
                replace(p, choices=("float32", "int8")) if p.name == "quantization" else p
                for p in bare.parameters
            )
        )
        parent = config_of()
        assert branch_config(parent, KINDS[0], EPOCHS, bare) is None
        assert branch_config(parent, QAT, EPOCHS, bare) is not None
        assert branch_config(parent, QAT, EPOCHS, without_qat) is None

    def test_how_far_a_branch_could_prune(self) -> None:
        config = config_of()
        assert branch_sparsity(config, EPOCHS, SPACE) == max(SPARSITIES)
        while (longer := branch_config(config, TRAIN_ON, EPOCHS, SPACE)) is not None:
            config = longer
        assert len(config.lineage) == MAX_LINEAGE
        assert branch_sparsity(config, EPOCHS, SPACE) == 0.0

    def test_kinds_in_words(self) -> None:
        assert [kind.words for kind in KINDS] == [
            "pruned to 50 %",
            "pruned to 70 %",
            "pruned to 85 %",
            "trained on",
            "trained quantization-aware",
        ]
