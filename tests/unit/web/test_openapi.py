import json
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer, OAuth2PasswordBearer
from pydantic import BaseModel, Field, create_model

from nexus.web.mount import build_mount
from nexus.web.openapi_fragment import Fragment, make_fragment


class Cat(BaseModel):
    kind: Literal["cat"]
    friend: "Cat | None" = None


class Dog(BaseModel):
    kind: Literal["dog"]


def router_of(kind: str) -> APIRouter:
    """Build a router whose models have the same names and different fields for each kind."""

    class Item(BaseModel):
        name: str

    if kind == "priced":

        class Item(BaseModel):  # type: ignore[no-redef] # the collision is what is tested
            price: float

    router = APIRouter()

    @router.get("/items/{item_id}")
    async def get_item(item_id: int) -> Item:
        raise NotImplementedError

    @router.post("/pets", tags=["pets"])
    async def add_pet(pet: Annotated[Cat | Dog, Field(discriminator="kind")]) -> None:
        return None

    return router


async def document(site: Any) -> dict[str, Any]:
    answer = await site.http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        inner = {ref for item in value.values() for ref in references(item)}
        own = {item for item in value.values() if isinstance(item, str) and item.startswith("#/")}
        return inner | own
    if isinstance(value, list):
        return {ref for item in value for ref in references(item)}
    return set()


async def test_models_of_two_plugins_with_one_name_stay_apart(site: Any) -> None:
    await site.install("foo", router_of("plain"))
    await site.install("bar", router_of("priced"))
    schemas = (await document(site))["components"]["schemas"]
    assert set(schemas["foo.Item"]["properties"]) == {"name"}
    assert set(schemas["bar.Item"]["properties"]) == {"price"}
    assert "Item" not in schemas


async def test_every_reference_leads_to_a_component_and_every_operation_has_its_own_id(
    site: Any,
) -> None:
    async def own(cat: Cat) -> Cat:
        return cat

    site.app.add_api_route("/own", own, methods=["POST"])

    await site.install("foo", router_of("plain"))
    await site.install("bar", router_of("plain"))
    found = await document(site)
    schemas = found["components"]["schemas"]
    for reference in references(found):
        assert reference.removeprefix("#/components/schemas/") in schemas
    mapping = found["paths"]["/plugins/foo/pets"]["post"]["requestBody"]["content"][
        "application/json"
    ]["schema"]["discriminator"]["mapping"]
    assert mapping["cat"] == "#/components/schemas/foo.Cat"
    ids = [op["operationId"] for path in found["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids)) == 5
    assert any(name.startswith("Cat") for name in schemas)


async def test_paths_tags_and_the_refusal_are_as_they_are_served(site: Any) -> None:
    await site.install("foo", router_of("plain"))
    found = await document(site)
    assert set(found["paths"]) == {"/plugins/foo/items/{item_id}", "/plugins/foo/pets"}
    operation = found["paths"]["/plugins/foo/items/{item_id}"]["get"]
    assert operation["tags"] == ["foo"]
    assert found["paths"]["/plugins/foo/pets"]["post"]["tags"] == ["pets"]
    refused = operation["responses"]["422"]["content"]
    assert refused == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/nexus.Problem"}}
    }
    assert not {name for name in found["components"]["schemas"] if "ValidationError" in name}


async def test_security_schemes_are_each_plugins_own(site: Any) -> None:
    def secured(scheme: Any) -> APIRouter:
        router = APIRouter()

        @router.get("/x")
        async def x(_token: Annotated[Any, Depends(scheme)]) -> None:
            return None

        return router

    await site.install("foo", secured(HTTPBearer()))
    await site.install("bar", secured(OAuth2PasswordBearer("token", scheme_name="HTTPBearer")))
    found = await document(site)
    schemes = found["components"]["securitySchemes"]
    assert schemes["foo.HTTPBearer"]["type"] == "http"
    assert schemes["bar.HTTPBearer"]["type"] == "oauth2"
    security = found["paths"]["/plugins/foo/x"]["get"]["security"]
    assert security == [{"foo.HTTPBearer": []}]


async def test_the_document_follows_every_change(site: Any) -> None:
    async def own() -> None:
        return None

    site.app.add_api_route("/own", own)

    assert set((await document(site))["paths"]) == {"/own"}
    old = await site.install("foo", router_of("plain"))
    assert len((await document(site))["paths"]) == 3
    router = APIRouter()
    router.add_api_route("/new", own)
    new = await site.install("foo", router, generation=2)
    assert set((await document(site))["paths"]) == {"/own", "/plugins/foo/new"}
    router.add_api_route("/later", own)
    site.app.add_api_route("/own-later", own)
    assert set((await document(site))["paths"]) == {
        *("/own", "/own-later", "/plugins/foo/new", "/plugins/foo/later"),
    }
    site.exposure.withdraw(new)
    assert set((await document(site))["paths"]) == {"/own", "/own-later"}
    assert old is not new


async def test_only_what_changed_is_described_again(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nexus.web.openapi_fragment import make_fragment

    described: list[str | None] = []

    def noting(routes: Any, *, plugin: str | None, **options: Any) -> Any:
        described.append(plugin)
        return make_fragment(routes, plugin=plugin, **options)

    monkeypatch.setattr("nexus.web.openapi.make_fragment", noting)
    for name in ("a", "b", "c"):
        await site.install(name, router_of("plain"))
    await document(site)
    assert sorted(map(str, described)) == ["None", "a", "b", "c"]
    described.clear()
    await document(site)
    await site.install("b", router_of("priced"), generation=2)
    await document(site)
    assert described == ["b"]


async def test_an_unchanged_document_is_not_sent_twice(site: Any) -> None:
    await site.install("foo", router_of("plain"))
    first = await site.http.get("/openapi.json")
    etag = first.headers["etag"]
    for validator in (etag, f'W/{etag}, "other"', "*"):
        again = await site.http.get("/openapi.json", headers={"if-none-match": validator})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    await site.install("foo", router_of("priced"), generation=2)
    changed = await site.http.get("/openapi.json", headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_a_plugin_that_cannot_be_described_breaks_nothing(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        pass

    class Model(BaseModel, arbitrary_types_allowed=True):
        odd: Odd

    router = APIRouter()

    @router.post("/x")
    async def x(model: Model) -> None:
        return None

    await site.install("bad", router)
    await site.install("good", router_of("plain"))
    found = await document(site)
    assert set(found["paths"]) == {"/plugins/good/items/{item_id}", "/plugins/good/pets"}
    (failed,) = found["x-nexus-errors"]
    assert failed["plugin"] == "bad"
    assert "Pydantic" in failed["error"]
    assert "cannot be described" in caplog.text


async def test_openapi_gives_the_same_document_as_a_dictionary(site: Any) -> None:
    site.app.openapi_tags = [{"name": "pets", "description": "Animals"}]
    site.app.summary = "S"
    site.app.servers = [{"url": "https://example.org"}]
    await site.install("foo", router_of("plain"))
    found = await document(site)
    assert site.app.openapi() == found
    assert found["info"] == {"title": "Test", "version": "1.0", "summary": "S"}
    assert found["tags"] == [{"name": "pets", "description": "Animals"}]
    assert found["servers"] == [{"url": "https://example.org"}]
    assert found["openapi"].startswith("3.1")


async def test_the_applications_own_part_is_as_fastapi_makes_it(site: Any) -> None:
    async def own(n: int) -> Cat:
        raise NotImplementedError

    async def hook(body: Dog) -> None:
        return None

    plain = FastAPI(title="Test", version="1.0")
    for app in (plain, site.app):
        app.add_api_route("/own/{n}", own, tags=["own"], responses={404: {"model": Dog}})
        app.webhooks.add_api_route("hook", hook, methods=["POST"])
    expected = json.loads(
        json.dumps(plain.openapi())
        .replace("Validation Error", "The request was refused")
        .replace(
            '"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}',
            '"application/problem+json":'
            ' {"schema": {"$ref": "#/components/schemas/nexus.Problem"}}',
        )
    )
    found = await document(site)
    problem = found["components"]["schemas"].pop("nexus.Problem")
    assert problem["required"] == ["type", "title", "status"]
    for name in ("HTTPValidationError", "ValidationError"):
        del expected["components"]["schemas"][name]
    assert found == expected


async def test_the_servers_name_the_path_of_a_proxy(site: Any) -> None:
    import httpx

    transport = httpx.ASGITransport(site.app, root_path="/behind")
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
        answer = await http.get("/behind/openapi.json")
        assert answer.json()["servers"] == [{"url": "/behind"}]
        page = (await http.get("/behind/docs")).text
        assert 'data-openapi-url="/behind/openapi.json"' in page
    assert "servers" not in await document(site)


async def test_a_document_of_the_builders_own_making_is_served(site: Any) -> None:
    site.app.openapi = lambda: {"openapi": "3.1.0", "mine": True}
    assert (await document(site))["mine"] is True


async def test_a_mount_elsewhere_is_described_where_it_is(site: Any) -> None:
    mount = build_mount("foo", 1, [router_of("plain")], place="/elsewhere")
    site.app.dispatcher.publish(mount)
    assert "/elsewhere/pets" in (await document(site))["paths"]


def test_the_names_of_schemas_do_not_change_with_the_generation() -> None:
    def fragment_of(generation: int) -> Fragment:
        package = f"nexus_generations.shop_2_{generation}"
        models = [
            create_model("Item", __module__=f"{package}.plugin", price=(int, 0)),
            create_model("Item", __module__=f"{package}.schemas.models", name=(str, "")),
        ]
        router = APIRouter()
        for number, model in enumerate(models):
            router.add_api_route(f"/{number}", lambda: None, response_model=model)
        return make_fragment(router.routes, plugin="shop_2")

    first, second = fragment_of(7), fragment_of(8)
    assert b"shop_2.plugin__Item" in first.components["schemas"]
    assert first == second
