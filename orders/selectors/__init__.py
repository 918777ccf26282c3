"""Reads of orders, fills, trades, prices and books. They never go through the engine."""
