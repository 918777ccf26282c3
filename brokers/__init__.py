"""Who calls: people, brokers, their keys and trading accounts, and the webhooks they receive."""
