"""What an application does to its process, where its maker has not given it other means."""

import os
import signal
import sys
import threading


def write_first_token(token: str) -> None:
    """Show the first management token to whoever started the process.

    Past the log on purpose: a log is kept, copied and read by others.
    """
    sys.stderr.write(f"\nThe management token, shown this once; keep it:\n\n    {token}\n\n")


def end_process(_error: BaseException) -> None:
    """Have the server end the process in order.

    ASGI has no word for it, and every server ends on this signal. A loop in another thread belongs
    to a test's client, whose process is not ours to end.
    """
    if threading.current_thread() is threading.main_thread():
        os.kill(os.getpid(), signal.SIGTERM)
