"""The sections of the application's settings, as they stand in nexus.yaml."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from nexus.config.event_engine import STREAM_NAME, parse_engine
from nexus.config.section import Count, Seconds, Section
from nexus.data.url import parse_url

_SHORTEST_SECRET: Final = 16


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class ServerSettings(Section):
    """Where the application listens."""

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(
        8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one."
    )
    workers: Count = Field(
        1,
        description="How many processes serve, for `nexus run`; on SQLite more than one set"
        " database.shared.",
    )
    root_path: str = Field(
        "", description="The path under which a reverse proxy serves the application."
    )
    trusted_proxies: list[str] = Field(
        [], description="Addresses whose X-Forwarded-* headers are believed."
    )

    @field_validator("root_path")
    @classmethod
    def _is_prefix(cls, path: str) -> str:
        if path and (not path.startswith("/") or path.endswith("/")):
            raise ValueError(
                'nothing, or a path such as "/shop": a "/" before it and none after it'
            )
        return path


class DatabaseSettings(Section):
    """Where the data is."""

    url: str | None = Field(
        None,
        repr=False,  # it may hold a password
        description="The database: sqlite:/// and a path relative to the application's folder,"
        " postgresql://user:password@host/name or mysql://user:password@host/name; unset, it is"
        " nexus.db in the data folder.",
    )
    synchronous: Literal["normal", "full"] = Field(
        "normal",
        description="SQLite: what a commit survives: normal a killed process, full a power failure"
        " too.",
    )
    busy_timeout: Seconds = Field(
        5.0, description="SQLite: seconds to wait for another process's lock on the database."
    )
    shared: bool = Field(
        default=False,
        description="SQLite: whether several processes may use the file at once.",
    )
    value_limit: Count = Field(
        16 * 1024 * 1024, description="The greatest size of one stored value, in bytes of JSON."
    )
    document_limit: Count = Field(
        1024 * 1024,
        description="The greatest size of one document of a collection, in bytes of JSON.",
    )
    pool_size: Count = Field(
        10,
        description="How many connections to a server there are; on SQLite, how many are lent to"
        " streams and blocks that only read.",
    )
    pool_timeout: Seconds = Field(
        5.0, description="Seconds to wait for a connection before the database counts as away."
    )
    statement_timeout: Seconds = Field(30.0, description="Seconds that a statement may take.")
    transaction_timeout: Seconds = Field(
        30.0, description="Seconds after which an open transaction is rolled back."
    )
    slow_query: Seconds = Field(1.0, description="Seconds from which a query is logged as slow.")

    @field_validator("url")
    @classmethod
    def _is_known(cls, url: str | None) -> str | None:
        if url is not None:
            parse_url(url)
        return url


class LoggingSettings(Section):
    """What is logged, and how."""

    level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)
    ] = Field("INFO", description="The least severe messages to log.")
    format: Literal["auto", "console", "json"] = Field(
        "auto", description="The form of a log line; auto takes console on a terminal, else json."
    )
    access: bool = Field(default=True, description="Whether each request is logged.")
    recent_lines: Count = Field(
        200, description="How many of its last lines are kept in memory for each plugin."
    )


class TracingSettings(Section):
    """What is told to OpenTelemetry."""

    enabled: bool = Field(
        default=False, description="Whether spans are sent to a collector; needs the extra otel."
    )
    endpoint: str | None = Field(
        None,
        description="Where it takes OTLP over HTTP, such as http://127.0.0.1:4318; unset, what"
        " OTEL_EXPORTER_OTLP_ENDPOINT says.",
    )
    sample: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Which part of the requests that begin a trace is traced, from 0 to 1.",
    )


class StartupSettings(Section):
    """How plugins are started."""

    enable: Literal["all", "listed"] = Field(
        "all", description="Which plugins start: all that are found, or those in startup.plugins."
    )
    plugins: list[str] = Field(
        [], description="The plugins that start when startup.enable is listed."
    )
    on_failure: Literal["continue", "abort"] = Field(
        "continue", description="What a plugin that cannot start does to the application."
    )
    safe_mode: bool = Field(
        default=False, description="Whether only plugins that come with Nexus start."
    )
    slow_after: Seconds = Field(
        10.0, description="Seconds after which a plugin that is still starting is named in the log."
    )
    timeout: Seconds = Field(60.0, description="Seconds after which a start is given up.")
    first_use_timeout: Seconds = Field(
        30.0,
        description="Seconds that a request or a call waits for a plugin that starts at its first"
        " use.",
    )


class ShutdownSettings(Section):
    """How plugins are stopped."""

    notice: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds from the signal until the stop begins, in which /health/ready answers"
        " 503 and everything is served: for a load balancer to send requests elsewhere.",
    )
    drain_timeout: Seconds = Field(
        10.0,
        description="Seconds that requests and events in hand have to finish; at a stop, all of"
        " them together.",
    )
    timeout: Seconds = Field(10.0, description="Seconds that a plugin's shutdown() may take.")


class EventSettings(Section):
    """How events are delivered."""

    mailbox_size: Count = Field(1000, description="How many events wait for one subscription.")
    publish_timeout: Seconds = Field(
        5.0, description="Seconds that a publisher waits for room in a full mailbox."
    )
    handler_timeout: Seconds = Field(30.0, description="Seconds that a handler may take.")
    max_attempts: Count = Field(
        3, description="How often an event is tried before it is set aside."
    )
    retry_delay: Seconds = Field(0.1, description="Seconds before the first repetition.")
    retry_max_delay: Seconds = Field(30.0, description="The longest wait between repetitions.")
    dead_letter_limit: Count = Field(1000, description="How many failed events are kept.")
    recent_limit: int = Field(1000, ge=0, description="How many recent events can be listed.")
    max_event_bytes: int = Field(
        256 * 1024,
        ge=64 * 1024,
        description="The greatest size of one event's data, in bytes of JSON.",
    )

    engine: str = Field(
        "sql",
        repr=False,  # it may hold a password
        description="Where the event log keeps its events: sql (the application's database),"
        " nats://host:4222 or redis://host:6379/0.",
    )
    stream: str = Field(
        "nexus",
        pattern=STREAM_NAME.pattern,
        description="What the event log is called in NATS or Redis; applications that share a"
        " server need names of their own.",
    )
    replicas: int = Field(
        1,
        ge=1,
        le=5,
        description="How many servers of a NATS cluster have the event log. A stream keeps the"
        " number that it was made with.",
    )
    retention: Seconds = Field(
        7 * 86_400.0,
        description="Seconds that the event log keeps what durable subscriptions have handled, for"
        " a look and for replays, and what waits for a disabled plugin.",
    )
    log_limit: int = Field(
        1024 * 1024 * 1024,
        ge=1024 * 1024,
        description="The greatest size of the event log, in bytes; at it, publishing fails.",
    )
    when_away: Literal["fail", "wait"] = Field(
        "fail",
        description="What publishing a durable event does while the log is away: fail at once, or"
        " wait for publish_timeout and then fail.",
    )
    lease: float = Field(
        10.0,
        ge=0.5,
        allow_inf_nan=False,
        description="Seconds without a report after which a worker counts as dead and its durable"
        " subscriptions go to others.",
    )

    @field_validator("engine")
    @classmethod
    def _is_known(cls, engine: str) -> str:
        parse_engine(engine)
        return engine

    @model_validator(mode="after")
    def _delays_fit(self) -> Self:
        if self.retry_delay > self.retry_max_delay:
            raise ValueError("retry_delay to be at most retry_max_delay")
        return self


class JobsSettings(Section):
    """How scheduled jobs are run."""

    lease: float = Field(
        30.0,
        ge=0.5,
        allow_inf_nan=False,
        description="Seconds without a report after which a worker counts as dead and the job that"
        " it was running goes to another.",
    )
    timeout: Seconds = Field(
        3600.0, description="Seconds that a run may take where the job itself sets no timeout."
    )


class SecuritySettings(Section):
    """Keys, tokens and permissions."""

    secret_key: SecretStr | None = Field(
        None,
        description="Encrypts stored secrets, at least 16 characters; also NEXUS_SECRET_KEY."
        " Unset, a key is made in the data folder.",
    )
    former_secret_keys: list[SecretStr] = Field(
        [],
        description="Values that security.secret_key had before: they decrypt what is not encrypted"
        " anew yet, and are not needed after `nexus secrets rotate`.",
    )
    admin_token: SecretStr | None = Field(
        None,
        description="The first token of the management API, at least 16 characters; also"
        " NEXUS_ADMIN_TOKEN. Unset, one is made and printed once.",
    )

    identity: str = Field(
        "auth",
        description="The plugin that knows users: its service nexus.identity is asked who sends a"
        " request, and no other plugin's is.",
    )

    @model_validator(mode="after")
    def _former_keys_have_a_successor(self) -> Self:
        if self.former_secret_keys and self.secret_key is None:
            raise ValueError("secret_key to be set where former_secret_keys is")
        return self

    @field_validator("secret_key", "admin_token")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value) < _SHORTEST_SECRET:
            raise ValueError(f"at least {_SHORTEST_SECRET} characters")
        return value


class ClusterSettings(Section):
    """How several workers on one database act as one."""

    lease: float = Field(
        10.0,
        ge=0.5,
        allow_inf_nan=False,
        description="Seconds without a report after which a worker counts as away, and nobody"
        " waits for it.",
    )
    patience: Seconds = Field(
        30.0,
        description="Seconds that a change of an operator waits for the other workers before it"
        " names those that have not followed.",
    )


class PermissionSettings(Section):
    """How plugins get what they ask for."""

    grant: Literal["auto", "ask"] | None = Field(
        None,
        description="Whether a plugin has what its manifest asks for at once, or waits for an"
        " operator's approval; unset, it is auto in development and ask in production.",
    )


class AuditSettings(Section):
    """The record of who has changed what."""

    retention: Seconds = Field(
        365 * 86_400.0, description="Seconds that the rows of the audit log are kept."
    )


class HealthSettings(Section):
    """How health is checked."""

    timeout: Seconds = Field(5.0, description="Seconds that a plugin's health check may take.")


class SupervisionSettings(Section):
    """How running plugins are watched."""

    block_warning: Seconds = Field(
        1.0, description="Seconds of a blocked event loop after which the log names the culprit."
    )
    breaker_failures: int = Field(
        10,
        ge=0,
        description="So many requests of a plugin that end in unhandled errors within"
        " breaker_window have others answered with 503, where they are at least half of all; 0"
        " turns that off.",
    )
    breaker_window: Seconds = Field(10.0, description="Seconds in which failed requests count.")
    breaker_pause: Seconds = Field(
        5.0,
        description="Seconds until one request is let through as a trial; each failed trial doubles"
        " them, up to a minute.",
    )
    restarts: int = Field(
        3,
        ge=0,
        description="How often a plugin or a background task that fails is started again within"
        " restart_period, before it is given up.",
    )
    restart_period: Seconds = Field(
        60.0, description="Seconds of running in which restarts count together."
    )
    restart_pause: Seconds = Field(
        0.5, description="Seconds before the first restart; each further one doubles them."
    )
    restart_max_pause: Seconds = Field(30.0, description="The longest pause before a restart.")
