"""What requests bring; a field that is not expected is refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Username = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=150, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
Password = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Email = Annotated[
    str, StringConstraints(max_length=320, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$")
]
Name = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z][a-z0-9_.-]*$")]
Permission = Annotated[str, StringConstraints(max_length=200, pattern=r"^(\*|[^\s*]+(\.\*)?)$")]
Token = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Body(BaseModel):
    """Takes what is named and nothing else."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Setup(Body):
    """The first administrator."""

    token: Token
    username: Username
    password: Password


class Login(Body):
    """A browser's sign-in."""

    username: Annotated[str, StringConstraints(max_length=150)]
    password: Password


class Forgotten(Body):
    """Who has forgotten their password."""

    username: Annotated[str, StringConstraints(max_length=150)]


class Reset(Body):
    """A new password for an old one that is forgotten."""

    token: Token
    password: Password


class Verification(Body):
    """The proof that mail arrives."""

    token: Token


class RefreshToken(Body):
    """The token whose sign-in is to end."""

    refresh_token: Token


class OwnChanges(Body):
    """What users change of themselves, and the password as a proof."""

    current: Password
    email: Email | None


class Proof(Body):
    """The password of whoever asks."""

    current: Password


class PasswordChange(Body):
    """A new password, and the old one as a proof."""

    current: Password
    new: Password


class NewKey(Body):
    """An API key to be made."""

    label: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    scopes: list[Permission] = Field(max_length=100)
    days: int = Field(90, ge=1, le=366, description="Days until it expires.")


class NewUser(Body):
    """A user to be made."""

    username: Username
    password: Password
    email: Email | None = None
    roles: list[Name] = Field([], max_length=100)


class UserChanges(Body):
    """What administrators change of a user; what is left out stays."""

    email: Email | None = None
    roles: list[Name] | None = Field(None, max_length=100)
    active: bool | None = None


class Role(Body):
    """What a role allows."""

    permissions: list[Permission] = Field([], max_length=1000)
    groups: list[Name] = Field([], max_length=100)


class Group(Body):
    """Permissions that roles take together."""

    permissions: list[Permission] = Field(max_length=1000)
