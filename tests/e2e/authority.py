"""Certificates for one run, made by openssl in a folder that goes with it."""

import atexit
import pathlib
import secrets
import shutil
import subprocess
import tempfile
from collections import namedtuple

from harness import PATIENCE, check

Files = namedtuple("Files", "cert key")

# how each kind of private key is made, and how its file begins
KEYS = {
    "pkcs8": (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "-----BEGIN PRIVATE KEY-----"),
    "ed25519": (["genpkey", "-algorithm", "ed25519"], "-----BEGIN PRIVATE KEY-----"),
    "pkcs1": (["genrsa", "-traditional", "2048"], "-----BEGIN RSA PRIVATE KEY-----"),
    "sec1": (["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "-----BEGIN EC PRIVATE KEY-----"),
}


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE)
    check(done.returncode == 0, lambda: f"openssl {arguments}: {done.stderr}")
    return done.stdout


def make_key(kind, file):
    command, begins = KEYS[kind]
    text = openssl(*command)
    check(text.startswith(begins), lambda: f"a {kind} key begins {text[:40]!r}")
    file.write_text(text)


class Authority:
    """Signs certificates. `cert`: its own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-ca-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.cert, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        make_key("pkcs8", self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-out", self.cert, "-days", 2,
                "-subj", f"/CN=authority {secrets.token_hex(4)}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name="127.0.0.1", kind="pkcs8", days=2):
        """A certificate for `name` that is good for both ends of a connection, in files of its own.

        `days`: from now on; below 0 it has expired.
        """
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        files = Files(folder / "cert.pem", folder / "key.pem")
        make_key(kind, files.key)
        extensions = folder / "extensions"
        sort = "IP" if name[0].isdigit() else "DNS"
        extensions.write_text("basicConstraints=critical,CA:FALSE\n"
                              "extendedKeyUsage=serverAuth,clientAuth\n"
                              "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                              f"subjectAltName={sort}:{name}\n")
        request = folder / "request"
        openssl("req", "-new", "-key", files.key, "-subj", f"/CN={name}", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-days", days,
                "-set_serial", f"0x{secrets.token_hex(8)}", "-extfile", extensions, "-out", files.cert)
        return files
