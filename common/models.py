"""Abstract models and field makers shared by the apps."""

from typing import Any

from django.db import models

from common.money import DECIMAL_PLACES, MAX_DIGITS


def money_field(**kwargs: Any) -> models.DecimalField:
    """NUMERIC(38, 8): amounts, prices and quantities of every asset, never rounded."""
    return models.DecimalField(max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES, **kwargs)


def rate_field(**kwargs: Any) -> models.DecimalField:
    """NUMERIC(9, 8): a share of an amount, 0.0005 is five basis points."""
    return models.DecimalField(max_digits=9, decimal_places=8, **kwargs)


class TimeStampedModel(models.Model):
    """When a row was made and last changed."""

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
