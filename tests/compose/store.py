"""moto's S3 server with a bucket; it has room for nothing new while there is a file ``/tmp/full``."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import Client

BUCKET, PORT = "rollcall", 9000
FULL = Path("/tmp/full")
REFUSAL = b"<Error><Code>XMinioStorageFull</Code><Message>There is no room.</Message></Error>"
"""In MinIO's words."""

moto = DomainDispatcherApplication(create_backend_app)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request, as WSGI has it."""
    if FULL.exists() and environ["REQUEST_METHOD"] in ("POST", "PUT"):
        start_response("507 Insufficient Storage", [("Content-Type", "application/xml")])
        return [REFUSAL]
    answer: Iterable[bytes] = moto(environ, start_response)
    return answer


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = Client(moto).put(f"/{BUCKET}", base_url="http://s3.amazonaws.com")
    assert made.status_code == 200, made.text
    run_simple("0.0.0.0", PORT, application, threaded=True, request_handler=MotoRequestHandler)
