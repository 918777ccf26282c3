"""The hot lane: place, cancel and look at orders on the event loop, without Django's request cycle.

It has no rules of its own. Keys, scopes, limits, requests, services, documents and errors are the
ones of the Django views, which stay: for the schema, and for a venue whose hot lane is off. What is
unusual about a request (an odd path, method, host or media type) makes it theirs.
"""
