"""Ctrl-C, SIGTERM and SIGHUP at a moment of our choosing.

An interrupt may strike between any two instructions, also between writing a trial and remembering
that it was written. So while a driver runs, the first one only leaves a note, unless the driver
waits for workers: there it is raised at once. The second one is raised wherever it strikes.
Outside of that, :func:`ending_cleanly` turns the signals that would end Python on the spot into
exceptions, so that child processes and temporary files do not outlive it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from workers.messages.executor import Interrupted

_ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # No SIGHUP on Windows.
_SIGNALS = (signal.SIGINT, *_ENDING)

AGAIN_S = 0.02
"""Seconds after which a signal that was swallowed is sent again: callbacks are short."""


class Interrupts:
    """Catches interrupts of the main thread while it is entered."""

    def __init__(self) -> None:
        self.requested: int | None = None
        self._is_waiting = False
        self._entered = ExitStack()

    def __enter__(self) -> Interrupts:
        self._entered.enter_context(_handled(_SIGNALS, self._handle, self._forget))
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()

    def _forget(self) -> None:
        """Take the next signal for the first: of this one, nobody has heard."""
        self.requested = None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        is_second, self.requested = self.requested is not None, number
        _let_go_of_terminal(number)
        if is_second or self._is_waiting:
            raise Interrupted(number)

    def check(self) -> None:
        """Raise what was requested.

        Raises:
            Interrupted: If somebody pressed Ctrl-C, or sent another of the signals.
        """
        if self.requested is not None:
            raise Interrupted(self.requested)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let an interrupt strike at once within the block."""
        self._is_waiting = True
        try:
            self.check()
            yield
        finally:
            self._is_waiting = False


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Raise ``Interrupted`` within the block where SIGTERM or SIGHUP would just end Python."""

    def handle(number: int, _frame: FrameType | None) -> None:
        _let_go_of_terminal(number)
        raise Interrupted(number)

    with _handled(_ENDING, handle):
        yield


def signal_of(error: BaseException) -> int:
    """Return the signal behind an interrupt, also where it was wrapped: SIGINT unless known."""
    found = next((one for one in _chain(error) if isinstance(one, Interrupted)), None)
    return signal.SIGINT if found is None else found.signal_number


def is_of_interrupt(error: BaseException) -> bool:
    """Whether an error is an interrupt, or came of one that struck amid what then failed."""
    return any(isinstance(one, KeyboardInterrupt) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


@contextmanager
def _handled(
    numbers: tuple[int, ...],
    handle: Callable[..., None],
    forget: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Handle signals within the block.

    A handler runs wherever the program is, and Python swallows what is raised in a ``__del__`` or
    a weak reference's callback, with a traceback. A signal that strikes there is sent again a
    moment later.

    Args:
        numbers: Of the signals.
        handle: Called in the main thread.
        forget: Called before a signal is sent again.
    """
    before = sys.unraisablehook

    def swallowed(what: sys.UnraisableHookArgs) -> None:
        error = what.exc_value
        if not isinstance(error, KeyboardInterrupt):  # Python's own, of Ctrl-C, counts too.
            before(what)
            return
        forget()
        number, is_at_its_end = signal_of(error), False

        def send_again() -> None:
            # On a busy machine the moment passes before this hook ends, which would swallow it.
            while not is_at_its_end:
                time.sleep(AGAIN_S)
            os.kill(os.getpid(), number)

        again = threading.Timer(AGAIN_S, send_again)
        again.daemon = True
        again.start()
        # Python looks for signals at calls and in loops: none strikes from here on.
        is_at_its_end = True

    previous = _install(numbers, handle)
    if previous:
        sys.unraisablehook = swallowed
    try:
        yield
    finally:
        if previous:
            sys.unraisablehook = before
        _restore(previous)


def _install(numbers: tuple[int, ...], handle: Callable[..., None]) -> dict[int, Any]:
    """Set a handler; return those that were there."""
    # Signals come to the main thread only; in another one there is nothing to catch.
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {number: signal.getsignal(number) for number in numbers}
    # `nohup` and shells that start something in the background ignore some on purpose.
    kept = {number: found for number, found in before.items() if found is not signal.SIG_IGN}
    for number in kept:
        signal.signal(number, handle)
    return kept


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _let_go_of_terminal(number: int) -> None:
    """After SIGHUP the terminal is gone: whatever is written to it would be an error."""
    if number != getattr(signal, "SIGHUP", None):
        return
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            descriptor = stream.fileno() if stream is not None else -1
            os.tcgetpgrp(descriptor)
        except OSError as error:
            if error.errno == 5:  # EIO: a terminal that hung up; others say that they are none.
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        except ValueError:
            pass  # Closed.
