"""Reads of margin: positions, marks and what they make of collateral. Nothing is locked."""
