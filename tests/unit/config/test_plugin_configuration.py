import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from nexus.config import PluginConfiguration, SecretBox, SecretMask, StoredValues, variable_name
from nexus.config.layers import Effective, lay
from nexus.data import MemoryKeyValueStore
from nexus.errors import ConfigKeyFixed, ConfigValueRefused, NotJson
from nexus.manifest import ConfigField

FIELDS = {
    "api_key": ConfigField(type="string", required=True, secret=True, description="The key"),
    "max_retries": ConfigField(type="integer", default=3, min=1, max=10),
    "enabled": ConfigField(type="boolean", default=True),
    "ratio": ConfigField(type="number"),
    "hosts": ConfigField(type="array", default=["a"]),
    "mail": ConfigField(type="object"),
    "mode": ConfigField(type="string", enum=("fast", "safe")),
}

Make = Callable[..., PluginConfiguration]


@pytest.fixture
def kv() -> MemoryKeyValueStore:
    return MemoryKeyValueStore()


@pytest.fixture
def stored(kv: MemoryKeyValueStore) -> StoredValues:
    return StoredValues(kv, SecretBox.temporary())


@pytest.fixture
def make(stored: StoredValues, tmp_path: Path) -> Make:
    def build(**changes: Any) -> PluginConfiguration:
        arguments: dict[str, Any] = {
            "fields": FIELDS,
            "folder": tmp_path,
            "environment": "development",
            "application_values": {},
            "environ": {},
            "store": stored,
        }
        return PluginConfiguration("my_plugin", **{**arguments, **changes})

    return build


def write(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config" / f"{name}.yaml").write_text(text)


def messages(configuration: PluginConfiguration, *, blocking: bool = True) -> list[str]:
    return [one.message for one in configuration.problems() if one.blocking is blocking]


def sources(configuration: PluginConfiguration) -> dict[str, str | None]:
    return {entry.key: entry.source for entry in configuration.entries()}


async def test_each_layer_covers_the_ones_below(make: Make, tmp_path: Path) -> None:
    keys = [f"k{number}" for number in range(7)]
    fields = {key: ConfigField(type="string", default="manifest") for key in keys}
    write(tmp_path, "default", "".join(f"{key}: default\n" for key in keys[2:]))
    write(tmp_path, "development", "".join(f"{key}: development\n" for key in keys[3:]))
    write(tmp_path, "production", "".join(f"{key}: production\n" for key in keys))
    configuration = make(
        fields=fields,
        application_values=dict.fromkeys(keys[4:], "application"),
        environ={"NEXUS_PLUGINS__MY_PLUGIN__K6": "environment"},
    )
    configuration.set_initial(dict.fromkeys(keys[1:], "initial"))
    await configuration.load()
    await configuration.set("k5", "stored")

    assert configuration.values() == {
        "k0": "manifest",
        "k1": "initial",
        "k2": "default",
        "k3": "development",
        "k4": "application",
        "k5": "stored",
        "k6": "environment",
    }
    assert sources(configuration) == {
        "k0": "manifest.json",
        "k1": "get_database_schema()",
        "k2": "config/default.yaml",
        "k3": "config/development.yaml",
        "k4": "nexus.yaml",
        "k5": "stored",
        "k6": "NEXUS_PLUGINS__MY_PLUGIN__K6",
    }


async def test_the_other_environment_reads_the_other_file(make: Make, tmp_path: Path) -> None:
    write(tmp_path, "production", "mode: safe\n")
    configuration = make(environment="production")
    await configuration.load()

    assert configuration.get("mode") == "safe"


async def test_null_in_a_layer_is_no_value(make: Make, tmp_path: Path) -> None:
    write(tmp_path, "default", "max_retries: null\n")
    configuration = make(application_values={"mode": None})
    await configuration.load()

    assert configuration.get("max_retries") == 3
    assert configuration.get("mode", "fallback") == "fallback"


async def test_what_is_handed_out_cannot_change_the_configuration(make: Make) -> None:
    value = {"hosts": ["x"]}
    configuration = make()
    await configuration.set("mail", value)
    value["hosts"].append("y")
    configuration.get("mail")["hosts"].append("z")
    configuration.values()["mail"]["hosts"].append("z")
    configuration.get("hosts").append("b")
    next(e for e in configuration.entries() if e.key == "mail").value["hosts"].append("z")

    assert configuration.get("mail") == {"hosts": ["x"]}
    assert configuration.get("hosts") == ["a"]


async def test_stored_values_survive_and_null_removes_them(make: Make) -> None:
    configuration = make()
    change = await configuration.set("max_retries", 7)
    assert (change.old, change.new, change.source, change.changed) == (3, 7, "stored", True)

    again = make()
    await again.load()
    assert again.get("max_retries") == 7

    change = await again.set("max_retries", None)
    assert (change.old, change.new, change.source) == (7, 3, "manifest.json")
    assert again.get("max_retries") == 3
    assert (await again.set("max_retries", None)).changed is False


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_retries", 0),
        ("max_retries", 11),
        ("max_retries", "3"),
        ("max_retries", True),
        ("max_retries", 3.0),
        ("enabled", 1),
        ("mode", "other"),
        ("api_key", ""),
        ("hosts", "a"),
        ("mail", []),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_and_nothing_changes(
    make: Make, key: str, value: Any
) -> None:
    configuration = make()
    before = configuration.values()

    with pytest.raises(ConfigValueRefused) as caught:
        await configuration.set(key, value)

    assert caught.value.key == key
    assert caught.value.expected in str(caught.value)
    assert configuration.values() == before


async def test_several_changes_happen_together_or_not_at_all(make: Make) -> None:
    configuration = make()

    with pytest.raises(ConfigValueRefused):
        await configuration.set_many({"mode": "fast", "max_retries": 99})
    assert configuration.get("mode") is None

    changes = await configuration.set_many({"mode": "fast", "max_retries": 9, "extra": [1]})
    assert [change.key for change in changes] == ["mode", "max_retries", "extra"]
    reloaded = make()
    await reloaded.load()
    assert reloaded.get("mode") == "fast"
    assert reloaded.get("extra") == [1]


async def test_an_undeclared_key_takes_json_and_nothing_else(make: Make) -> None:
    configuration = make()
    await configuration.set("action_count", 5)

    with pytest.raises(NotJson):
        await configuration.set("action_count", {1, 2})

    [entry] = [entry for entry in configuration.entries() if entry.key == "action_count"]
    assert (entry.value, entry.declared) == (5, False)


async def test_a_missing_required_setting_blocks_and_says_how_to_set_it(make: Make) -> None:
    configuration = make()
    await configuration.load()
    [message] = messages(configuration)

    assert "'api_key' (The key) is required" in message
    assert "'nexus config set my_plugin api_key' (asks for it)," in message
    assert "NEXUS_PLUGINS__MY_PLUGIN__API_KEY" in message
    assert "plugins.my_plugin.api_key in nexus.yaml" in message

    await configuration.set("api_key", "secret-1")
    assert configuration.problems() == []
    await configuration.set("api_key", None)
    assert messages(configuration) == [message]


async def test_only_a_setting_that_is_no_secret_is_set_on_the_command_line(make: Make) -> None:
    configuration = make(fields={"region": ConfigField(type="string", required=True)})
    await configuration.load()
    [message] = messages(configuration)

    assert "'nexus config set my_plugin region <value>', with" in message


async def test_an_empty_text_counts_as_missing_where_one_is_required(make: Make) -> None:
    configuration = make(application_values={"api_key": ""})

    assert configuration.get("api_key") == ""
    assert len(messages(configuration)) == 1


async def test_a_bad_value_in_any_layer_is_told_and_blocks_where_it_counts(
    make: Make, tmp_path: Path
) -> None:
    write(tmp_path, "default", "max_retries: 99\nmode: other\napi_key: 5\n")
    write(tmp_path, "development", "max_retries: 5\napi_key: secret-1\n")
    configuration = make()
    await configuration.load()

    assert messages(configuration) == [
        (
            "Setting 'mode' in config/default.yaml is \"other\" (string);"
            ' expected one of "fast", "safe".'
        )
    ]
    harmless = messages(configuration, blocking=False)
    assert len(harmless) == 2
    assert "99" in harmless[1] or "99" in harmless[0]
    assert not any("5 (integer)" in message for message in harmless)  # the secret's value


@pytest.mark.parametrize("text", ["a: [", "- list", "a: 1\na: 2", "a: !!binary aGk="])
async def test_a_file_that_cannot_be_read_blocks_and_is_named(
    make: Make, tmp_path: Path, text: str
) -> None:
    write(tmp_path, "default", text)
    configuration = make(application_values={"api_key": "secret-1"})
    await configuration.load()

    [problem] = configuration.problems()
    assert problem.blocking
    assert problem.key is None
    assert "default.yaml" in problem.message

    write(tmp_path, "default", "max_retries: 4")
    await configuration.load()
    assert configuration.problems() == []
    assert configuration.get("max_retries") == 4


async def test_variables_are_read_by_the_declared_type(make: Make) -> None:
    configuration = make(
        environ={
            "nexus_plugins__my_plugin__API_KEY": "123",
            "NEXUS_PLUGINS__MY_PLUGIN__MAX_RETRIES": "5",
            "NEXUS_PLUGINS__MY_PLUGIN__ENABLED": "no",
            "NEXUS_PLUGINS__MY_PLUGIN__HOSTS": '["x", "y"]',
            "NEXUS_PLUGINS__MY_PLUGIN__NUMBER": "17",
            "NEXUS_PLUGINS__MY_PLUGIN__TEXT": "seventeen",
            "NEXUS_PLUGINS__MY_PLUGIN__NAN": "NaN",
            "NEXUS_PLUGINS__MY_PLUGIN_TWO__MODE": "fast",
            "NEXUS_PLUGINS__OTHER__MODE": "fast",
        }
    )

    assert configuration.problems() == []
    assert configuration.values() == {
        "api_key": "123",
        "max_retries": 5,
        "enabled": False,
        "hosts": ["x", "y"],
        "number": 17,
        "text": "seventeen",
        "nan": "NaN",
    }


async def test_a_variable_can_change_one_member_of_an_object(make: Make) -> None:
    configuration = make(
        application_values={"mail": {"Host": "a", "port": 25}, "api_key": "secret-1"},
        environ={
            "NEXUS_PLUGINS__MY_PLUGIN__MAIL__HOST": "b",
            "NEXUS_PLUGINS__MY_PLUGIN__MAIL__TLS__ON": "true",
        },
    )

    assert configuration.get("mail") == {"Host": "b", "port": 25, "tls": {"on": True}}
    assert configuration.problems() == []
    with pytest.raises(ConfigKeyFixed):
        await configuration.set("mail", {})


async def test_a_member_of_what_is_no_object_is_a_problem(make: Make) -> None:
    configuration = make(
        application_values={"api_key": "secret-1"},
        environ={"NEXUS_PLUGINS__MY_PLUGIN__MAX_RETRIES__X": "1"},
    )

    assert "expected an object" in messages(configuration)[0]


async def test_a_variable_of_the_wrong_form_blocks_and_is_named(make: Make) -> None:
    configuration = make(
        application_values={"api_key": "secret-1"},
        environ={
            "NEXUS_PLUGINS__MY_PLUGIN__MAX_RETRIES": "many",
            "NEXUS_PLUGINS__MY_PLUGIN__RATIO": "0.5",
            "NEXUS_PLUGINS__MY_PLUGIN__MODE": "other",
        },
    )

    assert sorted(messages(configuration)) == [
        (
            "Setting 'max_retries' in NEXUS_PLUGINS__MY_PLUGIN__MAX_RETRIES is \"many\" (string);"
            " expected an integer such as 42."
        ),
        (
            "Setting 'mode' in NEXUS_PLUGINS__MY_PLUGIN__MODE is \"other\" (string);"
            ' expected one of "fast", "safe".'
        ),
    ]


async def test_a_key_that_the_environment_fixes_cannot_be_set(make: Make) -> None:
    variable = variable_name("my_plugin", "mode")
    configuration = make(environ={variable: "fast"})

    for value in ("safe", None):
        with pytest.raises(ConfigKeyFixed, match=variable):
            await configuration.set("mode", value)
    assert configuration.get("mode") == "fast"
    assert next(entry for entry in configuration.entries() if entry.key == "mode").fixed


async def test_a_key_with_other_characters_has_a_variable_too(make: Make) -> None:
    field = ConfigField(type="string")
    name = variable_name("my_plugin", "api-URL__v2")
    configuration = make(fields={"api-URL__v2": field}, environ={name: "x"})

    assert name == "NEXUS_PLUGINS__MY_PLUGIN__API_URL__V2"
    assert configuration.values() == {"api-URL__v2": "x"}


async def test_a_secret_is_encrypted_at_rest_and_masked_in_sight(
    make: Make, kv: MemoryKeyValueStore
) -> None:
    mask = SecretMask()
    configuration = make(mask=mask)
    change = await configuration.set("api_key", "hunter2-hunter2")

    assert "hunter2" not in repr(await kv.items("config/my_plugin"))
    assert (change.old, change.new, change.secret) == (None, "********", True)
    [entry] = [entry for entry in configuration.entries() if entry.key == "api_key"]
    assert (entry.value, entry.secret) == ("********", True)
    assert configuration.get("api_key") == "hunter2-hunter2"
    assert mask.apply("key=hunter2-hunter2") == "key=********"
    with pytest.raises(ConfigValueRefused) as caught:
        await configuration.set("api_key", ["hunter3-hunter3"])
    assert "hunter3" not in str(caught.value)

    again = make()
    await again.load()
    assert again.get("api_key") == "hunter2-hunter2"


async def test_secrets_from_every_layer_are_masked_in_logs(make: Make) -> None:
    mask = SecretMask()
    make(application_values={"api_key": "from-the-file"}, mask=mask)
    make(environ={"NEXUS_PLUGINS__MY_PLUGIN__API_KEY": "from-the-variable"}, mask=mask)

    assert mask.apply("from-the-file from-the-variable") == "******** ********"


async def test_a_secret_that_no_key_fits_blocks_until_it_is_set_again(
    make: Make, kv: MemoryKeyValueStore
) -> None:
    await make().set_many({"api_key": "secret-1", "mode": "fast"})
    configuration = make(store=StoredValues(kv, SecretBox.temporary()))
    await configuration.load()

    assert any("encrypted with another key" in message for message in messages(configuration))
    assert configuration.get("mode") == "fast"
    assert configuration.get("api_key") is None

    await configuration.set("api_key", "secret-2")
    assert configuration.problems() == []
    await configuration.load()
    assert configuration.get("api_key") == "secret-2"


async def test_a_change_reaches_every_generation_side_by_side(make: Make) -> None:
    old, new = make(), make()
    await new.set("mode", "safe")
    assert old.get("mode") == "safe"
    await old.set("mode", None)
    assert new.get("mode") is None


async def test_who_is_told_of_a_change_and_asks_no_more_computes_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, serving = [make() for _ in range(10)], make()
    laid: list[str] = []

    def counted(plugin: str, *layers: Any) -> Effective:
        laid.append(plugin)
        return lay(plugin, *layers)

    monkeypatch.setattr("nexus.config.plugin_configuration.lay", counted)
    await serving.set("mode", "safe")
    assert len(laid) == 1
    assert ended[0].get("mode") == "safe"
    assert len(laid) == 2


async def test_a_thrown_away_configuration_is_not_kept_alive(
    make: Make, stored: StoredValues
) -> None:
    configuration = make()
    await configuration.load()
    del configuration
    gc.collect()

    assert not any(stored._watchers.values())


async def test_forgetting_a_plugin_removes_what_was_stored(
    make: Make, stored: StoredValues
) -> None:
    configuration = make()
    await configuration.set("mode", "safe")
    await stored.forget("my_plugin")

    assert configuration.get("mode") is None
    assert (await stored.read("my_plugin")).values == {}


async def test_changes_at_the_same_time_are_all_kept(make: Make) -> None:
    configuration = make()
    await asyncio.gather(*(configuration.set(f"key{number}", number) for number in range(20)))
    again = make()
    await again.load()

    assert [again.get(f"key{number}") for number in range(20)] == list(range(20))


async def test_a_plugin_without_a_folder_works(make: Make) -> None:
    configuration = make(folder=None)
    await configuration.load()

    assert configuration.get("max_retries") == 3


class SlowStore(MemoryKeyValueStore):
    """Answers a read, once asked to, only when it is let go, with what there was before."""

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = False
        self.has_read = asyncio.Event()
        self.let_go = asyncio.Event()

    @override
    async def items(self, namespace: str, prefix: str = "") -> dict[str, Any]:
        found = await super().items(namespace, prefix)
        if self.is_slow:
            self.is_slow = False
            self.has_read.set()
            await self.let_go.wait()
        return found


@pytest.mark.parametrize("before", [None, "fast"])
async def test_a_change_by_another_generation_during_a_load_is_kept(
    make: Make, before: str | None
) -> None:
    kv = SlowStore()
    stored = StoredValues(kv, SecretBox.temporary())
    old, new = make(store=stored), make(store=stored)
    await old.set("mode", before)
    kv.is_slow = True
    loading = asyncio.create_task(new.load())
    await kv.has_read.wait()
    changing = asyncio.create_task(old.set("mode", "safe"))
    for _ in range(10):
        await asyncio.sleep(0)  # as far as the change gets while the load is under way
    kv.let_go.set()
    await asyncio.gather(loading, changing)

    assert (old.get("mode"), new.get("mode")) == ("safe", "safe")
    await new.set("ratio", 1.0)
    assert new.get("mode") == "safe"


async def test_a_plugins_lock_goes_with_its_users(stored: StoredValues) -> None:
    async with stored.exclusive("my_plugin"):
        assert stored.exclusive("my_plugin").locked()
    gc.collect()
    assert len(stored._locks) == 0
