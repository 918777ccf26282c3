"""Why a history is not loaded."""


class HistoryRefused(Exception):
    """The venue is not one to load a made-up history into. Nothing was changed."""


class EngineTookLead(Exception):
    """An engine started while a history was loaded. What was loaded until then stays."""
