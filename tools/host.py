"""Serve the built site as a host of static pages does.

Texts are sent compressed, each answer may be kept for ten minutes and carries a tag by
which it is asked for again, the site stands below a folder as on GitHub Pages, and an
address that does not exist gets its own page. ``with host(folder) as address:`` serves
it on a free port of this machine.
"""

import gzip
import threading
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tools.setup_cell import address

ROOT = Path(__file__).parents[1]
# Pages of a project stand below its name.
BASE = f"/{address(ROOT).rpartition('/')[2]}/"
# What a host compresses; pictures and fonts of the site are compressed already.
TEXTS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".xml": "application/xml",
    ".ipynb": "application/x-ipynb+json",
    ".md": "text/markdown; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
LEVEL = 6


@cache
def packed(path, changed):
    """Return a file compressed; ``changed`` is when, so that a new one is read."""
    return gzip.compress(path.read_bytes(), LEVEL, mtime=0)


def sent(path):
    """Return how many bytes of a file a host sends."""
    path = Path(path)
    if path.suffix in TEXTS:
        return len(packed(path, path.stat().st_mtime_ns))
    return path.stat().st_size


class Handler(SimpleHTTPRequestHandler):
    """Answer as GitHub Pages does, as far as a browser can tell."""

    protocol_version = "HTTP/1.1"  # one connection for many files
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        **TEXTS,
        ".woff2": "font/woff2",
    }

    def log_message(self, *args):
        """Keep the terminal free of requests."""

    def do_GET(self):
        """Send a file, that it has not changed, or that it is not there."""
        asked = urlsplit(self.path).path
        if not asked.startswith(BASE):  # below it is another site
            return self.answer(404, b"not found", {"Content-Type": "text/plain"})
        path = Path(self.translate_path(asked.removeprefix(BASE.rstrip("/"))))
        path = path / "index.html" if path.is_dir() else path
        status = 200 if path.is_file() else 404
        path = path if status == 200 else Path(self.directory, "404.html")
        changed = path.stat().st_mtime_ns
        tag = f'"{changed:x}-{path.stat().st_size:x}"'
        headers = {
            "Content-Type": self.guess_type(str(path)),
            "Cache-Control": "max-age=600",
            "ETag": tag,
            "Vary": "Accept-Encoding",
        }
        if self.headers.get("If-None-Match") == tag:
            return self.answer(304, b"", headers)
        if path.suffix in TEXTS and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return self.answer(status, packed(path, changed), headers)
        return self.answer(status, path.read_bytes(), headers)

    def answer(self, status, body, headers):
        """Send one answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def host(folder, port=0):
    """Serve a folder, and give the address of its root, which ends with a slash."""
    handler = partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{BASE}"
        finally:
            server.shutdown()
