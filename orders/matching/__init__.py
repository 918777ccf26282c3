"""The pure matching core: no Django, no clock, no I/O."""
