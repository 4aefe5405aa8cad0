"""What a result was measured on."""

import os
import platform
from datetime import UTC, datetime
from typing import Any

import psycopg


def machine() -> dict[str, Any]:
    """When and on what: the cores, and how busy others kept them (the load average of the last minute)."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def server_version(url: str) -> str:
    """The PostgreSQL that was measured."""
    with psycopg.connect(url) as connection:
        return f"PostgreSQL {connection.info.server_version // 10000}.{connection.info.server_version % 10000}"
