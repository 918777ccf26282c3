"""Margin under `/api/v1/`."""
