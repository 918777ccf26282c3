"""The demo: brokers, accounts, instruments and money to try the venue with.

Made by `manage.py load_demo`, only where `DEMO` is on. `fund_demo` is what the engine calls after a
reset.
"""

from exchange_project.demo.funding import fund_demo

__all__ = ["fund_demo"]
