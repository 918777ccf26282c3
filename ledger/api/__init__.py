"""Balances and statements under `/api/v1/`."""
