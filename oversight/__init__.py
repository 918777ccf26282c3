"""Control of what staff do: changes that take two persons, and the audit trail."""
