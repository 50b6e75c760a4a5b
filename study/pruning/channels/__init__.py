"""Channels: what falls together with one, how they pass from value to value, how they are cut."""
