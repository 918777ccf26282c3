"""What is traded and at what price: assets, instruments, and the read side of the books."""
