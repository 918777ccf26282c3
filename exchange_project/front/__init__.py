"""The front of the venue: one port, on an event loop, for all that arrives over HTTP.

Hot requests are answered here (`exchange_project.hot`); everything else goes, once it is whole, to
the Django processes behind it. So a page, a report or a slow client never takes from an order what
it needs: not a thread, and not the interpreter's lock (docs/adr/0018).
"""
