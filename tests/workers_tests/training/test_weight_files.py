"""Weights from a file: what is read of it, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spaces.errors import DataError
from workers.training.file_layers import FileLayer, snake_case
from workers.training.start_weights import ModelLayer, match
from workers.training.weight_files import WeightFile, read_weight_file

KERNEL, BIAS = (3, 3, 1, 4), (4,)
LAYERS: dict[str, tuple[str, tuple[tuple[int, ...], ...]]] = {
    "stem": ("Conv2D", (KERNEL, BIAS)),
    "norm": ("BatchNormalization", (BIAS, BIAS, BIAS, BIAS)),
    "conv2d": ("Conv2D", ((3, 3, 4, 4), BIAS)),
    "logits": ("Dense", ((4, 2), (2,))),
}


def arrays(shapes: tuple[tuple[int, ...], ...], seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def config() -> dict[str, Any]:
    rows = [{"class_name": "InputLayer", "config": {"name": "input"}}]
    rows += [{"class_name": kind, "config": {"name": name}} for name, (kind, _) in LAYERS.items()]
    # As Keras writes it: code in base64. Nothing may look at it.
    rows.append({"class_name": "Lambda", "config": {"name": "lambda", "function": "bm8="}})
    return {"class_name": "Functional", "config": {"layers": rows}}


def by_class(file: h5py.File) -> None:
    counts: dict[str, int] = {}
    for seed, (kind, shapes) in enumerate(LAYERS.values()):
        place = snake_case(kind)
        number = counts.setdefault(place, 0)
        counts[place] += 1
        group = file.create_group(f"layers/{place}_{number}" if number else f"layers/{place}")
        for index, array in enumerate(arrays(shapes, seed)):
            group.create_dataset(f"vars/{index}", data=array)
    file.create_group("layers/input_layer/vars")


def by_name(root: h5py.Group) -> None:
    root.attrs["layer_names"] = ["input", *LAYERS]
    root.create_group("input").attrs["weight_names"] = np.array([], "S1")
    for seed, (name, (_, shapes)) in enumerate(LAYERS.items()):
        names = [f"{name}/w{index}:0" for index in range(len(shapes))]
        group = root.create_group(name)
        group.attrs["weight_names"] = names
        for one, array in zip(names, arrays(shapes, seed), strict=True):
            group.create_dataset(one, data=array)


def write(path: Path) -> Path:
    """Write the same layers in the format that a name stands for."""
    if path.suffix == ".keras":
        weights = io.BytesIO()
        with h5py.File(weights, "w") as file:
            by_class(file)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(config()))
            archive.writestr("model.weights.h5", weights.getvalue())
        return path
    with h5py.File(path, "w") as file:
        if path.name.endswith(".weights.h5"):
            by_class(file)
        elif path.name == "model.h5":
            file.attrs["model_config"] = json.dumps(config())
            by_name(file.create_group("model_weights"))
        else:
            by_name(file)
    return path


@pytest.mark.parametrize("name", ["mine.keras", "model.h5", "by_name.h5", "mine.weights.h5"])
def test_every_format_gives_the_same_numbers(tmp_path: Path, name: str) -> None:
    found = read_weight_file(write(tmp_path / name))
    assert found.name == name and len(found.sha256) == 64
    by_shapes = {layer.shapes: layer for layer in found.layers}
    for seed, (layer_name, (kind, shapes)) in enumerate(LAYERS.items()):
        layer = by_shapes[shapes]
        for array, expected in zip(layer.arrays, arrays(shapes, seed), strict=True):
            np.testing.assert_array_equal(array, expected)
        if found.has_names:
            assert layer.name == layer_name
        if name != "by_name.h5":
            assert layer.kind == snake_case(kind)
    assert found.has_names is (name != "mine.weights.h5")
    if found.has_names:
        assert [layer.name for layer in found.layers] == list(LAYERS)


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("Conv2D", "conv2d"),
        ("DepthwiseConv2D", "depthwise_conv2d"),
        ("BatchNormalization", "batch_normalization"),
        ("mine>ReLU", "re_lu"),
    ],
)
def test_classes_are_numbered_as_keras_does(class_name: str, name: str) -> None:
    assert snake_case(class_name) == name


def test_nothing_outside_the_file_is_read(tmp_path: Path) -> None:
    other = write(tmp_path / "by_name.h5")
    linked = tmp_path / "linked.h5"
    with h5py.File(linked, "w") as file:
        file.attrs["layer_names"] = ["stem"]
        file["stem"] = h5py.ExternalLink(other, "/stem")
    with pytest.raises(DataError, match="stem must be in the file itself"):
        read_weight_file(linked)
    (tmp_path / "numbers").write_bytes(bytes(16))
    external = tmp_path / "external.h5"
    with h5py.File(external, "w") as file:
        file.attrs["layer_names"] = ["stem"]
        group = file.create_group("stem")
        group.attrs["weight_names"] = ["bias"]
        group.create_dataset(
            "bias", (4,), np.float32, external=[(str(tmp_path / "numbers"), 0, 16)]
        )
    with pytest.raises(DataError, match="stem/bias must be in the file itself"):
        read_weight_file(external)


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    for name, content, says in [
        ("mine.pkl", b"", "a .keras or .h5 file, but got"),
        ("mine.keras", b"PK no zip", "a whole file that Keras saved"),
        ("mine.h5", b"", "a whole file that Keras saved"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=says):
            read_weight_file(tmp_path / name)
    with pytest.raises(DataError, match="Nothing is downloaded"):
        read_weight_file(tmp_path / "none.h5")
    with pytest.raises(DataError, match="cannot be read"):
        (tmp_path / "folder.h5").mkdir()
        read_weight_file(tmp_path / "folder.h5")
    cut = write(tmp_path / "cut.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        read_weight_file(tmp_path / "cut.keras")
    for value, says in [
        (np.array([np.nan], np.float32), "not finite"),
        (np.array([b"1"]), "numbers"),
    ]:
        with h5py.File(tmp_path / "odd.h5", "w") as file:
            file.attrs["layer_names"] = ["stem"]
            file.create_group("stem").attrs["weight_names"] = ["bias"]
            file["stem/bias"] = value
        with pytest.raises(DataError, match=says):
            read_weight_file(tmp_path / "odd.h5")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.attrs["layer_names"] = np.array([], "S1")
    with pytest.raises(DataError, match="no layer with weights"):
        read_weight_file(tmp_path / "empty.h5")


def file_of(*layers: tuple[str, tuple[int, ...]], has_names: bool = True) -> WeightFile:
    found = tuple(
        FileLayer(name, "" if has_names else name.rsplit("_", 1)[0], (np.zeros(shape, "f4"),))
        for name, shape in layers
    )
    return WeightFile("file.h5", "0" * 64, found, has_names)


def taken(names: list[tuple[str, tuple[int, ...]]], file: WeightFile, kind: str = "conv") -> Any:
    layers = [ModelLayer(None, name, kind, (shape,)) for name, shape in names]
    return {names[index][0]: one.name for index, one in match(layers, file).items()}


A, B, C = (1, 2), (2, 3), (3, 4)


@pytest.mark.parametrize(
    ("layers", "in_file", "expected"),
    [
        # Numbered through by a process that built other networks before.
        ([("conv_7", A), ("conv_8", B)], [("conv", A), ("conv_1", B)], ["conv", "conv_1"]),
        ([("conv_1", A), ("conv_2", B)], [("conv_2", A), ("conv_3", B)], ["conv_2", "conv_3"]),
        # One of another width: those behind it keep their places.
        ([("conv_1", C), ("conv_2", B)], [("conv_1", A), ("conv_2", B)], [None, "conv_2"]),
        # One less: what is left goes by order and shape.
        ([("conv_1", B), ("conv_2", C)], [("conv_1", A), ("conv_2", B)], ["conv_2", None]),
        # Another name is another layer, of whatever shape.
        ([("stem", A)], [("conv_1", A)], [None]),
        ([("block_1_conv", A)], [("block_2_conv", A)], [None]),
    ],
)
def test_layers_match_by_name_order_and_shape(
    layers: list[tuple[str, tuple[int, ...]]],
    in_file: list[tuple[str, tuple[int, ...]]],
    expected: list[str | None],
) -> None:
    found = taken(layers, file_of(*in_file))
    assert [found.get(name) for name, _ in layers] == expected


def test_without_names_the_class_decides() -> None:
    file = file_of(("conv", A), ("conv_1", B), has_names=False)
    assert taken([("stem", A), ("body", B)], file) == {"stem": "conv", "body": "conv_1"}
    assert taken([("conv", A), ("conv_1", B)], file, kind="dense") == {}
