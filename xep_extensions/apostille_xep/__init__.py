"""Apostille's own XMPP extensions; needs slixmpp and nothing else."""
