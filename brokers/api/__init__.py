"""The HTTP interface of brokers, keys, accounts and webhooks, and the authentication of all."""
