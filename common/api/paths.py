"""What stands in paths: the converters of the URL modules, registered by the root one."""

from django.urls.converters import StringConverter


class SymbolConverter(StringConverter):
    """`<symbol:…>`: a symbol in any case, handed on in upper case.

    Letters beyond ASCII stay as they are, since in upper case they may become ASCII ones ("ﬀ"
    becomes "FF"): so they are no symbol, and found as little as any that is unknown.
    """

    def to_python(self, value: str) -> str:
        """The symbol of a path."""
        return value.upper() if value.isascii() else value
