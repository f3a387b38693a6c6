"""Stand in for GitHub: serve the archive of a tag on this machine, to this machine.

Nothing in a notebook changes for it: pip is told through the environment to use a proxy
on the loopback address, which answers for github.com itself. It knows one address, the
archive of the tag that belongs to the version of the package in the archive, so a
notebook that asks for another tag gets what it would get from GitHub: nothing.
"""

import io
import os
import ssl
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tools.setup_cell import ROOT, address, version


def archive(root=ROOT, files=None):
    """Return the zip archive of a repository, as GitHub makes it of a tag.

    Parameters
    ----------
    root : Path
        The repository.
    files : iterable of str, optional
        Names relative to ``root``; by default what git tracks, and what it would track
        if everything were added.

    Returns
    -------
    bytes
        All files lie in one folder, ``NAME-VERSION``.
    """
    if files is None:
        listed = ["git", "ls-files", "-co", "--exclude-standard"]
        done = subprocess.run(
            listed, cwd=root, check=True, capture_output=True, text=True
        )
        files = sorted(set(done.stdout.splitlines()))  # twice during a merge
    folder = f"{address(root).rpartition('/')[2]}-{version(root)}"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as target:
        for name in files:
            if (root / name).is_file():
                target.write(root / name, f"{folder}/{name}")
    return data.getvalue()


@contextmanager
def published(folder, root=ROOT, files=None):
    """Serve the archive of a repository; give the environment in which pip finds it.

    Parameters
    ----------
    folder : Path
        An empty folder for a certificate and for what builds the package.
    root, files
        See `archive`.

    Yields
    ------
    dict of str
        Variables for the process that runs the set-up cell. pip then reaches nothing
        but the archive.
    """
    certificate = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, folder / "key.pem")
    path = f"{urlsplit(address(root)).path}/archive/refs/tags/v{version(root)}.zip"
    answers = {path: archive(root, files)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    server.tls, server.answers = context, answers
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield reachable(f"http://127.0.0.1:{server.server_port}", certificate, folder)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reachable(proxy, certificate, wheels):
    """Return the variables that let pip reach one proxy and one folder, no more."""
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "NO_PROXY": "",
        "no_proxy": "",
        "PIP_CERT": str(certificate),
        "REQUESTS_CA_BUNDLE": str(certificate),  # older pips look here first
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }


def build_tools(folder):
    """Download what builds the package, once, from the index of this machine."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    subprocess.run([*pip, "--disable-pip-version-check", "hatchling"], check=True)


class _Proxy(BaseHTTPRequestHandler):
    """Answer ``CONNECT github.com:443`` as GitHub would, and refuse all else."""

    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        if self.path != "github.com:443":
            self.send_error(403, "only github.com is served")
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self):
        body = self.server.answers.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body or b"")

    def finish(self):
        """Close the connection; the server knows only the one below it."""
        super().finish()
        self.connection.close()

    def log_message(self, *arguments):
        """Say nothing: the tests look at what pip says."""


def _certificate(folder):
    """Write a key and a certificate for github.com that nobody else trusts."""
    certificate = folder / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=github.com"
    usage = "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign"
    command = [*command.split(), "-addext", "subjectAltName=DNS:github.com"]
    command += ["-addext", usage, "-keyout", str(folder / "key.pem")]
    subprocess.run(
        [*command, "-out", str(certificate)], check=True, capture_output=True
    )
    return certificate
