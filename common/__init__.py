"""What every app may use: errors, money, ids, abstract models, API plumbing. Knows no app."""
