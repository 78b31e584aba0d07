"""The version of pymle, as files and trees are stamped with it."""

#: That of pyproject.toml.
VERSION = "0.1.0"
