"""Variables of the environment, for what runs before Django's settings are there."""

import os


def read_number(name: str, default: int) -> int:
    """A whole number; `default` where the variable is missing or empty.

    Raises:
        ValueError: it is no number.
    """
    return int(os.environ.get(name) or default)
