"""Effects on the ledger, gathered in memory. Pure: `ledger.bulk.writing` stores them."""

from collections.abc import Iterable

ACTIVE = "ACTIVE"


class LedgerRow:
    """One locked ledger account: `limit` is how far below zero it may go, None = without limit.

    `status` is that of a wallet; other accounts are always active.
    """

    __slots__ = ("asset_id", "held", "id", "is_dirty", "limit", "posted", "status", "version")

    def __init__(
        self,
        id: int,
        asset_id: int,
        posted: int,
        held: int,
        limit: int | None,
        version: int,
        status: str = ACTIVE,
    ) -> None:
        self.id = id
        self.asset_id = asset_id
        self.posted = posted
        self.held = held
        self.limit = limit
        self.version = version
        self.status = status
        self.is_dirty = False

    @property
    def available(self) -> int:
        """What is posted and not held."""
        return self.posted - self.held

    def can_spend(self, amount: int) -> bool:
        """Whether a trade may take or hold `amount`: what is available, and credit to the limit."""
        return self.limit is None or self.posted - self.held - amount >= -self.limit

    def can_pay_out(self, amount: int) -> bool:
        """Whether `amount` may be transferred, converted or withdrawn: never out of credit."""
        return amount <= self.available

    def __repr__(self) -> str:
        return (
            f"<LedgerRow {self.id}: asset {self.asset_id}, posted {self.posted}, held {self.held}, "
            f"limit {self.limit}, version {self.version}>"
        )


# Columns of the two tables, in the order in which `ledger.bulk.writing` sends them. Plain tuples:
# a named one costs four times as much to make.
Entry = tuple[bytes, str, str, bytes, str]
PostingLine = tuple[bytes, int, int, int, int, int]


class LedgerBatch:
    """The effects of one batch on locked accounts, in memory until `write`."""

    __slots__ = ("entries", "postings", "rows")

    def __init__(self, rows: Iterable[LedgerRow] = ()) -> None:
        self.rows: dict[int, LedgerRow] = {}
        self.entries: list[Entry] = []
        self.postings: list[PostingLine] = []
        self.add_rows(rows)

    def add_rows(self, rows: Iterable[LedgerRow]) -> None:
        """Let the batch work on `rows`, which the caller has locked."""
        for row in rows:
            self.rows[row.id] = row

    def row(self, ledger_account_id: int) -> LedgerRow:
        """The locked account of that id.

        Raises:
            KeyError: it was not locked for this batch.
        """
        return self.rows[ledger_account_id]

    @property
    def entry_count(self) -> int:
        """Entries that wait to be written."""
        return len(self.entries)

    @property
    def posting_count(self) -> int:
        """Postings that wait to be written."""
        return len(self.postings)

    def post(
        self,
        entry_id: bytes,
        kind: str,
        source_kind: str,
        source_id: bytes,
        lines: Iterable[tuple[LedgerRow, int]],
        *,
        memo: str = "",
    ) -> None:
        """Book one entry: lines of the same account are netted, lines of zero dropped.

        An entry whose lines all net to zero (a client trades with itself) keeps its header. The
        kinds are words without blanks; `memo` is any text.
        """
        net: dict[LedgerRow, int] = {}
        totals: dict[int, int] = {}
        for row, amount in lines:
            net[row] = net.get(row, 0) + amount
            totals[row.asset_id] = totals.get(row.asset_id, 0) + amount
        assert not any(totals.values()), f"entry {entry_id.hex()} does not sum to zero: {totals}"
        self.entries.append((entry_id, kind, source_kind, source_id, memo))
        for row, amount in net.items():
            if amount:
                row.posted += amount
                row.version += 1
                row.is_dirty = True
                self.postings.append(
                    (entry_id, row.id, row.asset_id, amount, row.posted, row.version)
                )

    def set_hold(self, row: LedgerRow, delta: int) -> None:
        """Hold `delta` more (less, where negative) of what is posted on `row`."""
        row.held += delta
        row.is_dirty = True
        assert row.held >= 0, f"more freed than was held: {row!r}"

    def dirty_rows(self) -> list[LedgerRow]:
        """The rows whose balance or hold changed."""
        return [row for row in self.rows.values() if row.is_dirty]
