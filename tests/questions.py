"""Every question that can be asked, for the tests that hold for all of them: a new task is in by itself."""

from typing import Any, Literal, get_args, get_origin

from stages.common.params import Section
from stages.common.task import TASKS
from stages.params import check_params
from tests.settings import shipped

SHIPPED = check_params(shipped())


def other_words(settings: Section, name: str) -> list[str]:
    """What else a setting may be that is one of a few words; nothing for others."""
    kind = type(settings).model_fields[name].annotation
    return [
        word for word in get_args(kind) if get_origin(kind) is Literal and word != getattr(settings, name)
    ]


def ways(task: str) -> dict[str, Section]:
    """A task's own settings by a name: as shipped, and with each other word that one of them may be."""
    shipped = SHIPPED.label.of(task)
    return {task: shipped} | {
        f"{task} {name} {word}": shipped.model_copy(update={name: word})
        for name in shipped.model_dump()
        for word in other_words(shipped, name)
    }


QUESTIONS: dict[str, tuple[str, Section]] = {
    name: (task, settings) for task in TASKS for name, settings in ways(task).items()
}


def other_settings(task: str) -> dict[str, Any]:
    """For each of the task's own settings a value that isn't shipped: a word, or half the number."""
    shipped = SHIPPED.label.of(task)
    return {
        name: other_words(shipped, name)[0] if isinstance(value, str) else type(value)(value / 2)
        for name, value in shipped.model_dump().items()
    }
