"""Perpetual contracts: positions, margin, funding and liquidation. Places no orders itself."""
