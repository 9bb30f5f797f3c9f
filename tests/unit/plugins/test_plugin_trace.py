import traceback
from types import FunctionType, ModuleType

from nexus.plugins.plugin_trace import plugin_part


def raised_by(call: FunctionType) -> Exception:
    try:
        call()
    except ZeroDivisionError as error:
        return error
    raise AssertionError


def function_in(module: str) -> FunctionType:
    made = ModuleType(module)
    exec("def fail():\n    return inner()\n\ndef inner():\n    return 1 / 0\n", made.__dict__)  # noqa: S102 - a module by its name
    fail: FunctionType = made.fail
    return fail


def test_the_trace_begins_where_the_plugins_code_does() -> None:
    error = raised_by(function_in("nexus_generations.foo_1.plugin"))
    assert plugin_part(error) is error
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == ["fail", "inner"]


def test_a_trace_without_a_plugins_code_is_left_whole() -> None:
    error = raised_by(function_in("somewhere.else"))
    names = [frame.name for frame in traceback.extract_tb(plugin_part(error).__traceback__)]
    assert names == ["raised_by", "fail", "inner"]
