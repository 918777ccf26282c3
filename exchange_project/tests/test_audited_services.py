"""Every service that a page of the back office calls writes to the audit trail."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from django.apps import apps

from oversight.services.records import record, record_all

OURS = ("brokers", "ledger", "margin", "marketdata", "orders", "oversight", "exchange_project")
# Services that pages call and that change nothing.
_READING = {
    "oversight.services.changes.as_text",
    "oversight.services.changes.check_change",
    "oversight.services.changes.list_changes",
    "marketdata.services.instrument_errors",
    "ledger.services.requests.is_adjustable",
    "ledger.services.entries.is_reversible",
    # The login history has it.
    "brokers.services.logins.take_password_attempt",
    # The page that mails it writes the record: strangers ask for such a mail too.
    "brokers.services.mails.queue_password_reset_mail",
}


def page_modules() -> Iterator[ModuleType]:
    """The admin modules of our apps, and the pages of the risk desk."""
    for app in OURS:
        for name in (f"{app}.admin", f"{app}.risk"):
            try:
                module = import_module(name)
            except ModuleNotFoundError:
                continue
            yield module
            for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
                yield import_module(found.name)


def called_services() -> dict[str, FunctionType]:
    """The functions of `services` that these modules import, by their full names."""
    found = {}
    for module in page_modules():
        for one in vars(module).values():
            inner = inspect.unwrap(one) if callable(one) else None
            if isinstance(inner, FunctionType) and ".services" in inner.__module__:
                found[f"{inner.__module__}.{inner.__name__}"] = inner
    return found


def writes_record(function: FunctionType, seen: set[str]) -> bool:
    """Whether a function of ours calls `record`, itself or by others that it names."""
    name = f"{function.__module__}.{function.__qualname__}"
    if name in seen:
        return False
    seen.add(name)
    for used in function.__code__.co_names:
        named: Any = function.__globals__.get(used)
        inner = inspect.unwrap(named) if callable(named) else None
        if inner in (record, record_all):
            return True
        if not isinstance(inner, FunctionType) or not inner.__module__.startswith(OURS):
            continue
        if writes_record(inner, seen):
            return True
    return False


def test_pages_call_services_that_write_a_record():
    services = called_services()
    assert len(services) > 20
    silent = {name for name, one in services.items() if not writes_record(one, set())}

    assert silent - {"oversight.services.records.record"} == _READING


def test_the_walk_sees_a_service_without_a_record():
    rename = import_module("brokers.services.people").rename_user

    assert not writes_record(inspect.unwrap(rename), set())
    assert apps.is_installed("oversight")
