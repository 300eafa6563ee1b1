"""socketserver's echo, a thread for each client: tcp_server.py PORT."""

import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 4096


Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
