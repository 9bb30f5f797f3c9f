"""A value in a data file that a column cannot take."""


class WrongType(ValueError):
    """A value that a column cannot take.

    Args:
        problem: What is wrong, in words that follow the column's name.
        advice: What helps, as sentences; None where the file does not come from the same models.
    """

    def __init__(self, problem: str, advice: str | None = None) -> None:
        super().__init__(problem)
        self.advice = advice
