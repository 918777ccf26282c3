"""Variables of the environment, where an empty number, switch or amount is one that is not set.

`make`, Compose and shells export variables that have no value; nobody means zero by it.
"""

from decimal import Decimal
from typing import Any

import environ

_NEVER_EMPTY = (int, float, bool, Decimal)


class Environment(environ.Env):
    """`environ.Env` with defaults for empty values too, except of texts, lists and mappings."""

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any
    ) -> Any:
        """The value of a variable, cast; its default where it is missing or says nothing."""
        has_default = default is not self.NOTSET
        if has_default and cast in _NEVER_EMPTY and not self.ENVIRON.get(var, "").strip():
            return default
        return super().get_value(var, cast=cast, default=default, **options)
