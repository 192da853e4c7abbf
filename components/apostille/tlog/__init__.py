"""Tiled transparency logs: RFC 6962 trees, C2SP tiles, signed notes, checkpoints and proofs.

Knows the formats and the arithmetic. Refuses to know where bytes are kept, what an entry means and what time
it is: nothing here reads a file, a clock or a random source, so everything here can be checked offline by
    anyone.
"""
