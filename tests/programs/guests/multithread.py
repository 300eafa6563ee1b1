"""An echo server, a thread for each client: multithread.py [PORT]."""

import socket
import sys
import threading


def serve(client):
    with client:
        while data := client.recv(4096):
            client.sendall(data)


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 37564
    with socket.create_server(("127.0.0.1", port), backlog=4096) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()


main()
