"""The engine: the one writer of the books of a shard.

`process.runner` leads the shard and turns the loop; `process.pipeline` takes what is waiting in
the stream (`inbox`) as a batch: `lock_plan` finds every row that it may touch,
`transaction.locking` locks them, `processor` decides in memory (pure), `transaction.writing` writes
set-based and commits together with the checkpoint, `process.publisher` then answers.
`transaction.recovery` is a start; `process.leadership` keeps it single.
"""
