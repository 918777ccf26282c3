"""The ASGI application that the front serves: hot requests here, all others by way of Django.

What is opened for it lives on the event loop of its process: the link to the engines, and the
connections to the Django processes.
"""

import asyncio
import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_project.settings.base")
django.setup()

from exchange_project.background.watch import Watch  # noqa: E402
from exchange_project.front.origins import AllowedOrigins  # noqa: E402
from exchange_project.front.proxy import DjangoProxy  # noqa: E402
from exchange_project.hot import database  # noqa: E402
from exchange_project.hot.application import HotLane  # noqa: E402
from exchange_project.hot.requests import Receive, Scope, Send  # noqa: E402
from exchange_project.hot.threads import keep_caches_fresh  # noqa: E402
from orders.gateway.process import close_link, open_link  # noqa: E402

# Objects that may come before the collector looks; its default of 700 costs a tenth of the time.
_GARBAGE_THRESHOLD = 20_000

_proxy = DjangoProxy()
_lane = AllowedOrigins(HotLane(_proxy))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request; open and close what all of them use."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await _lane(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await open_link()
    await _proxy.open()
    # What is there now stays; of requests little becomes garbage that counting does not find.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    renewing = asyncio.create_task(keep_caches_fresh())
    watch = Watch()
    watch.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    renewing.cancel()
    watch.stop()
    await _proxy.close()
    await database.close()
    await close_link()
    await send({"type": "lifespan.shutdown.complete"})
