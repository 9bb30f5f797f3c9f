"""Which tasks a client wants to see, in which order."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from plugins.tasks.models import today


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

    def filter(self) -> dict[str, Any]:
        """Give the filter of the collection for it."""
        wanted: list[dict[str, Any]] = []
        if self.tag:
            wanted.append({"tags": {"$contains": self.tag}})
        if self.done is not None:
            wanted.append({"done": self.done})
        if self.overdue is not None:
            late = {"done": False, "due": {"$lt": today()}}
            wanted.append(late if self.overdue else {"$not": late})
        if self.text:
            wanted.append({"text": {"$contains": self.text.casefold()}})
        return {"$and": wanted} if wanted else {}

    def order(self) -> list[str]:
        """Give what to sort by; the id settles what is otherwise equal."""
        if self.sort == "created":
            return ["created_at"]
        return [f"{self.sort}_order", "created_at"]
