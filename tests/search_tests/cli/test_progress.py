"""What people see while a run goes on."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from search.cli.console import stderr_console
from search.cli.live_view import live_view
from search.cli.progress import LINE_INTERVAL_S, LineDisplay, LiveDisplay, make_display
from search.run.events import RunProgress, UnderWay

START = RunProgress(study_name="fruit", n_target=100)
LATER = replace(
    START,
    n_done=37,
    n_complete=33,
    n_infeasible=3,
    n_failed=1,
    n_running=2,
    n_points=1900,
    front_size=123,
    hypervolume=0.51234,
    best_accuracy=0.9734,
    smallest_bytes=2_103,
    fastest_ms=0.0123,
    elapsed_s=252,
    eta_s=450,
    last="trial 36: 0.953, 14.1 kB, 0.21 ms, +5 points",
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=80)


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=True, highlight=False)


def test_a_terminal_gets_the_live_display_and_a_log_gets_lines(
    console: Console, terminal: Console
) -> None:
    assert isinstance(make_display(terminal), LiveDisplay)
    assert isinstance(make_display(console), LineDisplay)


def test_a_line_holds_everything(console: Console, clock: Clock) -> None:
    display = LineDisplay(console, clock)
    display.start(START)
    clock.now += 60
    display.update(LATER)
    assert text_of(console).splitlines()[1] == (
        "fruit: 37/100 trials, 2 running, 3 infeasible, 1 failed, 1,900 models measured; "
        "front 123, hypervolume 0.5123, best 97.3 %, smallest 2.10 kB, fastest 0.0123 ms; "
        "4m 12s, 7m 30s left"
    )


def test_lines_come_after_a_tenth_of_the_trials(console: Console, clock: Clock) -> None:
    display = LineDisplay(console, clock)
    display.start(START)
    for n_done in range(1, 101):
        clock.now += 2
        display.update(replace(START, n_done=n_done))
    display.finish(replace(START, n_done=100))
    lines = text_of(console).splitlines()
    done = [line.split("/")[0].removeprefix("fruit: ") for line in lines]
    assert done == ["0", *[str(n) for n in range(10, 101, 10)], "100"]


def test_lines_come_after_a_while_if_trials_are_slow(console: Console, clock: Clock) -> None:
    display = LineDisplay(console, clock)
    display.start(START)
    clock.now += LINE_INTERVAL_S - 1
    display.update(replace(START, n_running=2))
    assert len(text_of(console).splitlines()) == 1
    clock.now += 1
    display.update(replace(START, n_running=2))
    assert len(text_of(console).splitlines()) == 2


def test_a_thousand_fast_trials_are_few_lines(console: Console, clock: Clock) -> None:
    display = LineDisplay(console, clock)
    display.start(START)
    for n_done in range(1000):
        clock.now += 0.001
        display.update(replace(START, n_target=1000, n_done=n_done))
    assert len(text_of(console).splitlines()) <= 2


def test_a_resumed_run_starts_counting_where_it_is(console: Console, clock: Clock) -> None:
    display = LineDisplay(console, clock)
    display.start(replace(START, n_done=90))
    clock.now += 2
    display.update(replace(START, n_done=91))
    assert len(text_of(console).splitlines()) == 1


def test_messages_are_written_as_they_are(console: Console, terminal: Console) -> None:
    for target in (console, terminal):
        display = make_display(target)
        display.message("worker [red]lost[/red]: trial 3 is tried again")
        assert "worker [red]lost[/red]: trial 3 is tried again" in text_of(target)


def test_preparation_is_a_few_lines(console: Console, clock: Clock) -> None:
    display = LineDisplay(console, clock)
    for done in range(0, 4601):
        clock.now += 0.01
        display.prepare("drawing pictures", done, 4600)
    display.prepare("reading the search space", 0, 1)
    lines = text_of(console).splitlines()
    assert lines[0] == "drawing pictures: 0/4,600"
    assert lines[-1] == "reading the search space ..."
    assert 5 <= len(lines) <= 13


def test_the_live_display_fits_80_columns(terminal: Console) -> None:
    display = LiveDisplay(terminal)
    display.prepare("drawing pictures", 2300, 4600)
    display.start(replace(LATER, study_name="a_rather_long_name_of_a_study_indeed"))
    display.update(LATER)
    display.finish(LATER)
    shown = Console(file=io.StringIO(), width=80)
    shown.print(display)
    lines = text_of(shown).splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for part in ("fruit", "37/100 trials", "3 infeasible", "front 123", "0.5123", "97.3 %"):
        assert part in text
    assert "4m 12s, 7m 30s left" in text
    assert "trial 36: 0.953" in text
    assert "2,300/4,600" in text_of(terminal)


def test_time_runs_on_between_updates(clock: Clock) -> None:
    terminal = Console(file=io.StringIO(), width=80, force_terminal=True)
    display = LiveDisplay(terminal, clock)
    display.start(LATER)
    clock.now += 30
    shown = Console(file=io.StringIO(), width=80)
    shown.print(display)
    display.close()
    assert "4m 42s, 7m 00s left" in text_of(shown)


def test_the_cursor_comes_back(terminal: Console) -> None:
    display = LiveDisplay(terminal)
    display.prepare("drawing pictures", 1, 2)
    display.close()
    display.close()
    text = text_of(terminal)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


# --- What is on the terminal at what size ----------------------------------------------------

RICH = replace(
    LATER,
    values=tuple((0.5 + n / 40, 1500.0 * 1.4**n, 0.01 * 1.3**n) for n in range(15)),
    under_way=(
        UnderWay(37, "cnn, int8, 80 % sparse, 5 epochs", 12.0, parent=12),
        UnderWay(38, "mobilenet_v2, float32, 5 epochs", 3.0),
        UnderWay(39, "cnn, float16, 5 epochs"),
    ),
)


def viewed(progress: RunProgress, width: int, height: int, since_s: float = 0.0) -> list[str]:
    shown = Console(file=io.StringIO(), width=width)
    shown.print(live_view(progress, since_s, width=width, height=height))
    return text_of(shown).splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("height", [6, 10, 16, 24, 40, 80])
@pytest.mark.parametrize("progress", [START, LATER, RICH])
def test_it_fits_the_terminal(progress: RunProgress, width: int, height: int) -> None:
    lines = viewed(progress, width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width


def test_all_of_it_fits_80x24() -> None:
    text = "\n".join(viewed(RICH, 80, 24, since_s=5.0))
    for part in (
        "37/100 trials",
        "4m 17s, 7m 25s left",
        "3 infeasible",
        "front 123",
        "└",
        "17s  trial 37: cnn, int8, 80 % sparse, 5 epochs, branch of trial 12",
        "8s  trial 38: mobilenet_v2",
        "trial 36: 0.953",
    ):
        assert part in text
    assert "trial 39" not in text  # It waits for a worker.


def test_the_best_within_sizes_is_there() -> None:
    above, below = viewed(RICH, 80, 24)[3:5]
    sizes, best = above.split()[1:], below.split()[1:]
    assert " ".join(sizes).startswith("2 kB 4 kB 8 kB")
    for size, accuracy in zip(sizes[::2], best[::2], strict=True):
        small = [a for a, n_bytes, _ in RICH.values if n_bytes <= 1000 * int(size)]
        assert float(accuracy) == pytest.approx(100 * max(small), abs=0.05)


def test_a_low_terminal_goes_without_the_plot() -> None:
    low, high = viewed(RICH, 80, 12), viewed(RICH, 80, 40)
    assert "└" not in "".join(low) and "trial 38" in "".join(low)
    assert len(high) > len(viewed(RICH, 80, 24)) > len(low)


def test_little_stays_when_it_is_over(terminal: Console) -> None:
    display = LiveDisplay(terminal)
    display.start(RICH)
    display.finish(RICH)
    shown = Console(file=io.StringIO(), width=80)
    shown.print(display)
    assert len(text_of(shown).splitlines()) == 4


def test_a_console_is_as_wide_as_its_terminal_now(monkeypatch: pytest.MonkeyPatch) -> None:
    console = stderr_console()
    for columns, expected in (("200", 100), ("80", 80), ("120", 100), ("40", 40)):
        monkeypatch.setenv("COLUMNS", columns)
        fresh = stderr_console()
        assert fresh.width == expected
    console.size = (60, 10)
    assert (console.width, console.height) == (60, 10)
