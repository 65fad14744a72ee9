# A pod's HTTP server for transfers: GET /bytes/N gives N bytes, POST the SHA-256 of what it got, anything else the
# client's address. argv: address, port.
import hashlib
import http.server
import sys

BLOCK = (b"All work and no play makes a dull data plane. " * 1500)[: 64 * 1024]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.path.startswith("/bytes/"):
            self.reply(f"{self.client_address[0]}\n".encode())
            return
        left = int(self.path[len("/bytes/") :])
        self.send_response(200)
        self.send_header("content-length", str(left))
        self.end_headers()
        while left > 0:
            self.wfile.write(BLOCK[:left])
            left -= len(BLOCK)

    def do_POST(self):
        if self.headers.get("expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        digest = hashlib.sha256()
        left = int(self.headers["content-length"])
        while left > 0:
            chunk = self.rfile.read(min(left, 64 * 1024))
            digest.update(chunk)
            left -= len(chunk)
        self.reply(digest.hexdigest().encode())

    def reply(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
