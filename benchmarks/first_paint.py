"""When Chromium has painted a page that a server makes anew each time: counted from the click, the server included."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

PAINTED = "return performance.getEntriesByName('first-contentful-paint').map((paint) => paint.startTime)"


def first_paints(make: Callable[[], bytes], static: Path, runs: int) -> list[float]:
    """Seconds until the first content is painted, once per run; none where there is no Chromium.

    Args:
        make: Makes the page's HTML.
        static: The folder of what the page loads from ``/rollcall/static/``.
        runs: How often, after once that does not count.
    """
    if shutil.which("chromedriver") is None:
        return []
    from tests.e2e.browser import open_browser

    with _server(make, static) as address, open_browser(address) as browser:
        painted = []
        for _ in range(1 + runs):
            browser.driver.get(f"{address}/rollcall/")
            browser.until(lambda driver: bool(driver.execute_script(PAINTED)))
            painted.append(float(browser.driver.execute_script(PAINTED)[0]) / 1000)
    return painted[1:]


@contextmanager
def _server(make: Callable[[], bytes], static: Path) -> Iterator[str]:
    """A server on a port of its own; its address."""
    context = copy_context()  # a thread would not know which ledger is worked on

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_page = self.path == "/rollcall/"
            body = context.copy().run(make) if is_page else (static / Path(self.path).name).read_bytes()
            self.send_response(200)
            kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
            self.send_header("Content-Type", kinds.get(Path(self.path).suffix, "text/html; charset=utf-8"))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the result is what counts."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
