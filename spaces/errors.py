"""The errors a person can cause, and what each of them costs.

::

    SearchError                  root; the command line shows its text as one line
    +-- ConfigError              a value breaks a rule (also a ValueError), exit code 2
    |   +-- UnknownTaskError     no task of that name
    |   +-- TaskError            a task was found, but cannot be used as one
    |   +-- DeviceError          no device of that name, or it cannot run here
    +-- DataError                the pictures or arrays cannot be used (also a ValueError)
    +-- StudyError               the study holds something else than this run asks for
    +-- StorageError             the database cannot be opened, read or written
    +-- ExportError              an exported configuration cannot be written or read back
    +-- ModelError               a ``.tflite`` cannot be used to classify pictures
    +-- ConversionError          a network cannot become a ``.tflite`` under a scheme
    +-- TrialFailedError         one trial cannot go on (its loss is NaN, ...); the run does
    +-- WorkersLostError         workers keep dying, so that going on makes no sense

Texts state the rule, what arrived and the fix, in one line. ``ConversionError`` and
``TrialFailedError`` are caught where a trial is evaluated and become its recorded reason;
all others end the command.
"""

from __future__ import annotations


class SearchError(Exception):
    """Anything that went wrong in a way a person can mend.

    Attributes:
        exit_code: What the command line exits with: 1 failed, 2 wrongly used.
    """

    exit_code = 1


class ConfigError(SearchError, ValueError):
    """A value breaks a rule."""

    exit_code = 2


class UnknownTaskError(ConfigError):
    """No task of that name, module or file."""


class TaskError(ConfigError):
    """A task was found, but it cannot be used as one."""


class DeviceError(ConfigError):
    """No device of that name, or one that cannot run here."""


class DataError(SearchError, ValueError):
    """Pictures or arrays that cannot be used for training."""


class StudyError(SearchError):
    """The study holds something else than this run asks for."""

    exit_code = 2


class StorageError(SearchError):
    """The database cannot be opened, read or written."""


class ExportError(SearchError):
    """An exported configuration cannot be written or read back."""


class ModelError(SearchError):
    """A ``.tflite`` file, or a file beside it, that cannot be used to classify pictures."""


class ConversionError(SearchError):
    """A network cannot become a ``.tflite`` model under a quantization scheme."""


class TrialFailedError(SearchError):
    """One trial cannot go on; the study can."""


class WorkersLostError(SearchError):
    """Workers keep dying, so that going on makes no sense."""
