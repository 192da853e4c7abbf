"""From a complaint to evidence that an outsider can check without any server."""
