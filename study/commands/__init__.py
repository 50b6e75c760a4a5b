"""The commands of ``app-study``, by what they are for; each registers with ``cli.app``."""
