"""Which OMEMO devices are whose, and who said that they may read: the register of devices."""
