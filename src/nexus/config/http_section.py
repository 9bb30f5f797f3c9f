"""The settings of HTTP."""

import re
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from nexus.config.section import Count, Seconds, Section

_ORIGIN: Final = re.compile(r"\*|[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class HttpSettings(Section):
    """How HTTP is served."""

    docs: bool = Field(default=True, description="Whether /docs and /openapi.json are served.")
    allowed_hosts: list[str] = Field(
        [],
        description="The hosts that are answered for, without a port; *.example.com stands for all"
        " below example.com. Empty, every host is; /health always is.",
    )
    body_limit: Count = Field(
        16 * 1024 * 1024, description="The greatest size of a request's body, in bytes."
    )
    body_timeout: Seconds = Field(
        30.0,
        description="Seconds that a request's body may have the application wait, and one more for"
        " each KiB of it.",
    )
    header_limit: int = Field(
        64 * 1024,
        ge=1024,
        description="The greatest size of a request's address and headers, in bytes, for"
        " `nexus run`.",
    )
    header_timeout: Seconds = Field(
        30.0, description="Seconds that a request's headers may take, for `nexus run`."
    )
    content_security_policy: str = Field(
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'",
        description="The Content-Security-Policy of what is not JSON and sets none itself; empty,"
        " none.",
    )
    transport_security: str = Field(
        "max-age=31536000",
        description="The Strict-Transport-Security of answers to requests that came over TLS;"
        " empty, none.",
    )
    cors_origins: list[str] = Field(
        [],
        description="Origins such as https://shop.example.com whose pages may read what is answered"
        " here; * for all. Empty, none may.",
    )
    cors_methods: list[str] = Field(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        description="The methods that pages of these origins may use.",
    )
    cors_headers: list[str] = Field(
        ["Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Request-ID"],
        description="The headers that pages of these origins may send.",
    )
    cors_credentials: bool = Field(
        default=False,
        description="Whether pages of these origins may send the user's cookies along.",
    )
    cors_max_age: int = Field(
        600, ge=0, description="Seconds for which a browser need not ask again what it may do."
    )
    require_declared_auth: bool = Field(
        default=False,
        description="Whether a plugin with a route that its manifest does not declare in"
        " api_endpoints is refused at its start.",
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, names: list[str]) -> list[str]:
        for name in names:
            if not _HOST.fullmatch(name.lower()):
                raise ValueError(
                    'host names without scheme and port, such as "example.com",'
                    f' "*.example.com" or "[::1]", and not {name!r}'
                )
        return names

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    'origins as browsers send them, such as "https://shop.example.com",'
                    f' without a path and in lower case, or "*", and not {origin!r}'
                )
        return origins

    @field_validator("cors_methods", "cors_headers")
    @classmethod
    def _are_tokens(cls, names: list[str]) -> list[str]:
        for name in names:
            if name == "*" or not _TOKEN.fullmatch(name):
                raise ValueError(f"names one by one, and not {name!r}")
        return names

    @field_validator("content_security_policy", "transport_security")
    @classmethod
    def _fits_a_header(cls, value: str) -> str:
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError("one line of plain characters, as a header has it")
        return value

    @model_validator(mode="after")
    def _keeps_cookies_at_home(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError(
                "cors_origins to name the origins where cors_credentials is true: with * any page"
                " could act as its visitor"
            )
        return self
