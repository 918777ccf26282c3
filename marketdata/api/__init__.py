"""Market data under `/api/v1/`."""
