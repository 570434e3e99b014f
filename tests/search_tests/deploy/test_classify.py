"""``search classify``: what it labels, prints, skips and refuses; videos and their copies."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from search.cli.main import cli
from search.deploy.classify import Prediction, classify
from spaces.errors import ConfigError, DataError
from tests.colour_model import colour_model, expected

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
SURE = float(expected(np.full((1, 1, 1, 3), (255, 0, 0)))[0, 0])  # Of a picture of one colour.


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(colour_model())
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in COLOURS))
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures of one colour, called by it; broken, hidden and other files among them."""
    folder = tmp_path / "photos"
    for name in ("b/red.png", "a/green.png", "a/green2.png", "a/.red.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        colour = COLOURS[Path(name).stem.strip(".2")]
        Image.new("RGB", (16, 16), colour).save(folder / name)
    (folder / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "a" / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video: 12 frames of red, then 12 of blue."""
    path = tmp_path / "clip.mp4"
    write_video(path, ["red"] * 12 + ["blue"] * 12)
    return path


def write_video(path: Path, colours: list[str]) -> None:
    from workers.deploy.video import VideoCopy

    with VideoCopy(path, fps=10) as video:
        for name in colours:
            bgr = COLOURS[name][::-1]
            video.write(np.broadcast_to(np.array(bgr, np.uint8), (120, 160, 3)).copy())


def read_video(path: Path) -> list[Any]:
    from workers.deploy.video import VideoSource

    with VideoSource(path) as video:
        return [frame.pixels for frame in video.frames()]


def search_(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["classify", *map(str, arguments)], prog_name="search")


def lines_of(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def error_of(result: Result) -> str:
    """Return the one line that an error is."""
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


class TestPictures:
    def test_folder_is_labelled_in_order_and_broken_files_are_named(
        self, deployed: Path, photos: Path
    ) -> None:
        result = search_(deployed, photos, "--json", "--count")
        assert result.exit_code == 0
        *found, last = lines_of(result)
        names = ["a/green.png", "a/green2.png", "b/red.png"]
        assert [line["source"] for line in found] == [str(photos / name) for name in names]
        assert [line["label"] for line in found] == ["green", "green", "red"]
        for line in found:
            assert line["probability"] == pytest.approx(SURE, abs=1e-5)
            assert line["frame"] is None
        assert last == {
            "counts": {"red": 1, "green": 2, "blue": 0},
            "uncertain": 0,
            "skipped": 2,
        }
        assert f"skipped {photos / 'a' / 'broken.jpg'}: " in result.stderr
        assert f"skipped {photos}: 1 .txt: only pictures" in result.stderr

    def test_videos_and_other_files_of_a_folder_count_as_skipped(
        self, deployed: Path, photos: Path
    ) -> None:
        for name in ("x.mp4", "y.MOV", "z.xml", "a.xml"):
            (photos / "b" / name).write_bytes(b"nothing")
        result = search_(deployed, photos / "b", "--json", "--count")
        assert result.exit_code == 0
        assert lines_of(result)[-1]["skipped"] == 4
        assert "b: 2 videos, 2 .xml: only pictures of a folder are read" in result.stderr
        (photos / "b" / "red.png").unlink()
        assert "but has 2 videos, 2 .xml." in error_of(search_(deployed, photos / "b"))

    def test_people_get_columns(self, deployed: Path, photos: Path) -> None:
        result = search_(deployed / "model.tflite", photos / "b" / "red.png", "--count")
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [
            "label           picture",
            f"red     96.5 %  {photos / 'b' / 'red.png'}",
            "",
            "label           count",
            "red    100.0 %  1",
            "green    0.0 %  0",
            "blue     0.0 %  0",
        ]

    def test_top_tells_more_classes(self, deployed: Path, photos: Path) -> None:
        picture = photos / "b" / "red.png"
        (line,) = lines_of(search_(deployed, picture, "--json", "--top", "9"))
        assert [row["label"] for row in line["top"]] == ["red", "green", "blue"]
        assert sum(row["probability"] for row in line["top"]) == pytest.approx(1, abs=1e-5)
        shown = search_(deployed, picture, "--top", "2").stdout.splitlines()
        assert [row.split()[0] for row in shown] == ["label", "red", "green"]

    def test_what_is_too_uncertain_has_no_label(self, deployed: Path, photos: Path) -> None:
        arguments = (deployed, photos / "b", "--min-probability", "0.99", "--count")
        line, last = lines_of(search_(*arguments, "--json"))
        assert (line["label"], line["top"][0]["label"]) == (None, "red")
        assert last["uncertain"] == 1
        assert search_(*arguments).stdout.splitlines()[1].startswith("? ")

    def test_nothing_readable_is_an_error(self, deployed: Path, photos: Path) -> None:
        broken, notes = photos / "a" / "broken.jpg", photos / "a" / "notes.txt"
        result = search_(deployed, broken)
        assert result.exit_code == 1
        assert str(broken) in error_of(result)
        result = search_(deployed, broken, notes, "--json", "--count")
        assert result.exit_code == 1
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 3

    def test_answers_that_are_not_finite_are_skipped(self, deployed: Path, photos: Path) -> None:
        (deployed / "model.tflite").write_bytes(colour_model(gain=float("nan")))
        result = search_(deployed, photos / "b" / "red.png", "--json")
        assert result.exit_code == 1
        assert "finite" in error_of(result)

    def test_many_pictures_keep_their_order(self, deployed: Path, tmp_path: Path) -> None:
        names = [list(COLOURS)[n % 3] for n in range(193)]
        (tmp_path / "many").mkdir()
        for number, name in enumerate(names):
            path = tmp_path / "many" / f"{number:03}.png"
            Image.new("RGB", (8, 8), COLOURS[name]).save(path)
        seen: list[tuple[int, int]] = []
        found = classify(
            deployed, tmp_path / "many", progress=lambda _, done, total: seen.append((done, total))
        )
        assert [prediction.label for prediction in found] == names
        assert seen[-1] == (193, 193)


class TestVideos:
    def test_every_frame_has_number_time_and_label(self, deployed: Path, clip: Path) -> None:
        found = list(classify(deployed, clip))
        assert [prediction.frame for prediction in found] == list(range(24))
        assert [prediction.label for prediction in found] == ["red"] * 12 + ["blue"] * 12
        times = [prediction.time_s for prediction in found]
        np.testing.assert_allclose(np.array(times, float), np.arange(24) / 10, atol=0.001)

    def test_every_takes_steps_and_the_copy_still_has_all_frames(
        self, deployed: Path, clip: Path, tmp_path: Path
    ) -> None:
        copy = tmp_path / "seen.mp4"
        result = search_(deployed, clip, "--every", "7", "-o", copy, "--json")
        assert result.exit_code == 0
        assert [line["frame"] for line in lines_of(result)] == [0, 7, 14, 21]
        assert f"Wrote {copy}" in result.stderr
        before, after = read_video(clip), read_video(copy)
        assert len(after) == len(before)
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            changed = np.abs(new.astype(int) - old).max(axis=2) > 60
            assert changed[:12, :30].any(), number  # The label in the corner ...
            assert not changed[40:].any(), number  # ... and nothing below it.
        assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "deploy", "seen.mp4"}

    def test_nothing_is_overwritten_unasked(
        self, deployed: Path, clip: Path, tmp_path: Path
    ) -> None:
        copy = tmp_path / "seen.avi"
        copy.write_bytes(b"mine")
        result = search_(deployed, clip, "-o", copy)
        assert (result.exit_code, copy.read_bytes()) == (2, b"mine")
        assert "--force" in error_of(result)
        assert search_(deployed, clip, "-o", copy, "--force").exit_code == 0
        assert len(read_video(copy)) == 24
        assert "video itself" in error_of(search_(deployed, clip, "-o", clip, "--force"))

    def test_a_copy_that_ends_early_is_whole_up_to_there(
        self, deployed: Path, clip: Path, tmp_path: Path
    ) -> None:
        copy = tmp_path / "seen.mp4"
        predictions = classify(deployed, clip, output=copy)
        for _ in range(5):
            next(predictions)
        assert not copy.exists()
        predictions.close()
        assert len(read_video(copy)) == 5

    @pytest.mark.parametrize("every", ["1", "5"])
    def test_a_cut_video_says_so(self, deployed: Path, tmp_path: Path, every: str) -> None:
        whole, cut = tmp_path / "whole.avi", tmp_path / "cut.avi"
        write_video(whole, ["red"] * 40)
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        result = search_(deployed, whole, "--json", "--every", every)
        assert "skipped" not in result.stderr
        result = search_(deployed, cut, "--json", "--every", every)
        assert 0 < len(lines_of(result)) < 40 / int(every)
        assert "of its 40 frames: the file is cut or damaged" in result.stderr

    def test_a_broken_video_is_skipped_like_a_picture(
        self, deployed: Path, photos: Path, tmp_path: Path
    ) -> None:
        broken = tmp_path / "broken.mp4"
        broken.write_text("no video")
        result = search_(deployed, broken, photos / "b", "--json")
        assert result.exit_code == 0
        assert [line["label"] for line in lines_of(result)] == ["red"]
        assert f"skipped {broken}: " in result.stderr

    def test_without_opencv_pictures_work_and_videos_say_what_to_install(
        self, deployed: Path, photos: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "cv2", None)
        assert search_(deployed, photos / "b").exit_code == 0
        for source in (clip, "0"):
            result = search_(deployed, source)
            assert result.exit_code == 2
            assert "pip install 'litefront[video]'" in error_of(result)


class TestCameras:
    @pytest.fixture
    def camera(self, clip: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Camera 0, which films the video; camera 1 is not there."""
        cv2 = importlib.import_module("cv2")
        real = cv2.VideoCapture
        monkeypatch.setattr(
            cv2, "VideoCapture", lambda source: real(str(clip) if source == 0 else "nothing")
        )
        yield

    @pytest.mark.usefixtures("camera")
    def test_frames_come_one_by_one(self, deployed: Path) -> None:
        predictions = classify(deployed, 0)
        first = next(predictions)
        assert (first.source, first.frame, first.label) == ("camera 0", 0, "red")
        times = [prediction.time_s or 0.0 for prediction in predictions]
        assert len(times) == 23
        assert times == sorted(times)

    @pytest.mark.usefixtures("camera")
    def test_ctrl_c_ends_it_well(
        self, deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from workers.deploy.classifier import Classifier

        real, calls = Classifier.probabilities, iter(range(4))

        def probabilities(self: Classifier, images: Any) -> Any:
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return real(self, images)

        monkeypatch.setattr(Classifier, "probabilities", probabilities)
        copy = tmp_path / "seen.mp4"
        result = search_(deployed, "0", "--json", "--count", "-o", copy)
        assert result.exit_code == 0
        assert lines_of(result)[-1]["counts"] == {"red": 4, "green": 0, "blue": 0}
        monkeypatch.undo()
        assert len(read_video(copy)) == 4

    @pytest.mark.usefixtures("camera")
    def test_one_that_is_not_there_is_an_error(self, deployed: Path) -> None:
        result = search_(deployed, "1")
        assert result.exit_code == 1
        assert "Camera 1 cannot be opened" in error_of(result)

    @pytest.mark.usefixtures("camera")
    def test_a_file_called_like_one_is_the_file(
        self, deployed: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(photos)
        (photos / "b" / "red.png").rename("0")
        (line,) = lines_of(search_(deployed, "0", "--json"))
        assert (line["source"], line["frame"]) == ("0", None)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "exit_code", "words"),
        [
            (["nowhere.jpg"], 1, "No such file or folder: nowhere.jpg"),
            (["https://a.org//b.jpg"], 1, "the address https://a.org//b.jpg. Download it"),
            (["empty"], 1, "empty must hold pictures"),
            (["red.png", "nowhere.jpg"], 1, "nowhere.jpg"),
            (["red.png", "-o", "seen.mp4"], 2, "none is named"),
            (["clip.mp4", "clip.mp4", "-o", "seen.mp4"], 2, "2 are named"),
            (["clip.mp4", "-o", "seen.gif"], 2, "must be called .mp4"),
            (["clip.mp4", "-o", "nowhere/seen.mp4"], 2, "No such folder: nowhere"),
            (["red.png", "--scale", "0"], 2, "scale > 0"),
            (["red.png", "--min-probability", "2"], 2, "--min-probability"),
            ([], 2, "PATH"),
        ],
    )
    def test_are_one_clear_line_before_any_work(
        self,
        deployed: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: list[str],
        exit_code: int,
        words: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("empty").mkdir()
        Image.new("RGB", (8, 8), COLOURS["red"]).save("red.png")
        write_video(Path("clip.mp4"), ["red"])
        result = search_(deployed, *arguments)
        assert result.exit_code == exit_code
        assert words in error_of(result)

    @pytest.mark.parametrize("wrong", [{"top": 0}, {"every": 0}, {"min_probability": -1}])
    def test_of_python_come_when_it_is_called(self, deployed: Path, wrong: Any) -> None:
        with pytest.raises(ConfigError, match="must hold"):
            classify(deployed, deployed, **wrong)
        with pytest.raises(DataError):
            classify(deployed, "nowhere.jpg")


def test_prediction_that_failed_is_plain_data_too() -> None:
    assert Prediction("a.jpg", error="the file is empty").to_dict()["label"] is None


def test_labels_come_without_waiting_for_anything_heavy(deployed: Path, photos: Path) -> None:
    script = (
        "import sys\n"
        "from search import classify\n"
        f"found = [p.label for p in classify({str(deployed)!r}, {str(photos / 'b')!r})]\n"
        "heavy = {'tensorflow', 'tf_keras', 'keras_tuner', 'ray', 'optuna', 'cv2'}\n"
        "print(found, heavy & set(sys.modules))\n"
    )
    checkout = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=checkout, capture_output=True, text=True
    )
    assert done.stdout == "['red'] set()\n", done.stderr
