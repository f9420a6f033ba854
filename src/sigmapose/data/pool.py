"""Jobs over worker processes that may be killed at any time: progress, Ctrl-C, a worker that dies.

Workers are started fresh (no fork: threads of numerical libraries do not survive one). The first one starts
alone, so that caches which are made on first use (the body model's rig, compiled kernels) are made once.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from sigmapose.errors import DataError, SigmaposeError

Work = Callable[[Any, Callable[[], None]], Any]
"""Does a job; calls its second argument after each piece of it."""
_STOP_S = 5.0


@dataclass(frozen=True)
class Done:
    """Something happened: `ticks` pieces of work were done, and perhaps a job with its result."""

    ticks: int = 0
    result: Any = None


def run_jobs(start: Callable[[], Work], jobs: Sequence[Any], workers: int) -> Iterator[Done]:
    """Do all jobs, in no particular order.

    Args:
        start: called once in every worker, gives the function that does a job; must be picklable.
        jobs: picklable descriptions of what to do.
        workers: number of processes, at least 1.

    Raises:
        SigmaposeError: a job or a start raised it.
        DataError: a worker died.
        RuntimeError: a job or a start raised something else; holds the worker's traceback.
    """
    left = list(reversed(jobs))
    crew: dict[Connection, BaseProcess] = {}
    retired: list[BaseProcess] = []
    try:
        if left:
            _hire(crew, start)
        while crew:
            for ready in wait(list(crew)):
                assert isinstance(ready, Connection)
                kind, value = _receive(ready, crew[ready])
                if kind == "tick":
                    yield Done(ticks=1)
                    continue
                if kind == "ready" and not retired and len(crew) == 1:  # the first of them
                    for _ in range(min(workers, len(jobs)) - 1):
                        _hire(crew, start)
                if left:
                    ready.send(left.pop())
                else:
                    ready.send(None)
                    retired.append(crew.pop(ready))
                if kind == "done":
                    yield Done(result=value)
    finally:
        for process in crew.values():
            process.terminate()
        for process in (*crew.values(), *retired):
            process.join(_STOP_S)


def _hire(crew: dict[Connection, BaseProcess], start: Callable[[], Work]) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(start, theirs), daemon=True)
    process.start()
    theirs.close()
    crew[ours] = process


def _receive(connection: Connection, process: BaseProcess) -> tuple[str, Any]:
    try:
        kind, value = connection.recv()
    except (EOFError, ConnectionError):
        process.join(_STOP_S)
        raise DataError(
            f"a worker process died (exit code {process.exitcode}), perhaps out of memory: run again with "
            "fewer workers, what was finished is kept"
        ) from None
    if kind == "error":
        raise value
    return kind, value


def _serve(start: Callable[[], Work], connection: Connection) -> None:
    """Life of a worker; when the parent is gone the pipe breaks and it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends its workers
    try:
        try:
            work = start()
            connection.send(("ready", None))
            while (job := connection.recv()) is not None:
                connection.send(("done", work(job, lambda: connection.send(("tick", None)))))
        except SigmaposeError as error:
            connection.send(("error", error))
        except (EOFError, ConnectionError):
            raise
        except Exception:
            connection.send(("error", RuntimeError(f"in a worker process:\n{traceback.format_exc()}")))
    except (EOFError, ConnectionError):
        return
