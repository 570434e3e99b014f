"""From what a person types after ``search run`` to a :class:`~spaces.tasks.task.Task`.

Three forms: the name of a built-in task (``fruit``), ``package.module:NAME``, or the path of
a Python file (``net.py``, or ``net.py:NAME``; the name is ``TASK`` unless given). What has that
name is a task, or a KerasTuner model, of which one is made
(:mod:`spaces.tasks.keras_tuner_models`). The second and third form run the user's own code, which
the user asked for by naming it. Such code may import TensorFlow, so the driver leaves it to a
process of its own (``workers.trial.prepare``).
"""

from __future__ import annotations

from collections.abc import Mapping

from spaces.errors import TaskError, UnknownTaskError
from spaces.tasks.keras_tuner_models import task_of_model
from spaces.tasks.task import Task
from spaces.tasks.user_code import Kind, canonical_code_ref, is_code_ref, load_code
from spaces.wording import guess

_KIND = Kind("task", "spaces.Task or KerasTuner model", "TASK", UnknownTaskError, TaskError)


def builtin_tasks() -> Mapping[str, Task]:
    """Return the built-in tasks by name. Imports no heavy library."""
    from spaces.tasks.animals10 import ANIMALS10
    from spaces.tasks.cifar import CIFAR10, CIFAR100, CIFAR100_FINE
    from spaces.tasks.fruit import FRUIT
    from spaces.tasks.images import IMAGES
    from spaces.tasks.mnist import MNIST
    from spaces.tasks.signals import SIGNALS

    tasks = (FRUIT, MNIST, CIFAR10, CIFAR100, CIFAR100_FINE, ANIMALS10, IMAGES, SIGNALS)
    return {task.name: task for task in tasks}


def is_builtin(ref: str) -> bool:
    """Whether ``ref`` names a task of our own, which is safe and cheap to load anywhere."""
    return ref in builtin_tasks()


def canonical_ref(ref: str) -> str:
    """Return ``ref`` so that it means the same from any folder.

    File paths become absolute; everything else is returned as it is.

    Raises:
        UnknownTaskError: If nothing can be found under that name.
    """
    if is_builtin(ref):
        return ref
    if is_code_ref(ref):
        return canonical_code_ref(ref, _KIND)
    raise UnknownTaskError(_unknown(ref))


def resolve_task(ref: str) -> Task:
    """Load the task that ``ref`` names, running the user's code where it is not built in.

    Raises:
        UnknownTaskError: If there is no such task, module or file.
        TaskError: If the code fails to load, or what it holds is no task.
    """
    tasks = builtin_tasks()
    if ref in tasks:
        return tasks[ref]
    if is_code_ref(ref):
        return load_code(ref, _KIND, Task, adapt=task_of_model)
    raise UnknownTaskError(_unknown(ref))


def _unknown(ref: str) -> str:
    known = sorted(builtin_tasks())
    return (
        f"Unknown task {ref!r}. Known tasks: {', '.join(known)}; or give package.module:TASK or "
        f"a .py file.{guess(ref, known)}"
    )
