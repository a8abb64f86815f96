"""A model server that answers nobody before everybody has asked: all clients are active at once.

Arguments: the port. Routes:
  POST /predict   a class and a confidence, once as many wait as were announced
  GET  /expect?N  announces how many
  GET  /waiting   how many wait now
  GET  /health    200
"""

import sys

from quick import Quick, answer, field


class Gathering(Quick):
    def __init__(self, port):
        super().__init__(port)
        self.expected, self.waiting = 1, []

    def asked(self, peer, path, fields, body):
        if path.startswith(b"/expect?"):
            self.expected = int(path[8:])
            peer.sendall(answer({"expected": self.expected}))
        elif path == b"/waiting":
            peer.sendall(answer({"waiting": len(self.waiting)}))
        elif path == b"/predict":
            self.waiting.append((peer, field(fields, b"x-request-id")))
            if len(self.waiting) >= self.expected:
                self.release()
        else:
            peer.sendall(answer({"status": "healthy"}))

    def release(self):
        waiting, self.waiting = self.waiting, []
        for peer, identity in waiting:
            peer.sendall(answer({"prediction": "setosa", "confidence": 0.98, "model_version": "1", "id": identity}))


if __name__ == "__main__":
    Gathering(int(sys.argv[1])).run()
