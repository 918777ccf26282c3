"""What can be done with orders: place, cancel, expire what is due, empty the venue."""
