"""The command line: `python -m embedded run`, and the commands around it."""

import argparse
import sys
from pathlib import Path

from embedded import backup, control, run
from embedded.errors import EmbeddedError
from embedded.venue import VenueOptions


def main() -> int:
    """Run the command that the arguments name; return the exit code."""
    arguments = _parser().parse_args()
    try:
        return _execute(arguments)
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _execute(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "run":
            run.run_venue(_venue_options(arguments))
        case "services":
            run.run_services()
        case "stop":
            control.stop()
        case "status":
            control.show_status()
        case "backup":
            backup.back_up(arguments.file)
        case "restore":
            backup.restore(arguments.file, confirmed=arguments.yes)
        case "reset":
            control.reset(confirmed=arguments.yes)
        case "env":
            control.show_addresses()
        case "shell-db":
            control.open_database_shell(arguments.arguments)
        case "exec":
            return control.run_command(arguments.arguments, on_running=arguments.running)
    return 0


def _venue_options(arguments: argparse.Namespace) -> VenueOptions:
    return VenueOptions(
        host=arguments.host,
        port=arguments.port,
        shards=arguments.shards,
        web_workers=arguments.web_workers,
        verbose=arguments.verbose,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedded", description="Run the venue.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_run(commands.add_parser("run", help="start everything, until Ctrl-C"))
    commands.add_parser("services", help="start PostgreSQL and Valkey alone, until Ctrl-C")
    commands.add_parser("stop", help="stop the running venue")
    commands.add_parser("status", help="show the processes of the running venue")
    back_up = commands.add_parser("backup", help="write the database to a new file")
    restore = commands.add_parser("restore", help="replace the database by a backup")
    restore.add_argument("--yes", action="store_true", help="do not ask")
    for command in (back_up, restore):
        command.add_argument("file", type=Path, help="the backup")
    reset = commands.add_parser("reset", help="delete the embedded servers' data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser("env", help="print DATABASE_URL and REDIS_URL for a shell")
    shell = commands.add_parser("shell-db", help="open psql on the venue's database")
    shell.add_argument("arguments", nargs="*", metavar="-- options", help="passed to psql")
    execute = commands.add_parser("exec", help="run a command with throw-away servers")
    execute.add_argument("--running", action="store_true", help="use the venue's own servers")
    execute.add_argument("arguments", nargs="+", metavar="-- command", help="the command")
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="where web listens")
    parser.add_argument("--port", type=int, default=8000, help="the port of web")
    parser.add_argument("--shards", type=int, help="number of engines")
    parser.add_argument("--web-workers", type=int, help="web processes; by default gunicorn.py's")
    parser.add_argument("--verbose", action="store_true", help="show all logs on the terminal")


if __name__ == "__main__":
    sys.exit(main())
