"""Checks of the settings, for `manage.py check --deploy`."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from exchange_project.settings.deployment import find_demo_settings, find_questionable_settings


class _Settings(Mapping[str, Any]):
    """Django's settings by name."""

    def __getitem__(self, name: str) -> Any:
        return getattr(settings, name)

    def __iter__(self) -> Any:
        return iter(dir(settings))

    def __len__(self) -> int:
        return len(dir(settings))


@register(Tags.security, deploy=True)
def check_deployment(**_options: Any) -> list[CheckMessage]:
    """Report settings that suit one's own machine alone."""
    values = _Settings()
    refused: list[CheckMessage] = [
        Error(text, id="bourse.E001") for text in find_demo_settings(values)
    ]
    return refused + [
        Warning(text, id="bourse.W001") for text in find_questionable_settings(values)
    ]
