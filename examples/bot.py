"""A bot that buys below the first price and sells above it: python examples/bot.py <url> <key>."""

import json
import sys
import time
import urllib.error
import urllib.request
import uuid
from decimal import Decimal

url, key, rounds = sys.argv[1], sys.argv[2], int((sys.argv[3:] or ["100"])[0])


def call(path, **body):
    """The answer to a request, which is sent again until there is one."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body else None
    while True:
        try:
            request = urllib.request.Request(f"{url}/api/v1/{path}", data, headers)
            return json.load(urllib.request.urlopen(request, timeout=30))
        except urllib.error.HTTPError as refusal:
            if refusal.code not in (429, 503):
                return json.load(refusal)
        except OSError:
            pass  # Lost on its way: by its client_order_id it is dealt once.
        time.sleep(1)


first = Decimal(call("price/AAPL")["price"])
for _ in range(rounds):
    action = "buy" if Decimal(call("price/AAPL")["price"]) <= first else "sell"
    name = str(uuid.uuid4())
    deal = call("trade", ticker="AAPL", action=action, quantity=1, client_order_id=name)
    print(action, deal.get("price") or deal["code"])
    time.sleep(0.2)
portfolio = call("portfolio")
print("worth", portfolio["total_value"], portfolio["currency"])
