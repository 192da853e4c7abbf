"""The demonstration: a sample government, real clients, and every promise played through once."""
