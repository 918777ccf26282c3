"""The engine: the one writer of the books of a shard.

`process.runner` leads the shard and turns the loop; `process.pipeline` takes what is waiting in
the stream (`inbox`) as a batch: `core.planning` finds every row that it may touch,
`transaction.locking` locks them, `core.processor` decides in memory, `transaction.writing` writes
set-based and commits together with the checkpoint, `process.publisher` then answers. All of `core`
is pure.
`transaction.recovery` is a start; `process.leadership` keeps it single.
"""
