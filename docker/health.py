"""Health check of the Docker stack's services: exit 0 when the named one is well. Standard library only."""

import json
import socket
import sys
import urllib.request

API = "http://{host}:8080/api/v2/monitor/health"


def main(service: str) -> str:
    """What is wrong with a service; blank when it is well."""
    if service == "sftp":
        with socket.create_connection(("127.0.0.1", 22), timeout=5) as connection:
            return "" if connection.recv(4) == b"SSH-" else "no SSH greeting"
    if service == "worker":  # it listens for those who want to read its logs
        socket.create_connection(("127.0.0.1", 8793), timeout=5).close()
        return ""
    host = "127.0.0.1" if service == "metadatabase" else "api-server"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(API.format(host=host), timeout=5) as answer:
        status = json.load(answer)[service]["status"]
    return "" if status == "healthy" else f"{service} is {status}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) or 0)
