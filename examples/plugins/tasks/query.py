"""Which tasks a client wants to see, in which order."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from plugins.tasks.models import Statistics, Task, TaskPage, today

_LAST_DAY = date.max


class TaskQuery(BaseModel):
    """The query of `GET /items`; what is left out does not narrow it."""

    model_config = ConfigDict(extra="forbid")

    tag: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)] | None = None
    done: bool | None = None
    overdue: bool | None = None
    text: str | None = Field(
        default=None, max_length=200, description="Stands in the title or the notes."
    )
    sort: Literal["created", "due", "title"] = "created"
    limit: int = Field(default=50, ge=1, le=200)
    offset: int = Field(default=0, ge=0)

    def apply(self, tasks: Sequence[Task]) -> TaskPage:
        """Give the page of tasks that is asked for."""
        day = today()
        found = sorted((task for task in tasks if self._matches(task, day)), key=self._rank)
        return TaskPage(
            items=found[self.offset : self.offset + self.limit],
            total=len(found),
            limit=self.limit,
            offset=self.offset,
        )

    def _matches(self, task: Task, day: date) -> bool:
        text = (self.text or "").casefold()
        return (
            (not self.tag or self.tag in task.tags)
            and self.done in (None, task.done)
            and self.overdue in (None, task.is_overdue(day))
            and text in f"{task.title}\n{task.notes}".casefold()
        )

    def _rank(self, task: Task) -> tuple[object, ...]:
        # The id settles what is otherwise equal, so that paging neither repeats nor leaves out.
        if self.sort == "due":
            return (task.due or _LAST_DAY, task.created_at, task.id)
        if self.sort == "title":
            return (task.title.casefold(), task.created_at, task.id)
        return (task.created_at, task.id)


def count(tasks: Sequence[Task]) -> Statistics:
    """Count the tasks."""
    day = today()
    still_open = [task for task in tasks if not task.done]
    tags = Counter(tag for task in still_open for tag in task.tags)
    return Statistics(
        total=len(tasks),
        open=len(still_open),
        done=len(tasks) - len(still_open),
        overdue=sum(task.is_overdue(day) for task in still_open),
        due_today=sum(task.due == day for task in still_open),
        by_tag=dict(sorted(tags.items(), key=lambda entry: (-entry[1], entry[0]))),
    )
