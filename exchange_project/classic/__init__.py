"""The classic dialect: integer cents at the root paths, as its first clients know it.

A thin layer over the same services as `/api/v1/`. Prices are whole cents, 10^-2 of the quote asset.
"""
