"""The engine: the one writer of the books of a shard.

`runner` takes what is waiting in the stream (`inbox`) as a batch and `execution` carries it out:
`loading` locks every row that it may touch, `processor` decides in memory (pure), `persistence`
writes set-based and commits together with the checkpoint, `publisher` then answers. `recovery` is a
start; `leadership` keeps it single.
"""
