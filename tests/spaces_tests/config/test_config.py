"""Configurations: what they accept, their JSON, and their hash."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.config.schemes import QuantizationScheme
from spaces.config.training import CLASS_WEIGHTS, LR_SCHEDULES
from spaces.config.trial import (
    OPTIMIZERS,
    ParamValue,
    PruningConfig,
    TrainingConfig,
    TrialConfig,
)
from spaces.errors import ConfigError

EXAMPLE = TrialConfig(
    task="fruit",
    data_fingerprint="0123456789abcdef",
    hyperparameters=(
        ("filters_1", 16),
        ("blocks", 3),
        ("convolution", "plain"),
        ("dropout", 0.25),
        ("wide", False),
    ),
    training=TrainingConfig(learning_rate=0.001, batch_size=32),
    pruning=PruningConfig("polynomial", 0.8, 0.2, 0.7, 0.02),
    quantization=QuantizationScheme.INT8,
    seed=7,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
fractions = st.floats(0.01, 0.99)
param_values: st.SearchStrategy[ParamValue] = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), finite, st.text(max_size=10)
)
training_configs = st.builds(
    TrainingConfig,
    learning_rate=st.floats(1e-6, 10),
    batch_size=st.integers(1, 4096),
    optimizer=st.sampled_from(OPTIMIZERS),
    weight_decay=st.floats(0, 1),
    epochs=st.integers(1, 500),
    qat_epochs=st.integers(1, 50),
    augmentation=st.sampled_from(["none", "flip", "shift+rotation", "randaugment+mixup"]),
    augmentation_strength=st.floats(0.1, 1),
    label_smoothing=st.floats(0, 0.5),
    lr_schedule=st.sampled_from(LR_SCHEDULES),
    ema=st.sampled_from([0, 0.05]),
    class_weights=st.sampled_from(CLASS_WEIGHTS),
)


@st.composite
def pruning_configs(draw: st.DrawFn) -> PruningConfig:
    schedule = draw(st.sampled_from(["none", "constant", "polynomial"]))
    if schedule == "none":
        return PruningConfig()
    begin, end = sorted(draw(st.lists(fractions, min_size=2, max_size=2, unique=True)))
    return PruningConfig(schedule, draw(fractions), begin, end, draw(fractions))


trial_configs = st.builds(
    TrialConfig,
    task=st.text(min_size=1, max_size=20),
    data_fingerprint=st.text("0123456789abcdef", min_size=16, max_size=16),
    hyperparameters=st.dictionaries(st.text(max_size=10), param_values, max_size=6).map(
        lambda values: tuple(values.items())
    ),
    training=training_configs,
    pruning=pruning_configs(),
    quantization=st.sampled_from(QuantizationScheme),
    seed=st.integers(0, 2**31 - 1),
    threads=st.integers(1, 64),
)


@given(trial_configs)
def test_json_gives_back_an_equal_configuration_with_the_same_hash(config: TrialConfig) -> None:
    again = TrialConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.hash == config.hash


@given(trial_configs, st.randoms(use_true_random=False))
def test_the_order_of_hyperparameters_does_not_matter(config: TrialConfig, random: Any) -> None:
    shuffled = list(config.hyperparameters)
    random.shuffle(shuffled)
    again = dataclasses.replace(config, hyperparameters=tuple(shuffled))
    assert again == config
    assert again.hash == config.hash


@given(trial_configs, trial_configs)
def test_other_configurations_have_other_hashes(a: TrialConfig, b: TrialConfig) -> None:
    # 1 and 1.0 and True are equal in Python and different in JSON.
    same_json = json.dumps(a.to_dict(), sort_keys=True) == json.dumps(b.to_dict(), sort_keys=True)
    assert (a.hash == b.hash) == same_json


def test_the_hash_is_stable() -> None:
    # Databases and exported files refer to configurations by hash: this value is a contract. If
    # a field must be added, give it a default and leave the default out of what is hashed.
    assert EXAMPLE.hash == "97225fd32373f7a7"


def test_a_recipe_is_written_only_where_it_is_not_the_usual_one() -> None:
    usual = EXAMPLE.to_dict()["training"]
    assert set(usual) == {
        "learning_rate", "batch_size", "optimizer", "weight_decay", "epochs", "qat_epochs",
    }  # fmt: skip
    training = dataclasses.replace(EXAMPLE.training, augmentation="flip+shift", ema=0.05)
    other = dataclasses.replace(EXAMPLE, training=training)
    assert other.to_dict()["training"] == {**usual, "augmentation": "flip+shift", "ema": 0.05}
    assert other.hash != EXAMPLE.hash


def test_the_hash_is_the_same_in_another_process() -> None:
    code = (
        "import json, sys; from spaces.config.trial import TrialConfig; "
        "print(TrialConfig.from_dict(json.loads(sys.argv[1])).hash)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, json.dumps(EXAMPLE.to_dict())],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONHASHSEED": "123", "PYTHONPATH": ":".join(sys.path)},
    )
    assert answer.stdout.strip() == EXAMPLE.hash


def test_another_scheme_leaves_all_else() -> None:
    other = EXAMPLE.with_quantization(QuantizationScheme.FLOAT16)
    assert other.quantization is QuantizationScheme.FLOAT16
    assert other.with_quantization(QuantizationScheme.INT8) == EXAMPLE
    assert other.hash != EXAMPLE.hash


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"learning_rate": 0}, "0 < learning_rate"),
        ({"learning_rate": math.nan}, "0 < learning_rate"),
        ({"learning_rate": "0.1"}, "0 < learning_rate"),
        ({"batch_size": 0}, "1 <= batch_size"),
        ({"batch_size": 1.5}, "1 <= batch_size"),
        ({"batch_size": True}, "1 <= batch_size"),
        ({"optimizer": "adagrad"}, "optimizer in"),
        ({"weight_decay": -1e-9}, "0 <= weight_decay"),
        ({"epochs": -1}, "0 <= epochs"),
        ({"qat_epochs": 0}, "1 <= qat_epochs"),
        ({"augmentation": "turn"}, "augmentation is none, or some of (flip, shift"),
        ({"augmentation": "flip+"}, "augmentation is none, or"),
        ({"augmentation": "flip+flip"}, "augmentation is none, or"),
        ({"augmentation": "flip+none"}, "augmentation is none, or"),
        ({"augmentation": ("flip",)}, "augmentation is none, or"),
        ({"augmentation": "mixup+flip+cutmix"}, "one of (mixup, cutmix) at most"),
        ({"augmentation_strength": 0.0}, "0 < augmentation_strength <= 1"),
        ({"label_smoothing": 1.0}, "0 <= label_smoothing < 1"),
        ({"lr_schedule": "linear"}, "lr_schedule in (cosine"),
        ({"ema": 1.0}, "0 <= ema < 1"),
        ({"ema": False}, "0 <= ema < 1"),
        ({"class_weights": "even"}, "class_weights in (none, balanced)"),
    ],
)
def test_training_refuses(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingConfig(**{"learning_rate": 0.001, "batch_size": 32, **changes})
    (value,) = changes.values()
    assert rule in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"schedule": "linear"}, "schedule in"),
        ({"final_sparsity": 0}, "0 < final_sparsity < 1"),
        ({"final_sparsity": 1}, "0 < final_sparsity < 1"),
        ({"begin": 0.7}, "0 <= begin < end <= 1"),
        ({"begin": -0.1}, "0 <= begin < end <= 1"),
        ({"end": 1.1}, "0 <= begin < end <= 1"),
        ({"frequency": 0}, "0 < frequency <= 1"),
        ({"schedule": "none"}, "final_sparsity == 0"),
        ({"begin": math.inf}, "begin is a number"),
    ],
)
def test_pruning_refuses(changes: dict[str, Any], rule: str) -> None:
    valid = dict(schedule="polynomial", final_sparsity=0.8, begin=0.2, end=0.7, frequency=0.02)
    with pytest.raises(ConfigError, match=rule):
        PruningConfig(**{**valid, **changes})


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"task": ""}, "task is not empty"),
        ({"hyperparameters": (("a", 1), ("a", 2))}, "stands once"),
        ({"hyperparameters": (("a", math.nan),)}, "finite number"),
        ({"hyperparameters": (("a", None),)}, "finite number"),
        ({"quantization": "int2"}, "quantization in"),
        ({"seed": -1}, "0 <= seed"),
        ({"seed": 2**31}, "0 <= seed"),
        ({"threads": 0}, "1 <= threads"),
    ],
)
def test_a_trial_refuses(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        dataclasses.replace(EXAMPLE, **changes)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda data: data.pop("training"), "'training' is missing"),
        (lambda data: data["training"].pop("learning_rate"), "'learning_rate' is missing"),
        (lambda data: data.update(sed=1), "Unknown key 'sed'"),
        (lambda data: data["pruning"].update(sparsity=1), "Unknown key 'sparsity' in `pruning`"),
        (lambda data: data["training"].update(leaning_rate=1), "Did you mean 'learning_rate'"),
        (lambda data: data.update(training=[1]), "`training` must be a table.* got \\[1\\]"),
        (lambda data: data.update(hyperparameters=3), "`hyperparameters` must be a table.* got 3"),
        (lambda data: data.update(hyperparameters={"a": []}), "`hyperparameters.a` must be true"),
        (lambda data: data.update(seed="7"), "`seed` must be a whole number, but got '7'"),
        (lambda data: data.update(seed=True), "`seed` must be a whole number, but got True"),
        (lambda data: data["training"].update(epochs=1.5), "`training.epochs` must be a whole"),
        (lambda data: data["training"].update(ema="0"), "`training.ema` must be a number"),
        (lambda data: data.update(quantization="int2"), "one of float32, .*, but got 'int2'"),
        (lambda data: data.update(branched_from={"task": "fruit"}), "missing in `branched_from`"),
    ],
)
def test_an_edited_file_is_refused_with_the_key_that_is_wrong(edit: Any, complaint: str) -> None:
    data = EXAMPLE.to_dict()
    edit(data)
    with pytest.raises(ConfigError, match=complaint):
        TrialConfig.from_dict(data)


def test_defaults_may_be_left_out_of_a_file() -> None:
    data = EXAMPLE.to_dict()
    del data["pruning"], data["quantization"], data["seed"], data["training"]["optimizer"]
    config = TrialConfig.from_dict(data)
    assert config.pruning == PruningConfig()
    assert config.quantization is QuantizationScheme.FLOAT32
    assert config.training == EXAMPLE.training


def test_configurations_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXAMPLE.seed = 1  # type: ignore[misc]
    EXAMPLE.hyperparameter_dict["blocks"] = 9
    assert EXAMPLE.hyperparameter_dict["blocks"] == 3


def branch_of(parent: TrialConfig, **changes: Any) -> TrialConfig:
    training = dataclasses.replace(parent.training, epochs=changes.pop("epochs", 1))
    return dataclasses.replace(parent, training=training, branched_from=parent, **changes)


class TestBranches:
    branch = branch_of(branch_of(EXAMPLE, epochs=2), epochs=0)

    def test_a_lineage_is_all_trainings_the_first_one_first(self) -> None:
        assert EXAMPLE.lineage == (EXAMPLE,)
        first, second, third = self.branch.lineage
        assert [c.training.epochs for c in (first, second, third)] == [10, 2, 0]
        assert third == self.branch

    def test_the_scheme_of_what_it_branched_from_does_not_count(self) -> None:
        other = EXAMPLE.with_quantization(QuantizationScheme.FLOAT16)
        assert branch_of(EXAMPLE) == branch_of(other, quantization=EXAMPLE.quantization)

    def test_a_lineage_survives_json_and_decides_the_hash(self) -> None:
        again = TrialConfig.from_dict(json.loads(json.dumps(self.branch.to_dict())))
        assert again == self.branch
        assert again.hash == self.branch.hash
        alone = dataclasses.replace(self.branch, branched_from=None, training=EXAMPLE.training)
        assert len({self.branch.hash, alone.hash, branch_of(EXAMPLE, epochs=0).hash}) == 3

    def test_without_a_branch_nothing_is_said_of_it(self) -> None:
        assert "branched_from" not in EXAMPLE.to_dict()

    @pytest.mark.parametrize("name", ["seed", "task", "data_fingerprint", "hyperparameters"])
    def test_a_branch_is_the_same_network_on_the_same_data(self, name: str) -> None:
        other: dict[str, Any] = {
            "seed": 8,
            "task": "mnist",
            "data_fingerprint": "fedcba9876543210",
            "hyperparameters": (("filters_1", 8),),
        }
        with pytest.raises(ConfigError, match=f"a branch has the {name}"):
            branch_of(EXAMPLE, **{name: other[name]})

    def test_only_a_branch_has_no_epochs(self) -> None:
        with pytest.raises(ConfigError, match="1 <= epochs"):
            dataclasses.replace(EXAMPLE, training=dataclasses.replace(EXAMPLE.training, epochs=0))

    def test_other_data_reach_the_whole_lineage(self) -> None:
        moved = self.branch.with_data_fingerprint("fedcba9876543210")
        assert {c.data_fingerprint for c in moved.lineage} == {"fedcba9876543210"}

    @pytest.mark.parametrize(
        ("epochs", "expected"),
        [(40, [40, 8, 0]), (15, [15, 3, 0]), (10, [10, 2, 0]), (1, [1, 1, 0])],
    )
    def test_all_trainings_are_longer_by_the_same_factor(
        self, epochs: int, expected: list[int]
    ) -> None:
        assert [c.training.epochs for c in self.branch.with_epochs(epochs).lineage] == expected
        assert self.branch.with_epochs(10) == self.branch

    def test_another_seed_and_no_compression_reach_the_whole_lineage(self) -> None:
        assert {c.seed for c in self.branch.with_seed(9).lineage} == {9}
        dense = self.branch.without_compression()
        assert [c.training for c in dense.lineage] == [c.training for c in self.branch.lineage]
        assert not any(c.pruning.is_active for c in dense.lineage)
        assert dense.quantization is QuantizationScheme.FLOAT32
        assert dense.without_compression() == dense
