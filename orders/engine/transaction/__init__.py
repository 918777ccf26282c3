"""What a batch does in the database: locks, writes, recovery, and the reset of the venue."""
