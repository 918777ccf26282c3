"""Double entry: accounts, entries, postings and balances. No other app writes its rows."""
