"""A case: one seed, which either holds or fails, and cannot hang or fill the memory."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import pathlib
import resource
import signal
import tempfile
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

SECONDS = 20  # the most that a case may take
CHILD_SECONDS, CHILD_BYTES = 15, 2 * 2**30
_STARTING_SECONDS = 60  # what a child may need for its imports on a busy machine

# Children are forked from a process without threads that has imported what takes seconds.
_children = multiprocessing.get_context("forkserver")
_children.set_forkserver_preload(["multiflow", "pandas"])


class Risky(BaseException):
    """The case may hang or fill the memory, and must begin again in a process of its own."""


class Late(BaseException):
    """The case takes too long; no errors, which cases catch."""


@dataclass
class Case:
    """What an attack gets.

    Attributes:
        rng: all choices come from here, so that the seed makes the case.
        folder: an empty folder.
        in_child: whether the case runs in a process of its own.
        notes: what the case is, for whoever reads of its failure.
    """

    rng: np.random.Generator
    folder: pathlib.Path
    in_child: bool
    notes: list[str] = field(default_factory=list)

    def note(self, *facts: Any) -> None:
        """Tells what the case is."""
        self.notes.append(" ".join(map(str, facts)))

    def is_risky(self) -> None:
        """Called before anything that may hang or fill the memory."""
        if not self.in_child:
            raise Risky

    def choose(self, *choices: Any) -> Any:
        """One of some values of any types."""
        return choices[self.rng.integers(len(choices))]

    def happens(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.rng.random() < probability)


Attack = Callable[[Case], str]


class Result(NamedTuple):
    """How a case ended: a word for what was seen, and, if it failed, how."""

    outcome: str
    failure: str | None = None


class Outcome(NamedTuple):
    """What a call did: its value or its error, and all that it warned of."""

    value: Any
    error: Exception | None
    warnings: list[str]

    @property
    def told(self) -> str:
        """All that the user was told."""
        return "\n".join([str(self.error or ""), *self.warnings])

    def names(self, path: Any) -> bool:
        """True if the user was told of a file."""
        return names(self.told, path)


def names(text: str, path: Any) -> bool:
    """True if a text holds a path, or its `repr`."""
    return str(path) in text or repr(str(path))[1:-1] in text


def observe(function: Callable[..., Any], *arguments: Any, **options: Any) -> Outcome:
    """Calls a function in silence, and returns whatever it does."""
    value = error = None
    with _silence() as caught:
        try:
            value = function(*arguments, **options)
        except Exception as raised:
            error = raised
    return Outcome(value, error, [str(warning.message) for warning in caught])


def run(attack: Attack, seed: int, *, in_child: bool = False) -> Result:
    """Runs the case of a seed, in a process of its own if it says that it is risky."""
    name = f"{attack.__module__.rpartition('.')[2]}.{attack.__name__}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
        case = Case(rng, pathlib.Path(folder), in_child)
        try:
            with _silence(), contextlib.nullcontext() if in_child else _alarm():
                return Result(attack(case))
        except Risky:
            pass
        except Late:
            return Result("failed", "\n".join([*case.notes, f"It takes more than {SECONDS} s."]))
        except Exception as error:
            what = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            return Result("failed", "\n".join([*case.notes, what or traceback.format_exc()]))
    return run_in_child(run, attack, seed, in_child=True)


@contextlib.contextmanager
def _silence() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        yield caught


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def start_child(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """Starts a process with a limit of memory; returns it and the end of a pipe for its result."""
    ours, theirs = _children.Pipe()
    process = _children.Process(target=_work, args=(theirs, function, arguments, options))
    process.start()
    theirs.close()
    if not ours.poll(_STARTING_SECONDS):
        raise TimeoutError("A process for a case did not start.")
    ours.recv()
    return process, ours


def run_in_child(
    function: Callable[..., Any],
    *arguments: Any,
    seconds: float = CHILD_SECONDS,
    **options: Any,
) -> Any:
    """What a function returns in a process with limits of time and memory, or a failed result."""
    process, pipe = start_child(function, *arguments, **options)
    result = None
    try:
        if not pipe.poll(seconds):
            return Result("failed", f"It takes more than {seconds} s.")
        with contextlib.suppress(EOFError):
            result, num_bytes = pipe.recv()
    finally:
        process.kill()
        process.join()
    if result is None:
        return Result("failed", f"The process died: exit code {process.exitcode}.")
    if num_bytes > CHILD_BYTES:
        return Result("failed", f"It takes {num_bytes / 2**30:.1f} GB. {result}")
    return result


def _work(pipe: Any, function: Callable[..., Any], arguments: Any, options: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    # Twice what is allowed: memory that is reserved and never written to costs nothing.
    limit = size + 2 * CHILD_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    pipe.send("ready")
    result = function(*arguments, **options)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send((result, 1024 * (after - before)))
    pipe.close()
    os._exit(0)  # a thread that hangs would keep the process from ending
