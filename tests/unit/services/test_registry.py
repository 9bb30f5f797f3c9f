import gc
import weakref
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.errors import ServiceAmbiguous, ServiceConflict, ServiceNotFound
from nexus.services import Offer, ServiceRegistry


class Speaks(Protocol):
    def speak(self) -> str: ...


class Dog:
    def speak(self) -> str:
        return "woof"


class Cat:
    def speak(self) -> str:
        return "miau"


def offer(name: str, service: Any = None, owner: str = "foo", generation: int = 1) -> Offer:
    return Offer(name=name, service=service or Dog(), owner=owner, generation=generation)


@pytest.fixture
def registry() -> ServiceRegistry:
    return ServiceRegistry()


def test_a_service_is_found_by_name_until_it_is_taken_away(registry: ServiceRegistry) -> None:
    dog = offer("dog")
    registry.replace([], [dog])
    assert registry.find("dog") is registry.require("dog") is dog.service
    assert registry.offers() == (dog,)
    registry.replace([dog], [])
    assert registry.find("dog") is None
    assert registry.offers() == ()


def test_an_unknown_service_is_told_with_the_nearest_name(registry: ServiceRegistry) -> None:
    registry.replace([], [offer("billing.api")])
    with pytest.raises(ServiceNotFound, match=r"billing\.api"):
        registry.require("biling.api")
    with pytest.raises(ServiceNotFound, match="Missing"):
        registry.require(type("Missing", (Protocol,), {"gone": lambda self: None}))


def test_a_second_owner_is_refused_and_nothing_changes(registry: ServiceRegistry) -> None:
    dog = offer("dog")
    registry.replace([], [dog])
    with pytest.raises(ServiceConflict, match=r"'foo'.*'bar'|'bar'.*'foo'"):
        registry.replace([], [offer("cat", owner="bar"), offer("dog", owner="bar")])
    assert registry.offers() == (dog,)


def test_a_new_generation_of_the_owner_takes_over(registry: ServiceRegistry) -> None:
    old, new = offer("dog"), offer("dog", generation=2)
    registry.replace([], [old])
    registry.replace([old], [new])
    assert registry.offers() == (new,)
    registry.replace([old], [])  # comes too late to take anything away
    assert registry.offers() == (new,)


def test_a_protocol_finds_the_one_service_that_fits(registry: ServiceRegistry) -> None:
    assert registry.find(Speaks) is None
    dog = offer("dog")
    registry.replace([], [dog, offer("number", 7)])
    assert registry.find(Speaks) is dog.service
    registry.replace([], [offer("again", dog.service)])
    assert registry.find(Speaks) is dog.service  # one object under two names
    registry.replace([], [offer("cat", Cat())])
    with pytest.raises(ServiceAmbiguous, match=r"cat"):
        registry.find(Speaks)
    registry.replace(registry.offers(), [])
    assert registry.find(Speaks) is None


def test_a_class_that_is_no_protocol_is_refused(registry: ServiceRegistry) -> None:
    with pytest.raises(TypeError, match=r"Dog is not a typing\.Protocol"):
        registry.find(Dog)


def test_the_registry_keeps_no_protocol_of_a_replaced_plugin_alive(
    registry: ServiceRegistry,
) -> None:
    class Local(Protocol):
        def speak(self) -> str: ...

    registry.find(Local)
    watched = weakref.ref(Local)
    del Local
    gc.collect()
    assert watched() is None


def test_a_reference_reaches_whoever_is_live(registry: ServiceRegistry) -> None:
    reference = registry.reference("pet")
    assert not reference
    assert reference.get() is None
    assert repr(reference) == "ServiceReference('pet', offered by nobody)"
    with pytest.raises(ServiceNotFound, match="pet"):
        reference.speak()
    with pytest.raises(ServiceNotFound):
        reference.require()
    old = offer("pet")
    registry.replace([], [old])
    assert reference
    assert reference.speak() == "woof"
    registry.replace([old], [offer("pet", Cat(), generation=2)])
    assert reference.speak() == "miau"
    assert reference.require() is reference.get()
    assert repr(reference) == "ServiceReference('pet', live)"
    with pytest.raises(AttributeError):
        reference.no_such_method()


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("ab"), st.sets(st.sampled_from(["x", "y", "z"]))), max_size=12
    )
)
def test_the_registry_is_always_the_union_of_what_the_live_generations_offer(
    steps: list[tuple[str, set[str]]],
) -> None:
    registry = ServiceRegistry()
    live: dict[str, list[Offer]] = {"a": [], "b": []}
    for number, (owner, names) in enumerate(steps):
        new = [offer(name, owner=owner, generation=number) for name in sorted(names)]
        taken = {each.name for other, offers in live.items() if other != owner for each in offers}
        if names & taken:
            with pytest.raises(ServiceConflict):
                registry.replace(live[owner], new)
        else:
            registry.replace(live[owner], new)
            live[owner] = new
        assert set(registry.offers()) == {each for offers in live.values() for each in offers}
