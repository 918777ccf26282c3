"""Staff who page the back office, and brokers who download statements: what hot requests suffer.

A process of its own: `python -m benchmarks.paging PLAN RESULT` (JSON files). Every pager asks for
its next page when it has the last one, and every reader for its statement again.
"""

import json
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

LISTS = (
    "orders/order",
    "orders/trade",
    "ledger/journalentry",
    "ledger/posting",
    "ledger/ledgeraccount",
)
_PAGES = 5
_TIMEOUT_SECONDS = 60
_PIECE = 1 << 16
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class PagingPlan(msgspec.Struct, kw_only=True):
    """Who pages and who downloads, until the file `stop` is there."""

    port: int
    email: str
    password: str
    pagers: int
    # (path, key) of each download that is repeated.
    downloads: list[tuple[str, str]]
    stop: str


class Paging:
    """Runs a plan and counts what was answered."""

    def __init__(self, plan: PagingPlan) -> None:
        self._plan = plan
        self._base = f"http://127.0.0.1:{plan.port}"
        self._lock = threading.Lock()
        self._statuses: Counter[str] = Counter()
        self._bytes = 0
        self._page_seconds: list[float] = []

    def run(self) -> dict[str, Any]:
        """Page and download until told to stop."""
        plan = self._plan
        works: list[Callable[[], None]] = [self._page] * plan.pagers
        works += [self._downloader(path, key) for path, key in plan.downloads]
        began = time.perf_counter()
        with ThreadPoolExecutor(len(works)) as pool:
            for done in [pool.submit(work) for work in works]:
                done.result()
        seconds = time.perf_counter() - began
        ordered = sorted(self._page_seconds)
        return {
            "pages": len(ordered),
            "pages_per_second": round(len(ordered) / seconds, 1),
            "page_p50_ms": round(ordered[len(ordered) // 2] * 1000, 1) if ordered else 0.0,
            "csv_megabytes": round(self._bytes / 1e6, 1),
            "statuses": dict(sorted(self._statuses.items())),
        }

    def _page(self) -> None:
        """One member of staff: logs in and reads list after list."""
        opener = self._log_in()
        for path in _pages():
            if self._is_over():
                return
            began = time.perf_counter()
            status, _ = self._read(opener.open, f"{self._base}/admin/{path}")
            with self._lock:
                self._statuses[f"page {status}"] += 1
                if status == 200:
                    self._page_seconds.append(time.perf_counter() - began)

    def _downloader(self, path: str, key: str) -> Callable[[], None]:
        request = urllib.request.Request(
            self._base + path, headers={"Authorization": f"Bearer {key}"}
        )

        def download() -> None:
            while not self._is_over():
                status, size = self._read(urllib.request.urlopen, request)
                with self._lock:
                    self._statuses[f"csv {status}"] += 1
                    self._bytes += size

        return download

    def _read(self, open_: Callable[..., Any], target: Any) -> tuple[int, int]:
        """Status and size of an answer, read to its end unless all is over."""
        size = 0
        try:
            with open_(target, timeout=_TIMEOUT_SECONDS) as answer:
                while not self._is_over() and (piece := answer.read(_PIECE)):
                    size += len(piece)
                return answer.status, size
        except urllib.error.HTTPError as error:
            with error:
                time.sleep(1.0 if error.code in (429, 503) else 0.0)
                return error.code, 0

    def _log_in(self) -> urllib.request.OpenerDirector:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        address = f"{self._base}/admin/login/"
        with opener.open(address, timeout=_TIMEOUT_SECONDS) as answer:
            found = _TOKEN.search(answer.read().decode())
        assert found is not None, "the login page has no token"
        form = {
            "csrfmiddlewaretoken": found[1],
            "username": self._plan.email,
            "password": self._plan.password,
            "next": "/admin/",
        }
        data = urllib.parse.urlencode(form).encode()
        with opener.open(address, data, timeout=_TIMEOUT_SECONDS) as answer:
            assert "/login" not in answer.url, "the login was refused"
        return opener

    def _is_over(self) -> bool:
        return Path(self._plan.stop).exists()


def _pages() -> Iterator[str]:
    """The first pages of the lists, again and again."""
    return cycle(f"{name}/?p={page}" for page in range(1, _PAGES + 1) for name in LISTS)


def main() -> None:
    """Run a plan and write its result."""
    plan_file, result_file = map(Path, sys.argv[1:3])
    plan = msgspec.json.decode(plan_file.read_bytes(), type=PagingPlan)
    result_file.write_text(json.dumps(Paging(plan).run()))


if __name__ == "__main__":
    main()
