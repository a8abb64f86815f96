"""A DNS server for one name, which changes its mind, fails, or says nothing. Standard library only."""

import socket
import struct
import threading

NAME_ERROR, SERVER_FAILURE, SILENT = 3, 2, "silent"


class Names:
    """Answers every question for an address with `answer`: an address, a failure's number, or nothing at all."""

    def __init__(self, host, answer):
        self.answer = answer
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # where resolvers look, there is no way to tell them another port
        self.socket.bind((host, 53))
        self.socket.settimeout(0.1)
        self.is_open = True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while self.is_open:
            try:
                question, asker = self.socket.recvfrom(512)
            except TimeoutError:
                continue
            self.asked += 1
            answer = self.answer
            if answer != SILENT:
                self.socket.sendto(self._answer(question, answer), asker)

    @staticmethod
    def _answer(message, answer):
        end = message.index(b"\0", 12) + 5
        question = message[12:end]
        kind = struct.unpack("!H", question[-4:-2])[0]
        if not isinstance(answer, str):
            return message[:2] + struct.pack("!HHHHH", 0x8180 | answer, 1, 0, 0, 0) + question
        if kind != 1:
            # no IPv6 address: an empty answer
            return message[:2] + struct.pack("!HHHHH", 0x8180, 1, 0, 0, 0) + question
        record = struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(answer)
        return message[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + question + record

    def close(self):
        self.is_open = False
        self.thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
