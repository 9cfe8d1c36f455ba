"""A web server on the loopback address that misbehaves as told, under a certificate of its own."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Gives its answers one after the other, the last one again and again; notes what was asked."""

    daemon_threads = True
    answers: list[Answer]
    asked: list[tuple[str, str | None]]
    url: str

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        answers = self.server.answers
        self.server.asked.append((self.path, self.headers["Range"]))
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path, *, encrypted: bool = True) -> Iterator[Server]:
    """Serve, over HTTPS unless told otherwise; the authority to trust is folder/ca.pem."""
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.asked = [], []
    scheme = "http"
    if encrypted:
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        scheme = "https"
    server.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(
    content: bytes, *, announce: int | None = None, stop: int | None = None,
    then: Callable[[], object] | None = None, ranges: bool = False,
) -> Answer:  # fmt: skip
    """Answer 200, or 206 to a range; `announce` a length (-1: none); stop early; then do more."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked, start = handler.headers["Range"], 0
        if ranges and asked:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            handler.send_response(200)
        if announce != -1:
            length = len(content) - start if announce is None else announce
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(content[start:stop])
        handler.wfile.flush()
        if then is not None:
            then()

    return answer


def refuse(status: int) -> Answer:
    """Answer with an error status and a page about it."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(b"<p>!")

    return answer


def redirect(target: str) -> Answer:
    """Answer that the file is elsewhere."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer
