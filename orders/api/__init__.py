"""The HTTP interface of orders, fills, books and prices under `/api/v1/`."""
