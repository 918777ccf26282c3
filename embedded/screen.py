"""What the terminal shows: a line for each event, and colours only on a terminal."""

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TextIO

_NAME_WIDTH = 10
# Between two lines about progress where there is no terminal.
_PROGRESS_SECONDS = 10.0
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Screen:
    """Writes to the terminal, or to whatever stands in its place."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colours = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._is_line_open = False
        self._lost_count = 0
        self._progressed_at = time.monotonic()

    def style(self, text: str, *styles: str) -> str:
        """Return the text in the given styles, or as it is where there are no colours."""
        if not self._colours:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"\033[{codes}m{text}\033[0m"

    def event(self, name: str, text: str, *styles: str) -> None:
        """Show that something happened to a process, with the time of day."""
        now = self.style(datetime.now().astimezone().strftime("%H:%M:%S"), "dim")
        shown = self.style(text, *styles) if styles else text
        self.text(f"{now}  {name:<{_NAME_WIDTH}}  {shown}")

    def progress(self, name: str, text: str) -> None:
        """Show how far something long has come: on a terminal in one line, else now and then."""
        now = time.monotonic()
        if self._stream.isatty():
            line = f"\r{'':10}{name:<{_NAME_WIDTH}}  {text}\033[K"
            self._print(line)
            self._is_line_open = True
        elif now - self._progressed_at > _PROGRESS_SECONDS:
            self.event(name, text)
            self._progressed_at = now

    def text(self, text: str) -> None:
        """Show a text as it is."""
        if self._is_line_open:
            self._print("\r\033[K")
            self._is_line_open = False
        self._print(text + "\n")

    def _print(self, text: str) -> None:
        """Write; what a closed terminal or a full disk refuses is counted, and said later."""
        if self._lost_count:
            text = f"({self._lost_count} lines could not be shown)\n{text}"
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._lost_count += 1
        else:
            self._lost_count = 0


class LogFollower:
    """Shows what is added to log files, each line with the name of its process before it."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._positions: dict[Path, int] = {}

    def follow(self, log: Path) -> None:
        """Show what is added to this log from now on."""
        self._positions.setdefault(log, log.stat().st_size if log.exists() else 0)

    def show_news(self) -> None:
        """Show the complete lines that were added since the last call."""
        for log, position in self._positions.items():
            if not log.exists():
                continue
            begin = position if log.stat().st_size >= position else 0
            with log.open("rb") as file:
                file.seek(begin)
                added = file.read()
            complete = added[: added.rfind(b"\n") + 1]
            self._positions[log] = begin + len(complete)
            name = self._screen.style(f"{log.stem:<{_NAME_WIDTH}}", "dim")
            for line in complete.decode(errors="replace").splitlines():
                self._screen.text(f"{name} | {line}")
