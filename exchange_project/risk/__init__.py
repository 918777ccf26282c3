"""The risk desk's pages: who is near liquidation, who holds what, what would happen if.

They only read. What is computed is computed in `margin` and `ledger`; here it is chosen and shown.
"""
