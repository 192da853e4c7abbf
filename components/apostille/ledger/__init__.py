"""The ledger: what was recorded, in which order, unforgeably.

A room that knows entries as bytes and the few words to find them by. It refuses to know what an entry says.
"""
