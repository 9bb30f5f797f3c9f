"""Tasks as they come in, go out, and are stored."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Notes = Annotated[str, StringConstraints(max_length=2000)]
Tag = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[\w][\w-]{0,31}$"),
]


def _each_once(tags: Sequence[str]) -> list[str]:
    return sorted(set(tags))


Tags = Annotated[list[Tag], Field(max_length=10), AfterValidator(_each_once)]


def today() -> date:
    """Give the date in UTC, by which tasks are overdue or not."""
    return datetime.now(UTC).date()


class TaskDraft(BaseModel):
    """A task to add."""

    model_config = ConfigDict(extra="forbid")

    title: Title = Field(examples=["Water the plants"])
    notes: Notes = ""
    tags: Tags = Field(default=[], examples=[["home", "garden"]])
    due: date | None = Field(default=None, description="The last day on which it is in time.")


class TaskChanges(BaseModel):
    """What of a task to change; what is left out stays as it is.

    The defaults are never used. They make the fields optional without making null a title.
    """

    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    notes: Notes = ""
    tags: Tags = []
    due: date | None = None
    done: bool = False


class Task(BaseModel):
    """A task."""

    id: str
    title: str
    notes: str
    tags: list[str]
    due: date | None
    done: bool = False
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    reminded: bool = Field(default=False, description="Whether a reminder has gone out.")

    def is_overdue(self, on: date) -> bool:
        """Tell whether it should have been done before that day."""
        return not self.done and self.due is not None and self.due < on

    def changed(self, changes: TaskChanges) -> "Task":
        """Give the task as it is after the changes; itself when they change nothing."""
        wanted = changes.model_dump(exclude_unset=True)
        real = {name: value for name, value in wanted.items() if value != getattr(self, name)}
        if not real:
            return self
        now = datetime.now(UTC)
        if "done" in real:
            real["completed_at"] = now if real["done"] else None
        if "due" in real:
            real["reminded"] = False
        return self.model_copy(update={**real, "updated_at": now})


class TaskPage(BaseModel):
    """Some of the tasks that match."""

    items: list[Task]
    total: int = Field(description="How many match in all.")
    limit: int
    offset: int


class Statistics(BaseModel):
    """How many tasks there are."""

    total: int
    open: int
    done: int
    overdue: int
    due_today: int
    by_tag: dict[str, int] = Field(description="Open tasks by tag, the most frequent tag first.")


class Reminders(BaseModel):
    """What came of looking for overdue tasks."""

    sent: int
    notifier: bool = Field(description="Whether there is a plugin that takes reminders.")


def count_tags(tags: Iterable[Sequence[str]]) -> dict[str, int]:
    """Count the tags of several tasks, the most frequent tag first."""
    counted = Counter(tag for each in tags for tag in each)
    return dict(sorted(counted.items(), key=lambda entry: (-entry[1], entry[0])))
