"""Tests that span apps, and the servers that every test run uses."""
