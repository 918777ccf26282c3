"""The core of the engine runs without Django, database drivers and clients of Valkey."""

import pkgutil
import subprocess
import sys

import orders.engine.core


def test_importing_the_core_loads_no_framework_and_no_driver() -> None:
    package = orders.engine.core
    modules = [one.name for one in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    assert len(modules) >= 18
    program = (
        f"import sys, {', '.join(modules)}\n"
        "drivers = {'django', 'psycopg', 'redis', 'celery', 'rest_framework'}\n"
        "print(sorted(drivers & sys.modules.keys()))"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == "[]"
