"""The server stack built, started, used, hurt, taken down and restored with a real Docker engine.

Not part of ``make test``: ``make test-compose`` needs Docker and up to two hours. A step that fails ends it with 1.
"""
