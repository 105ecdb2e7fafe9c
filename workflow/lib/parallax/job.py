"""One job of the workflow: its log, its faults in words, and a stage that may crash without taking the study down."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from parallax.errors import ParallaxError

logger = logging.getLogger("parallax")

REASON_LIMIT = 4000
_WITHHELD = "its text is withheld: it may hold a patient's value"


@contextmanager
def job(log: str | Path) -> Iterator[logging.Logger]:
    """Run a script's body with its log file.

    A fault of the user ends the job with the fault's own words; any other exception with its type and the places it passed, never with
    its text, which may hold a patient's value. What libraries warn of, log or raise beside the job's own thread is logged by kind and place
    for the same reason.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log, mode="w", encoding="utf-8")
    handler.setFormatter(_OwnWordsOnly("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logger.setLevel(logging.INFO)
    warnings.showwarning = _log_warning  # type: ignore[assignment]  # the stubs know only the parameters' full names
    threading.excepthook = sys.unraisablehook = _log_failure
    begun = _cpu_seconds()
    try:
        yield logger
    except Exception as error:
        message = describe_failure(error)
        logger.error("%s", message)
        print(message, file=sys.stderr)
        raise SystemExit(1) from None
    logger.info("done in %.2f CPU seconds", _cpu_seconds() - begun)


def contain(stage: Callable[[], None]) -> str | None:
    """Run a stage in a child process; return None, or in words why it failed. What it prints is thrown away: it may hold a patient's value.

    Assumption
        The stage leaves its results in files, and this process has started no threads (the child is a fork).
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 0
        try:
            sys.stdout = sys.stderr = nowhere = Path(os.devnull).open("w")  # noqa: SIM115 -- the child ends with it
            os.dup2(nowhere.fileno(), 1)  # and what is no Python
            os.dup2(nowhere.fileno(), 2)
            stage()
        except BaseException as error:
            code = 1
            os.write(writing, describe_failure(error).encode()[:REASON_LIMIT])
        finally:
            logging.shutdown()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        return None
    reason = said or f"the process ended by signal {-status}" + (" (out of memory?)" if status == -9 else "")
    logger.error("%s", reason)
    return reason


def describe_failure(error: BaseException) -> str:
    """The fault's own words for a user's fault; type and places for any other exception."""
    if isinstance(error, ParallaxError):
        return str(error)
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} ({_WITHHELD}) at {' > '.join(places[-6:])}"


def _cpu_seconds() -> float:
    """Of this process and of the children it waited for."""
    return sum(os.times()[:4])


class _OwnWordsOnly(logging.Formatter):
    """Records of libraries keep their name, level and place, and lose their text."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record in the log."""
        if record.name.partition(".")[0] != logger.name:
            told = f"{record.name} at {Path(record.pathname).name}:{record.lineno} ({_WITHHELD})"
            record = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, told, None, None)
        return super().format(record)


def _log_failure(failure: object) -> None:
    """What a thread, or the end of an object, raised where nobody could catch it."""
    error = getattr(failure, "exc_value", None)
    if error is not None:
        logger.error("%s", describe_failure(error))


def _log_warning(_message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    logger.warning("%s at %s:%s", category.__name__, Path(filename).name, lineno)
