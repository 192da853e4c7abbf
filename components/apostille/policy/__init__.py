"""What must be encrypted, between whom, and how a "no" is explained to the person."""
