"""What the engine decides, in memory: commands in, changes and answers out.

Pure: no Django, no clock, no I/O, no chance. The contract "pure" in `.importlinter` proves it.
"""
