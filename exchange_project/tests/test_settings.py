"""Where settings come from: the file that ENV_FILE names, and in tests from none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = (
    "from django.conf import settings\n"
    "print(settings.SIMULATOR_STARTING_BALANCE, settings.PRICE_SIMULATION_SEED)"
)


@pytest.mark.parametrize(
    ("module", "printed"),
    [("exchange_project.settings.base", "7 file"), ("exchange_project.settings.test", "0 bourse")],
)
def test_tests_do_not_read_the_settings_of_this_machine(
    module: str, printed: str, tmp_path: Path
) -> None:
    file = tmp_path / "settings"
    file.write_text("SIMULATOR_STARTING_BALANCE=7\nPRICE_SIMULATION_SEED=file\n")
    environ = os.environ | {"ENV_FILE": str(file), "DJANGO_SETTINGS_MODULE": module}

    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == printed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("MARGIN_CALL_LEVELS", levels) for levels in ("0.8,1.1", "0.05", "-1", "high")],
        ("ALERT_WEBHOOK_URL", "ftp://example.com"),
        *[("MARK_PRICES_KEPT_DAYS", days) for days in ("0", "36501", "ever")],
        *[("PREMIUM_SAMPLES_KEPT_DAYS", days) for days in ("-1", "36501", "ever")],
    ],
)
def test_settings_that_make_no_sense_fail_at_start(name: str, value: str) -> None:
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "exchange_project.settings.test", name: value}

    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode != 0
