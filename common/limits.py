"""How large the things are that all apps know. Pure."""

# The largest id of a row whose ids are no UUIDs.
BIGINT_MAX = 2**63 - 1
# Of the symbols of instruments, and of the codes of assets.
SYMBOL_LENGTH_MAX = 20
# Of the number of a client's document.
DOCUMENT_LENGTH_MAX = 20
# Of a line that a person writes: memo, reason, note.
LINE_LENGTH_MAX = 200
# Of what price services call them.
PRICE_SYMBOL_LENGTH_MAX = 40
