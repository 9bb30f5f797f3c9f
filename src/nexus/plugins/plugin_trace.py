"""The part of a traceback that the author of a plugin wrote."""

from types import TracebackType

from nexus.plugins.importer import ROOT


def plugin_part(error: BaseException) -> BaseException:
    """Give the error with the frames from the plugin's own code on.

    What lies before them, the server, the framework and the platform, is the same for every error
    and hides the one line that counts.

    Returns:
        The same error; its traceback is cut where a plugin's code is in it, and whole otherwise.
    """
    trace = error.__traceback__
    while trace is not None and not _is_of_plugin(trace):
        trace = trace.tb_next
    return error if trace is None else error.with_traceback(trace)


def _is_of_plugin(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).startswith(ROOT + ".")
