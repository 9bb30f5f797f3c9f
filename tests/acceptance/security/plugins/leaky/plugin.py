"""A plugin that tells its secrets wherever it can."""

from typing import Any

from fastapi import APIRouter

from nexus.plugins import BasePlugin, HealthStatus, every

KEYS = ("by_variable", "by_file", "by_api", "by_command", "deep", "number")


class Vault:
    def __init__(self, secrets: dict[str, Any]) -> None:
        self.secrets = secrets

    def __repr__(self) -> str:
        return f"Vault({self.secrets!r})"


class Leaky(BasePlugin):
    async def initialize(self) -> bool:
        self.secrets = {key: await self.get_config(key) for key in KEYS}
        self.register_service("leaky.vault", Vault(self.secrets))
        await self.subscribe_to_event("leaky.told", self.on_told, max_attempts=1)
        self.tell("initialize")
        return True

    def tell(self, when: str) -> None:
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(self.logger, level)("%s: %s", when, self.secrets, extra={"told": self.secrets})
        try:
            {}[repr(self.secrets)]
        except KeyError as error:
            error.add_note(str(self.secrets))
            self.logger.exception("told again")

    async def on_told(self, event: Any) -> None:
        message = f"cannot handle {self.secrets}"
        raise ValueError(message)

    @every("1d")
    async def nightly(self) -> None:
        message = f"cannot run with {self.secrets}"
        raise RuntimeError(message)

    async def health_check(self) -> HealthStatus:
        return HealthStatus(
            healthy=True, message=str(self.secrets), components={"vault": {"says": self.secrets}}
        )

    def get_metrics(self) -> dict[str, Any]:
        return {"told": str(self.secrets), "number": 1.0}

    def get_info(self) -> dict[str, Any]:
        return {**super().get_info(), "secrets": self.secrets}

    def get_api_routes(self) -> list[APIRouter]:
        router = APIRouter()

        @router.post("/tell")
        async def tell() -> None:
            self.tell("route")
            await self.publish_event("leaky.told", {"secrets": self.secrets})

        @router.get("/fail")
        async def fail() -> None:
            message = f"the secrets are {self.secrets}"
            raise RuntimeError(message)

        return [router]
