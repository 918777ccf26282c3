"""Runs the engine in a fork of a process that has imported everything.

An engine that a signal kills (the kernel for its memory, a crash in a library, a person) is
replaced within a moment, while a program that starts again imports for seconds on a busy machine.
An engine that ends by an error ends its launcher too, and the supervisor starts both again.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

logger = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# An engine that is killed sooner than this after its start is replaced after a pause as long.
_SHORT_LIFE_SECONDS = 1.0


class Launcher:
    """Calls `run` in a child process; `stopping` is set, in both processes, by a signal to stop.

    Make it in the main thread of a process that has neither threads nor connections.
    """

    def __init__(self, run: Callable[[], None], stopping: threading.Event) -> None:
        self._run = run
        self._stopping = stopping
        self._child: int | None = None

    def launch(self) -> int:
        """Run until told to stop, or until the child ends by an error; this process's exit code."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        while not self._stopping.is_set():
            began = time.monotonic()
            status = self._run_child()
            if os.WIFEXITED(status):
                return os.WEXITSTATUS(status)
            if not self._stopping.is_set():
                name = signal.Signals(os.WTERMSIG(status)).name
                logger.error("the engine was ended by %s; starting another one", name)
            if time.monotonic() - began < _SHORT_LIFE_SECONDS:
                self._stopping.wait(_SHORT_LIFE_SECONDS)
        return 0

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Stop, and pass the signal on to the child."""
        self._stopping.set()
        if self._child is not None:
            os.kill(self._child, number)

    def _run_child(self) -> int:
        """Fork, and wait for the end of the child; its wait status."""
        # Nobody else has the end that writes: it is closed when this process is gone.
        end_of_parent, held_by_parent = os.pipe()
        # A signal waits until it is known which process has to pass it on.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        pid = os.fork()
        if pid:
            self._child = pid
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        if not pid:
            os.close(held_by_parent)
            self._be_child(end_of_parent)
        os.close(end_of_parent)
        # Not waited for yet: until the number is forgotten it belongs to that child alone.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self._child = None
        _, status = os.waitpid(pid, 0)
        os.close(held_by_parent)
        return status

    def _be_child(self, end_of_parent: int) -> NoReturn:
        """Run, and leave: what is above on the stack is the parent's."""
        self._child = None
        watch = threading.Thread(target=_end_with_parent, args=[end_of_parent], daemon=True)
        watch.start()
        code = 1
        try:
            self._run()
            code = 0
        except BaseException:
            logger.exception("the engine failed")
        finally:
            logging.shutdown()
            os._exit(code)


def _end_with_parent(end_of_parent: int) -> None:
    """Ask this process to stop when its parent has gone."""
    os.read(end_of_parent, 1)
    os.kill(os.getpid(), signal.SIGTERM)
