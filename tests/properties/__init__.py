"""Properties that span apps: whatever is done, in whatever order, from several connections."""
