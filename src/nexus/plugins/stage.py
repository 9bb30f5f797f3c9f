"""Where one generation is between its making and its end."""

from enum import Enum, auto


class Stage(Enum):
    """What becomes of what a generation contributes.

    Its contributions are collected while it is staged, go live in one step, and are taken back in
    one step. What it says once it is discarded is not heard.
    """

    STAGED = auto()
    LIVE = auto()
    RETIRED = auto()
    DISCARDED = auto()


class StageCell:
    """The stage of one generation, shared by its ports."""

    __slots__ = ("stage",)

    def __init__(self) -> None:
        self.stage = Stage.STAGED
