"""A made-up history of a venue: orders, trades and their entries, as if they had been traded.

`market` draws what happens, `world` makes who trades what, `copying` turns it into rows, `loading`
writes it. For benchmarks and for trying out how a full database behaves.
"""
