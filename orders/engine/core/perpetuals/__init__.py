"""Perpetuals in the engine: positions, margin, marks, funding, liquidations. Pure."""
