"""Tests of the brokers app."""
