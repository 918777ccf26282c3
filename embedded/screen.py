"""What the terminal shows: a line for each event, and colours only on a terminal."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TextIO

_NAME_WIDTH = 10
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Screen:
    """Writes to the terminal, or to whatever stands in its place."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colours = self._stream.isatty() and "NO_COLOR" not in os.environ

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

    def text(self, text: str) -> None:
        """Show a text as it is."""
        print(text, file=self._stream, flush=True)


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
