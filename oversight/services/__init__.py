"""Writes of changes by two persons and of the audit trail."""
