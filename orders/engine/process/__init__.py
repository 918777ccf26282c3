"""The engine's process: its loop, its lead, its inbox and outbox, and the pipeline of batches."""
